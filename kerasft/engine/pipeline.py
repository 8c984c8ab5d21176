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


def training_batches(
    assembly: "Assembly", inputs: Sequence[Any], targets: np.ndarray, plan: BatchPlan, epochs: int = 1
) -> tf.data.Dataset:
    """Batches ``(model inputs, aligned targets)`` of `epochs` epochs, one after the other.

    Read again, it goes on with the epochs after those, so that Keras shuffles anew when it starts over.
    """
    raw, encoded = tf.constant(list(inputs)), tf.constant(targets)

    passes = itertools.count()

    def indices() -> Iterator[np.ndarray]:
        first = next(passes) * epochs
        return itertools.chain.from_iterable(plan.batches(epoch) for epoch in range(first, first + epochs))

    def gather(index: tf.Tensor) -> tuple[Mapping[str, tf.Tensor], tf.Tensor]:
        batch = assembly.backbone.preprocess(tf.gather(raw, index))
        return dict(batch.inputs), assembly.task.align(tf.gather(encoded, index), batch.alignment)

    batches = tf.data.Dataset.from_generator(indices, output_signature=tf.TensorSpec([None], tf.int64))
    batches = batches.apply(tf.data.experimental.assert_cardinality(plan.steps * epochs))
    return batches.map(gather, num_parallel_calls=1).prefetch(_PREFETCH)
