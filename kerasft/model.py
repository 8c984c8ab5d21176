"""The Keras model that kerasft trains: plain functional, with freezing that holds and steps that add up."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import tensorflow as tf

from kerasft.errors import UsageError
from kerasft.keras_private import BuildsWithoutData, LogsOnce, graphs_as_traced, inner_layers, is_multi_worker

if TYPE_CHECKING:
    from kerasft.modeling import Assembly

# Reductions of a Keras loss that divide by the number of examples.
_MEANS = ("sum_over_batch_size", "mean")


class _Broken:
    """The first update whose loss was not finite: -1 until there is one. No variable of the model's own."""

    def __init__(self) -> None:
        self.update = tf.Variable(-1, trainable=False, dtype=tf.int64)

    def check(self, loss: tf.Tensor, update: tf.Tensor) -> None:
        """Remembers `update` if it is the first."""
        first = tf.logical_and(self.update < 0, tf.logical_not(tf.math.is_finite(loss)))
        self.update.assign(tf.where(first, tf.cast(update, tf.int64), self.update))


class Together(NamedTuple):
    """Several batches in one element of a `tf.data.Dataset`.

    Args:
        examples: of all of them, one batch behind the other.
        sizes: examples of each batch; 0 behind the last one.
    """

    examples: Any
    sizes: tf.Tensor


@dataclass(frozen=True)
class Split:
    """A model cut where its frozen part ends: ``suffix(prefix(x))`` is the whole, with the same layers."""

    prefix: keras.Model
    suffix: keras.Model


class TrainedModel(BuildsWithoutData, LogsOnce, keras.Model):
    """A functional `keras.Model` from preprocessed inputs to logits.

    Attributes:
        assembly: backbone, task and groups of layers.
        split: set by `kerasft.freeze`: the prefix is computed as in inference while training. Keras would run the
            dropout of frozen layers, and ignores ``training=False`` given to a part of a functional model (#20285).
        micro_batches: in how many pieces `fit` computes the gradient of a batch: the result is the same, for less
            memory. Keras's own accumulation fails below `tf.distribute` (#20582).
        traces: how many times TensorFlow has traced the training step since `compile`: batches of every length share
            one graph.
    """

    assembly: "Assembly"
    split: Split | None = None
    micro_batches: int = 1
    traces: int = 0
    _broken: "_Broken | None" = None
    _calls: "Iterator[int] | None" = None
    train_function: "Callable[[Any], Any] | None"

    def compile(self, *args: Any, **options: Any) -> None:
        """As Keras does it.

        Raises:
            UsageError: batches come in pieces, and the loss is not a mean over examples, so that it would be another.
        """
        super().compile(*args, **options)
        self.traces = 0
        self._calls = None
        self._broken = _Broken() if self.steps_per_execution > 1 else None
        pieces = self.micro_batches * self.distribute_strategy.num_replicas_in_sync
        reduction = getattr(self.loss, "reduction", _MEANS[0])
        if pieces > 1 and reduction not in _MEANS:
            raise UsageError(
                "Batches in pieces (of several devices, or of accumulation) need a loss that is the mean over "
                f"examples, with reduction={_MEANS[0]!r}. Received: reduction={reduction!r}"
            )

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Logits; while training, the frozen part computes as in inference."""
        if training and self.split is not None:
            return self.split.suffix(self.split.prefix(inputs, training=False), training=True)
        return super().call(inputs, training=training, mask=mask)

    def plan_calls(self, *steps: int) -> None:
        """Says how many batches the epochs of the next `fit` have, of which TensorFlow may compute several in a call.

        Without it `fit` computes the logs of every step, and asks at each whether there are more data.

        Args:
            steps: of one epoch after the other; and then from the first again.
        """
        each = self.steps_per_execution
        self._calls = itertools.cycle([min(each, count - done) for count in steps for done in range(0, count, each)])

    def make_train_function(self, force: bool = False) -> Callable[[Any], Any]:
        """What `fit` calls with an iterator; see `plan_calls`."""
        if self._calls is None or self.distribute_strategy.num_replicas_in_sync > 1:
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function = self._several_steps()
        return self.train_function

    def _several_steps(self) -> Callable[[Any], Any]:
        def steps(iterator: Any, count: tf.Tensor) -> dict[str, Any]:
            together = iterator.get_next() if isinstance(iterator.element_spec, Together) else None

            def body(done: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                if together is None:
                    self._update(iterator.get_next())
                    return done + 1, start
                stop = start + together.sizes[done]
                self._update(tf.nest.map_structure(lambda tensor: tensor[start:stop], together.examples))
                return done + 1, stop

            start = tf.constant(0, tf.int64)
            tf.while_loop(lambda done, _: done < count, body, [0, start], parallel_iterations=1)
            return self._logs()

        traced = tf.function(steps, reduce_retracing=True, autograph=False)

        def function(iterator: Any) -> dict[str, Any]:
            assert self._calls is not None
            with graphs_as_traced():
                return traced(iterator, tf.constant(next(self._calls)))

        return function

    def train_step(self, data: Any) -> dict[str, Any]:
        """One update on a batch that may be spread over replicas, and over micro-batches on each of them.

        Every example counts the same, also when the pieces are of different sizes, or a replica has none.
        """
        self._update(data)
        return self._logs()

    def _update(self, data: Any) -> None:
        """`train_step` without its logs, of which several steps in a call need none."""
        self.traces += 1  # Python comes here when TensorFlow traces, and not in every step
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        size = _size(x)
        replicas = self.distribute_strategy.num_replicas_in_sync
        whole = tf.distribute.get_replica_context().all_reduce("sum", size) if replicas > 1 else size
        variables = self.trainable_variables
        if self.micro_batches == 1:
            gradients = self._gradients(x, y, sample_weight, variables)
            if replicas > 1:
                gradients = [_part(gradient, size, whole) for gradient in gradients]
        else:
            gradients = self._accumulate((x, y, sample_weight), size, whole, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        if replicas > 1:
            self._agree(size, whole)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Loss and metrics of one batch."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        self._loss(x, y, sample_weight, training=False)
        return self._logs()

    def first_broken(self, batch: int) -> int:
        """The first batch, of those up to `batch` in one call of TensorFlow, whose loss was not finite."""
        if self._broken is None:
            return batch
        return batch - (int(self.optimizer.iterations) - 1 - int(self._broken.update))

    def _loss(self, x: Any, y: Any, sample_weight: Any, *, training: bool) -> tf.Tensor:
        """Mean loss over these examples, which metrics hear of."""
        if isinstance(x, tuple):  # outputs of the frozen part, which were computed before
            assert self.split is not None
            logits = self.split.suffix(list(x), training=training)
        else:
            logits = self(x, training=training)
        loss = self.compute_loss(x=x, y=y, y_pred=logits, sample_weight=sample_weight, training=training)
        # Keras has divided it by the number of replicas.
        loss *= tf.cast(self.distribute_strategy.num_replicas_in_sync, loss.dtype)
        size = _size(x)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(tf.where(size > 0, loss, tf.zeros_like(loss)), sample_weight=size)
        self.compute_metrics(x, y, logits, sample_weight)
        if training and self._broken:
            self._broken.check(loss, self.optimizer.iterations.value)
        return loss

    def _gradients(self, x: Any, y: Any, sample_weight: Any, variables: list[keras.Variable]) -> list[Any]:
        """Of the mean loss over these examples."""
        values = [variable.value for variable in variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            loss = self._loss(x, y, sample_weight, training=True)
        return tape.gradient(loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def _accumulate(self, data: Any, size: tf.Tensor, whole: tf.Tensor, variables: list[keras.Variable]) -> list[Any]:
        """This replica's part of the gradients of a whole batch, one micro-batch after the other."""
        piece = tf.maximum(-(-size // self.micro_batches), 1)

        def body(start: tf.Tensor, *sums: tf.Tensor) -> tuple[tf.Tensor, ...]:
            stop = tf.minimum(start + piece, size)
            x, y, weight = tf.nest.map_structure(lambda v: v if v is None else v[start:stop], data)
            gradients = self._gradients(x, y, weight, variables)
            return (stop, *(total + _part(g, stop - start, whole) for total, g in zip(sums, gradients, strict=True)))

        zeros = [tf.zeros_like(variable.value) for variable in variables]
        start = tf.constant(0, size.dtype)
        # One at a time, or memory would be that of the whole batch.
        _, *sums = tf.while_loop(lambda start, *_: start < size, body, (start, *zeros), parallel_iterations=1)
        return sums

    def _agree(self, size: tf.Tensor, whole: tf.Tensor) -> None:
        """Gives all replicas the mean of their BatchNormalization statistics. Keras leaves to each its own."""
        context = tf.distribute.get_replica_context()
        for layer in inner_layers(self.layers):
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
                for variable in layer.non_trainable_variables:
                    variable.assign(context.all_reduce("sum", _part(tf.identity(variable), size, whole)))

    def _logs(self) -> dict[str, Any]:
        """Metrics over all replicas. Keras would average theirs, however many examples each of them had."""
        strategy = self.distribute_strategy
        if strategy.num_replicas_in_sync == 1:
            return self.get_metrics_result()
        context = tf.distribute.get_replica_context()
        variables = self.metrics_variables
        # A tensor without a device of its own, as a variable gives, cannot be reduced over workers.
        values = [context.all_reduce(v.aggregation, tf.identity(v)) for v in variables]
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            logs = self.get_metrics_result()
        # Of several workers Keras averages logs along an axis that scalars do not have (#20585).
        return {name: tf.reshape(value, [1]) for name, value in logs.items()} if is_multi_worker(strategy) else logs


def _size(x: Any) -> tf.Tensor:
    return tf.shape(tf.nest.flatten(x)[0])[0]


def _part(value: Any, size: tf.Tensor, whole: tf.Tensor) -> tf.Tensor:
    """The part that a mean over `size` examples has in the mean over `whole`: none if there are none, and it is NaN."""
    value = tf.convert_to_tensor(value)
    return tf.math.multiply_no_nan(value, tf.cast(size / whole, value.dtype))
