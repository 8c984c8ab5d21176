"""Examples to `tf.data` batches, by the batch plan."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from kerasft.engine.plan import BatchPlan

if TYPE_CHECKING:
    from kerasft.modeling import Assembly

# Batches made ready ahead of the training step: one in use, one waiting.
_PREFETCH = 2


class Batches:
    """Examples that become batches ``(model inputs, aligned targets)``, preprocessed as they are needed.

    Args:
        assembly: whose backbone preprocesses and whose task aligns.
        inputs: raw inputs, for example strings.
        targets: encoded, one row per input.
        plan: which example stands in which batch.
    """

    def __init__(self, assembly: "Assembly", inputs: Sequence[Any], targets: np.ndarray, plan: BatchPlan):
        self._assembly = assembly
        self._raw, self._targets = tf.constant(list(inputs)), tf.constant(targets)
        self.plan = plan

    def dataset(self, epochs: range = range(1), step: int = 0) -> tf.data.Dataset:
        """Batches of these epochs, one after the other, from the batch `step` of the first on.

        Read again, it goes on with the epochs after those, so that Keras shuffles anew when it starts over.
        """
        passes = itertools.count()

        def indices() -> Iterator[np.ndarray]:
            later = next(passes) * len(epochs)
            for epoch in epochs:
                yield from self.plan.batches(epoch + later, start=step if epoch == epochs.start and not later else 0)

        count = self.plan.steps * len(epochs) - step
        return self._gathered(indices, tf.data.experimental.assert_cardinality(count))

    def distributed(
        self, strategy: tf.distribute.Strategy, epochs: range = range(1), step: int = 0
    ) -> tf.distribute.DistributedDataset:
        """`dataset` with every batch spread over the replicas of `strategy`, as evenly as it can be.

        Each process preprocesses what its own replicas train on and no more.
        """
        replicas = strategy.num_replicas_in_sync

        def of_process(context: tf.distribute.InputContext) -> tf.data.Dataset:
            own = replicas // context.num_input_pipelines
            first = context.input_pipeline_id * own

            def indices() -> Iterator[np.ndarray]:
                for epoch in epochs:
                    for index in self.plan.batches(epoch, start=step if epoch == epochs.start else 0):
                        yield from np.array_split(index, replicas)[first : first + own]

            return self._gathered(indices)

        return strategy.distribute_datasets_from_function(of_process)

    def _gathered(self, indices: Any, *transformations: Any) -> tf.data.Dataset:
        def gather(index: tf.Tensor) -> tuple[Mapping[str, tf.Tensor], tf.Tensor]:
            batch = self._assembly.backbone.preprocess(tf.gather(self._raw, index))
            return dict(batch.inputs), self._assembly.task.align(tf.gather(self._targets, index), batch.alignment)

        batches = tf.data.Dataset.from_generator(indices, output_signature=tf.TensorSpec([None], tf.int64))
        for transformation in transformations:
            batches = batches.apply(transformation)
        return batches.map(gather, num_parallel_calls=1).prefetch(_PREFETCH)
