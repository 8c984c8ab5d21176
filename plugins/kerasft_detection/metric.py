"""COCO's mean average precision while training, in graph operations."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from kerasft_detection import anchors
from kerasft_detection.decoding import Surest

_OVERLAPS = np.linspace(0.5, 0.95, 10, dtype=np.float32)
_RECALLS = np.linspace(0, 1, 101, dtype=np.float32)
_BINS = 1000  # of scores: answers are ranked by thousandths


class AveragePrecision(keras.metrics.Metric):
    """Mean over labels and overlaps from 0.5 to 0.95 of the precision, averaged over 101 recalls (Lin et al. 2014).

    Boxes are matched as pycocotools does it. Two things differ: answers whose scores differ by less than a thousandth
    have the same rank, and an ignored box may be taken for any label. What a report says is by pycocotools itself.

    Args:
        answers: the surest boxes of logits, see `kerasft_detection.decoding.surest`.
        anchors: rows of the targets before their boxes, see `Detection.align`.
        labels: how many.
    """

    def __init__(self, answers: Callable[[tf.Tensor], Surest], anchors: int, labels: int, name: str = "map"):
        super().__init__(name=name)
        self._answers = answers
        self._anchors = anchors
        self._labels = labels
        shape = (labels, _BINS, len(_OVERLAPS))
        self.right, self.wrong = (
            self.add_weight(name=kind, shape=shape, initializer="zeros") for kind in ("right", "wrong")
        )
        self.expected = self.add_weight(name="expected", shape=(labels,), initializer="zeros")

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: object = None) -> None:
        """Counts the answers of a batch by label, score, and whether they are right at each overlap."""
        label, corners = y_true[:, self._anchors :, 0], y_true[:, self._anchors :, 1:]
        found = self._answers(y_pred)
        right, wrong = _matched(found, label, corners)
        bins = tf.minimum(tf.cast(found.score * _BINS, tf.int32), _BINS - 1)
        place = tf.reshape(found.label * _BINS + bins, [-1])
        for total, some in ((self.right, right), (self.wrong, wrong)):
            flat = tf.reshape(tf.cast(some, tf.float32), [-1, len(_OVERLAPS)])
            sums = tf.math.unsorted_segment_sum(flat, place, self._labels * _BINS)
            total.assign_add(tf.reshape(sums, total.shape))
        kinds = tf.one_hot(tf.cast(label, tf.int32), self._labels)  # nothing for labels below 0
        self.expected.assign_add(tf.reduce_sum(kinds, axis=[0, 1]))

    def result(self) -> tf.Tensor:
        """From 0 to 1; 0 where there is nothing."""
        right, wrong = (
            tf.transpose(tf.cumsum(total.value, axis=1, reverse=True)[:, ::-1], [0, 2, 1])
            for total in (self.right, self.wrong)
        )
        expected = self.expected.value
        recall = tf.math.divide_no_nan(right, expected[:, tf.newaxis, tf.newaxis])
        precision = tf.math.divide_no_nan(right, right + wrong)
        # Of all answers down to this score or further.
        best = keras.ops.associative_scan(keras.ops.maximum, precision, reverse=True, axis=-1)
        best = tf.pad(best, [[0, 0], [0, 0], [0, 1]])  # recalls that are not reached
        flat = tf.reshape(recall, [-1, _BINS])
        wanted = tf.broadcast_to(_RECALLS, [tf.shape(flat)[0], len(_RECALLS)])
        index = tf.searchsorted(flat, wanted - 1e-6)
        of_labels = tf.reshape(tf.gather(tf.reshape(best, [-1, _BINS + 1]), index, batch_dims=1), [self._labels, -1])
        there = tf.cast(expected > 0, tf.float32)
        return tf.math.divide_no_nan(tf.reduce_sum(tf.reduce_mean(of_labels, axis=1) * there), tf.reduce_sum(there))


def _matched(found: Surest, label: tf.Tensor, corners: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Whether each answer is right, and whether it is wrong, bool of shape ``(batch, answers, overlaps)``.

    The surest first, each takes the box that it overlaps most of those that are free. What else lies in an ignored box
    is neither.
    """
    overlap = anchors.intersection_over_union(found.corners, corners)
    inside = anchors.share_inside(found.corners, corners)
    same = tf.cast(found.label, label.dtype)[:, :, tf.newaxis] == label[:, tf.newaxis]
    ignored = label == anchors.IGNORED
    spared = tf.reduce_any((inside[..., tf.newaxis] >= _OVERLAPS) & ignored[:, tf.newaxis, :, tf.newaxis], axis=2)
    most = tf.shape(label)[1]
    overlap = tf.pad(tf.where(same, overlap, 0.0), [[0, 0], [0, 0], [0, 1]])  # there always is one

    def take(state: tuple[tf.Tensor, tf.Tensor], overlap: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        taken, _ = state
        free = tf.where(taken, 0.0, overlap[..., tf.newaxis])
        hit = tf.reduce_max(free, axis=1) >= _OVERLAPS
        chosen = tf.one_hot(tf.argmax(free, axis=1), most + 1, axis=1, on_value=True, off_value=False, dtype=tf.bool)
        return taken | (chosen & hit[:, tf.newaxis]), hit

    count = tf.shape(label)[0]
    nothing = tf.zeros([count, most + 1, len(_OVERLAPS)], tf.bool), tf.zeros([count, len(_OVERLAPS)], tf.bool)
    _, hits = tf.scan(take, tf.transpose(overlap, [1, 0, 2]), initializer=nothing)
    right = tf.transpose(hits, [1, 0, 2])
    there = tf.sequence_mask(found.count, tf.shape(found.score)[1])[..., tf.newaxis]
    return right & there, ~right & ~spared & there
