"""Augmented copies of training images, so that the outputs of a frozen part can be kept for them."""

import hashlib
import json
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from kerasft.engine.augment import Augmentation, changed
from kerasft.engine.encode import Encodings
from kerasft.engine.plan import BatchPlan
from kerasft.engine.prefix import BATCH
from kerasft.task import Task


class Views:
    """Several augmented copies of all examples, of which every epoch trains on one, in turn.

    They are inputs of `prefix.compute` as `Encodings` are: one copy behind the other, each in another order, so that
    images are mixed with others each time. Draws depend on the seed and the place in this order and nothing else.

    Args:
        encodings: the examples, images.
        task: whose targets move or are mixed.
        targets: encoded, as a tensor.
        augmentation: changes `prefix.BATCH` images at a time.
        strengths: of the augmentation, by name.
        count: copies.
        seed: of orders and draws.

    Attributes:
        count: copies.
        lengths: None: images have no tokens.
    """

    lengths: np.ndarray | None = None

    def __init__(
        self,
        encodings: Encodings,
        task: Task,
        targets: tf.Tensor | tf.RaggedTensor,
        augmentation: Augmentation,
        strengths: Mapping[str, float],
        count: int,
        seed: int,
    ):
        self.count = count
        self._encodings = encodings
        self._task = task
        self._targets = targets
        self._augmentation = augmentation
        self._strengths = strengths
        self._seed = seed
        plan = BatchPlan(examples=len(encodings), batch_size=len(encodings), seed=seed)
        orders = [next(plan.batches(copy)) for copy in range(count)]
        self._examples = tf.constant(np.concatenate(orders))
        rows = [copy * len(encodings) + np.argsort(order) for copy, order in enumerate(orders)]
        self._rows = tf.constant(np.concatenate(rows))
        self._made = self._all_targets()

    def __len__(self) -> int:
        return self.count * len(self._encodings)

    def gather(self, index: tf.Tensor, length: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Model inputs and alignment; `index` is a batch that begins at a multiple of `prefix.BATCH`."""
        inputs, alignment, _ = self._changed(index)
        return inputs, alignment

    def digest(self) -> str:
        """sha256 of what the inputs depend on."""
        made = json.dumps([self._encodings.digest(), self._strengths, self.count, self._seed])
        return hashlib.sha256(made.encode()).hexdigest()

    def rows(self, examples: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """Where the copies of these examples for an epoch (int64) stand among all."""
        return tf.gather(self._rows, examples + (epoch % self.count) * len(self._encodings))

    def targets(self, rows: tf.Tensor) -> tf.Tensor:
        """Those of copies, as they were moved or mixed, aligned; in graph operations."""
        made = [tf.gather(tensor, rows) for tensor in self._made]
        return made[0] if len(made) == 1 else self._task.align(made[0], {"affine": made[1]})

    def _changed(self, index: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor], tf.Tensor]:
        examples = tf.gather(self._examples, index)
        inputs, alignment = self._encodings.gather(examples, tf.constant(0, tf.int64))
        targets = tf.gather(self._targets, examples)
        seed = tf.stack([tf.constant(self._seed, tf.int64), index[0]])
        return changed(self._augmentation, self._task, inputs, alignment, targets, seed)

    def _all_targets(self) -> list[tf.Tensor]:
        """Of all copies; behind those that are places, where each came from. No pixel is computed for it."""

        def find(index: tf.Tensor) -> list[tf.Tensor]:
            _, alignment, targets = self._changed(index)
            return [targets, alignment["affine"]] if self._task.placed else [targets]

        batch = tf.function(find, [tf.TensorSpec([None], tf.int64)], autograph=False)
        parts = [batch(tf.range(i, min(i + BATCH, len(self)), dtype=tf.int64)) for i in range(0, len(self), BATCH)]
        return [tf.concat(tensors, axis=0) for tensors in zip(*parts, strict=True)]


Inputs = Encodings | Views
"""What a frozen part can be computed for."""
