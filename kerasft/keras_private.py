"""Everything kerasft needs of Keras that is not its public API: here and nowhere else.

Each entry says which defect it is for; `tests/placement` has a test per defect that fails without its cure.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras.src.backend import compute_output_spec
from keras.src.callbacks.monitor_callback import MonitorCallback
from keras.src.random import seed_generator

from kerasft.errors import KerasftError

TESTED = "3.15"
"""The minor version of Keras in which these internals were read and tested."""


def check_version() -> None:
    """Refuses a Keras whose internals nobody has looked at.

    Raises:
        KerasftError: another minor version than `TESTED` is installed.
    """
    if keras.__version__.split(".")[:2] != TESTED.split("."):
        raise KerasftError(
            f"kerasft was tested with Keras {TESTED}. Installed: {keras.__version__}. pip install 'keras=={TESTED}.*'"
        )


check_version()


class Call(NamedTuple):
    """One use of a layer (or operation) in a functional model."""

    operation: keras.Operation
    inputs: Sequence[keras.KerasTensor]
    outputs: Sequence[keras.KerasTensor]


def calls(model: keras.Model) -> Iterator[Call]:
    """The graph of a functional model in the order of computation. Keras shows layers, not what flows between them."""
    for _, nodes in sorted(model._nodes_by_depth.items(), reverse=True):
        for node in nodes:
            if node.operation is not None and not node.is_input:
                yield Call(node.operation, node.input_tensors, node.output_tensors)


def inner_layers(layers: Iterable[keras.Layer]) -> list[keras.Layer]:
    """The layers and every layer inside them."""
    return [inner for layer in layers for inner in layer._flatten_layers()]


class BuildsWithoutData:
    """For a functional model: its loss and metrics are built from its own specification, not from a reduced batch.

    Below `tf.distribute` Keras learns shapes by *averaging* the first batch over the replicas, which fails for bool and
    string tensors and for a batch that splits unevenly (keras #21172, #19246), and for several workers (#20585). It
    also traces the whole model to learn the shape of its output, which takes a fifth of a second for a small BERT.
    """

    def build_state(self, batch: Any) -> None:
        """Makes the variables of loss, metrics and optimizer for such batches, in the strategy's scope."""
        model: Any = self
        x, y, weight = keras.utils.unpack_x_y_sample_weight(keras.tree.map_structure(_symbolic, batch))
        logits = keras.tree.map_structure(_symbolic, model.output)
        with model.distribute_strategy.scope():
            if model._compile_metrics is not None and not model._compile_metrics.built:
                compute_output_spec(model.compute_metrics, x, y, logits, sample_weight=weight)
            if model._compile_loss is not None and not model._compile_loss.built:
                compute_output_spec(model._compute_loss, x, y, logits, sample_weight=weight, training=False)
            if model.optimizer is not None and not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
            model._post_build()

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        if self._distribute_strategy is None:  # type: ignore[attr-defined]
            return
        if iterator is not None:
            # The specification is one per replica below `tf.distribute`.
            data_batch = tf.nest.map_structure(
                lambda spec: tf.nest.flatten(spec, expand_composites=True)[0],
                iterator._distributed_dataset.element_spec,
            )
        self.build_state(data_batch)


def _symbolic(tensor: Any) -> keras.KerasTensor | None:
    if tensor is None:
        return None
    return keras.KerasTensor(tensor.shape, keras.backend.standardize_dtype(tensor.dtype))


class LogsOnce:
    """For a model whose steps give its metrics: those of the last one are the logs of the epoch.

    Keras computes them again, one operation after the other, which takes it longer than an update of a small head.
    """

    def _get_metrics_result_or_logs(self, logs: Any) -> Any:
        if not logs or self.distribute_strategy.num_replicas_in_sync > 1:  # type: ignore[attr-defined]
            return super()._get_metrics_result_or_logs(logs)  # type: ignore[misc]
        return logs


class PerVariable:
    """For an optimizer: a rate and a weight decay per variable, clipping of the whole gradient, an average of weights.

    Keras has no rates per variable (#21741). It clips on every replica *before* gradients are added up, which
    silently gives another result than one device would. Its own average takes the place of the weights when `fit`
    ends, too late for validation.
    """

    clip_norm: float | None = None
    decay: float = 0.0
    average_momentum: float | None = None
    scales: Sequence[float] = ()
    decayed: Sequence[bool] = ()
    averages: Sequence[Any] = ()

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Variables of the optimizer; the averages begin as the weights are."""
        super().build(variables)  # type: ignore[misc]
        if self.average_momentum is not None:
            self.averages = self.add_optimizer_variables(variables, "average")  # type: ignore[attr-defined]
            with tf.init_scope():  # at once, also when the first step builds the optimizer
                for average, variable in zip(self.averages, variables, strict=True):
                    average.assign(variable)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """One variable on one device: decay, the step itself, the average."""
        index = self._get_variable_index(variable)  # type: ignore[attr-defined]
        rate = tf.cast(learning_rate, variable.dtype) * self.scales[index]
        if self.decay and self.decayed[index]:
            variable.assign(variable * (1 - self.decay * rate))
        super().update_step(gradient, variable, rate)  # type: ignore[misc]
        if self.average_momentum is not None:
            average = self.averages[index]
            self.assign(  # type: ignore[attr-defined]
                average, average * self.average_momentum + (1 - self.average_momentum) * variable
            )

    def _all_reduce_sum_gradients(self, pairs: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        if tf.distribute.get_replica_context().num_replicas_in_sync > 1:
            dense = [(None if gradient is None else tf.convert_to_tensor(gradient), v) for gradient, v in pairs]
            pairs = super()._all_reduce_sum_gradients(dense)  # type: ignore[misc]
        gradients = [gradient for gradient, _ in pairs]
        if self.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(list(map(_rows_once, gradients)), self.clip_norm)
        return [(tf.convert_to_tensor(gradient), v) for gradient, (_, v) in zip(gradients, pairs, strict=True)]


def _rows_once(gradient: Any) -> Any:
    """Of embeddings, the rows that a batch read: most of a table is zeros, which need no norm and no scaling.

    A row that was read twice is added up; as two rows it would have another norm.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, place = tf.unique(gradient.indices)
    return tf.IndexedSlices(
        tf.math.unsorted_segment_sum(gradient.values, place, tf.size(rows)), rows, gradient.dense_shape
    )


# Weights of a variable: TensorFlow's one operation wakes a second thread, which takes longer than to compute so few.
_FEW = 2**14


class AdamInOnePass(keras.optimizers.Adam):
    """Keras's Adam as one operation of TensorFlow per variable, but for small ones.

    The formula is the same (Kingma and Ba 2015, the form at the end of section 2). Keras computes it in a dozen
    operations, each of which reads and writes as much memory as the variable has; a third of the time is left.
    """

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """One variable on one device."""
        index = self._get_variable_index(variable)
        dtype = variable.dtype
        gradient = tf.cast(gradient, dtype)
        step = tf.cast(self.iterations.value + 1, dtype)
        moment, square = self._momentums[index].value, self._velocities[index].value
        beta1, beta2, epsilon = (tf.constant(v, dtype) for v in (self.beta_1, self.beta_2, self.epsilon))
        rate = tf.cast(learning_rate, dtype)
        if variable.shape.num_elements() < _FEW:
            rate *= tf.sqrt(1 - beta2**step) / (1 - beta1**step)
            first = moment.assign_add((gradient - moment) * (1 - beta1))
            second = square.assign_add((gradient * gradient - square) * (1 - beta2))
            variable.assign_sub(rate * first / (tf.sqrt(second) + epsilon))
            return
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=moment.handle,
            v=square.handle,
            beta1_power=beta1**step,
            beta2_power=beta2**step,
            lr=rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            grad=gradient,
        )


@contextlib.contextmanager
def graphs_as_traced() -> Iterator[None]:
    """TensorFlow runs graphs as they were traced, and does not look for better ones.

    For a training step that takes two seconds before the first batch, and its steps are not faster for it.
    """
    before = tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": before})


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
    """Whether several processes train together."""
    return bool(strategy.extended._in_multi_worker_mode())


def forget_direction(callback: keras.callbacks.Callback) -> None:
    """For a callback that got its attributes back in another process.

    Keras's own that monitor a metric find out whether less of it is better when they are first told of an epoch, and
    turn the sign of `min_delta` then: a second time, in a process that resumes.
    """
    if isinstance(callback, MonitorCallback):
        callback.min_delta = abs(callback.min_delta)


def global_seed() -> keras.Variable:
    """State of the generator that `keras.random` draws from without a seed. Making it takes a draw of Python's."""
    return seed_generator.global_seed_generator().state


def attend_by(layer: keras.layers.MultiHeadAttention, attend: Callable[..., tf.Tensor]) -> None:
    """Lets another function stand between a layer's projections, where all queries of an example share a mask.

    Keras computes the weights of a whole batch at once: on long texts twice the time, and most of the memory.

    Args:
        layer: built or not; other masks, and weights that are asked for, are left to it.
        attend: takes queries, keys, values (``[examples, tokens, heads, size]``), the mask (``[examples, tokens]``),
            the rate of dropout, and its seed or None; gives what the queries find.
    """
    whole = layer._compute_attention

    def compute(query: Any, key: Any, value: Any, mask: Any = None, training: Any = None, scores: Any = False) -> Any:
        if scores or mask is None or mask.shape[1] != 1:
            return whole(query, key, value, mask, training, scores)
        seed = layer._dropout_layer.seed_generator.next() if training and layer.dropout else None
        return attend(query, key, value, mask[:, 0], layer.dropout, seed), None

    layer._compute_attention = compute
