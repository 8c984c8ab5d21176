"""F1 of entities while training, in graph operations."""

from typing import Any

import keras
import tensorflow as tf

from kerasft_ner import entities
from kerasft_ner.labels import IGNORED


class EntityF1(keras.metrics.Metric):
    """F1 of entities, all labels together; one counts if its first word, last word and label are right.

    Args:
        width: of the labels in the logits.
    """

    def __init__(self, width: int, name: str = "f1"):
        super().__init__(name=name)
        self._width = width
        self.right, self.expected, self.found = (
            self.add_weight(name=kind, initializer="zeros") for kind in ("right", "expected", "found")
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts of a batch: labels ``(batch, tokens)``, logits ``(batch, tokens, labels)``."""
        truth = tf.cast(y_true, tf.int32)
        looked_at = truth != IGNORED
        rows = tf.cast(tf.where(looked_at)[:, 0], tf.int32)
        truth = tf.boolean_mask(truth, looked_at)
        predicted = tf.boolean_mask(tf.argmax(y_pred[..., : self._width], axis=-1, output_type=tf.int32), looked_at)
        one, other = entities.find(truth, rows), entities.find(predicted, rows)
        both = one.begins & other.begins & (one.last == other.last) & ((truth - 1) // 2 == (predicted - 1) // 2)
        for total, some in ((self.right, both), (self.expected, one.begins), (self.found, other.begins)):
            total.assign_add(tf.reduce_sum(tf.cast(some, total.dtype)))

    def result(self) -> Any:
        """From 0 to 1; 0 where there is nothing."""
        return tf.math.divide_no_nan(2 * self.right.value, self.expected.value + self.found.value)
