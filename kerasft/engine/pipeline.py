"""Encoded examples to `tf.data` batches, by the batch plan."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from kerasft.engine.augment import Augmentation, changed
from kerasft.engine.encode import Encodings
from kerasft.engine.plan import BatchPlan, shards
from kerasft.engine.table import Table
from kerasft.engine.views import Views
from kerasft.model import Together
from kerasft.task import Task

# Batches made ready ahead of the training step: one in use, one waiting.
_PREFETCH = 2
_TOGETHER = 1 << 24  # most bytes of batches that are gathered together

_Epochs = Callable[[], Iterable[tuple[np.ndarray, ...]]]


class Batches:
    """Examples that become batches ``(model inputs, aligned targets)``, in graph operations.

    Args:
        encodings: the examples.
        task: which aligns the targets.
        targets: encoded, one row per example; an object array of arrays that differ in their first dimension becomes
            ragged.
        plan: which example stands in which batch.
        features: outputs of the model's frozen part for these examples. They then take the place of its inputs, as a
            tuple in the order of their columns.
        augmentation: changes images at random; the draws depend on the plan's seed, the epoch and the batch.
        views: of which `features` are, if not of the examples as they are.
    """

    def __init__(
        self,
        encodings: Encodings,
        task: Task,
        targets: np.ndarray,
        plan: BatchPlan,
        features: Table | None = None,
        augmentation: Augmentation | None = None,
        views: Views | None = None,
    ):
        self._encodings = encodings
        self._task = task
        self._targets = target_tensor(targets)
        self._plan = plan
        self._features = features
        self._augmentation = augmentation
        self._views = views
        self._now = range(1), 0  # epochs and step that `dataset` was last asked for
        self._made: dict[int, tf.data.Dataset] = {}  # TensorFlow takes a tenth of a second to trace one

    def dataset(self, epochs: range = range(1), step: int = 0, each: int = 1) -> tf.data.Dataset:
        """The batches of these epochs one after the other, of the first from the batch `step` on.

        They are those of the last call, also in what an earlier one gave. How many there are is not said, so that Keras
        makes one iterator for all epochs, and not two for each, which take it 20 ms apiece.

        Args:
            epochs: counted from 0.
            step: counted from 0.
            each: batches of a call of TensorFlow. Where an example is a few numbers, `Together` they are one element,
                for an element takes `tf.data` longer than a small head to train on it.
        """
        self._now = epochs, step
        size = self._features.example_bytes if self._features is not None else None
        if size is None or size * self._plan.batch_size * each > _TOGETHER:
            each = 1
        if each not in self._made:
            self._made[each] = self._gathered(lambda: self._each(*self._now, each=each), together=each > 1)
        return self._made[each]

    def passes(self) -> tf.data.Dataset:
        """One epoch, and another one each time it is read again, so that Keras shuffles anew."""
        epochs = itertools.count()
        batches = self._gathered(lambda: [self._epoch(next(epochs), 0)])
        return batches.apply(tf.data.experimental.assert_cardinality(self._plan.steps()))

    def distributed(
        self, strategy: tf.distribute.Strategy, epochs: range = range(1), step: int = 0
    ) -> tf.distribute.DistributedDataset:
        """`dataset` with every batch spread over the replicas of `strategy`, as evenly as it can be.

        Each process gathers what its own replicas train on and no more.
        """
        replicas = strategy.num_replicas_in_sync

        def of_process(context: tf.distribute.InputContext) -> tf.data.Dataset:
            own = replicas // context.num_input_pipelines
            first = context.input_pipeline_id * own
            return self._gathered(lambda: self._each(epochs, step, 1, replicas, range(first, first + own)))

        return strategy.distribute_datasets_from_function(of_process)

    def _each(
        self, epochs: range, step: int, each: int, replicas: int = 1, own: range = range(1)
    ) -> Iterator[tuple[np.ndarray, ...]]:
        """`_epoch` of one epoch after the other."""
        for epoch in epochs:
            yield self._epoch(epoch, step if epoch == epochs.start else 0, each, replicas, own)

    def _epoch(
        self, epoch: int, step: int, each: int = 1, replicas: int = 1, own: range = range(1)
    ) -> tuple[np.ndarray, ...]:
        """Indices of all batches as one matrix with `each` batches in a row, how many of them are one, to how many
        tokens they are padded, and a seed of a row's own."""
        batches = list(self._plan.batches(epoch, start=step))
        lengths = np.repeat([self._plan.length(index) for index in batches], len(own))
        pieces = [shards(index, replicas)[i] for index in batches for i in own]
        numbers = [replicas * (step + batch) + i for batch in range(len(batches)) for i in own]
        starts = np.arange(0, len(pieces), each)
        sizes = np.zeros((len(starts), each), np.int64)
        sizes.flat[: len(pieces)] = [len(piece) for piece in pieces]
        matrix = np.zeros((len(starts), sizes.sum(axis=1).max(initial=0)), np.int64)
        for row, start, size in zip(matrix, starts, sizes.sum(axis=1), strict=True):
            row[:size] = np.concatenate(pieces[start : start + each])
        seeds = [(self._plan.seed or 0, (epoch << 32) + numbers[start]) for start in starts]
        longest = np.maximum.reduceat(lengths, starts) if len(starts) else lengths
        return matrix, sizes, longest.astype(np.int64), np.array(seeds, np.int64).reshape(-1, 2)

    def _gathered(self, epochs: _Epochs, together: bool = False) -> tf.data.Dataset:
        def gather(row: tf.Tensor, sizes: tf.Tensor, length: tf.Tensor, seed: tf.Tensor) -> Any:
            found = gather_row(row[: tf.reduce_sum(sizes)], length, seed)
            return Together(found, sizes) if together else found

        def gather_row(index: tf.Tensor, length: tf.Tensor, seed: tf.Tensor) -> tuple[Any, tf.Tensor]:
            if self._features is not None and self._views is not None:
                rows = self._views.rows(index, epoch=seed[1] // (1 << 32))
                return tuple(self._features.gather(rows, length).values()), self._views.targets(rows)
            inputs, alignment = self._encodings.gather(index, length)
            targets = tf.gather(self._targets, index)
            if self._augmentation is not None:
                inputs, alignment, targets = changed(self._augmentation, self._task, inputs, alignment, targets, seed)
            if self._augmentation is None or self._task.placed:
                targets = self._task.align(targets, alignment)
            if self._features is None:
                return inputs, targets
            return tuple(self._features.gather(index, length).values()), targets

        # Python is asked once an epoch, and not for every batch.
        spec = tuple(tf.TensorSpec(shape, tf.int64) for shape in ([None, None], [None, None], [None], [None, 2]))
        rows = tf.data.Dataset.from_generator(epochs, output_signature=spec)
        rows = rows.flat_map(lambda *epoch: tf.data.Dataset.from_tensor_slices(epoch))
        options = tf.data.Options()
        # There is nothing to find in so short a pipeline, and looking takes 40 ms an epoch.
        options.experimental_optimization.apply_default_optimizations = False
        options.autotune.enabled = False
        return rows.map(gather, num_parallel_calls=1).prefetch(_PREFETCH).with_options(options)


def target_tensor(targets: np.ndarray) -> tf.Tensor | tf.RaggedTensor:
    """Encoded targets, ragged where they are arrays that differ in length."""
    if targets.dtype != object:
        return tf.constant(targets)
    lengths = np.array([len(rows) for rows in targets], np.int64)
    return tf.RaggedTensor.from_row_lengths(np.concatenate(list(targets)), lengths, validate=False)
