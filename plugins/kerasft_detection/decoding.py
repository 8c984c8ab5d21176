"""Answers of anchors to boxes in pixels of the original image, in graph operations."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from kerasft_detection import anchors

MOST = 100
"""Boxes of an image, as COCO counts them."""


class Surest(NamedTuple):
    """Boxes in pixels of the model's image, the surest first: ``corners`` ``(batch, 100, 4)`` as x_min, y_min, x_max,
    y_max, ``label`` (int32) and ``score`` ``(batch, 100)``, and how many there are, ``count`` ``(batch,)``."""

    corners: tf.Tensor
    label: tf.Tensor
    score: tf.Tensor
    count: tf.Tensor


def surest(
    answers: tf.Tensor, grid: tf.Tensor, image: tuple[int, int], labels: int, *, score: float, overlap: float
) -> Surest:
    """The surest boxes of each image, label by label without those that overlap a surer one.

    Args:
        answers: ``(batch, anchors, labels + 4)``.
        grid: the anchors.
        image: height and width of the model's image.
        labels: how many.
        score: least probability.
        overlap: most intersection over union with a surer box of the same label.
    """
    limit = tf.constant([image[1], image[0]] * 2, tf.float32)
    corners = tf.clip_by_value(anchors.decode(grid[tf.newaxis], answers[..., labels:]), 0.0, limit)
    # The operation takes y before x.
    found, scores, kinds, valid = tf.image.combined_non_max_suppression(
        tf.gather(corners, [1, 0, 3, 2], axis=-1)[:, :, tf.newaxis],
        tf.sigmoid(answers[..., :labels]),
        max_output_size_per_class=MOST,
        max_total_size=MOST,
        iou_threshold=overlap,
        score_threshold=score,
        clip_boxes=False,
    )
    return Surest(tf.gather(found, [1, 0, 3, 2], axis=-1), tf.cast(kinds, tf.int32), scores, valid)


def original(found: Surest, affine: tf.Tensor, labels: Sequence[str]) -> dict[str, tf.Tensor]:
    """The boxes in pixels of the original images, with the names of their labels; `affine` is from there to here."""
    scale = tf.gather(affine, [1, 0, 1, 0], axis=1)[:, tf.newaxis]
    offset = tf.gather(affine, [3, 2, 3, 2], axis=1)[:, tf.newaxis]
    there = tf.sequence_mask(found.count, MOST)
    return {
        "boxes": tf.where(there[..., tf.newaxis], (found.corners - offset) / scale, 0.0),
        "label": tf.where(there, tf.gather(tf.constant(list(labels)), found.label), ""),
        "score": found.score,
        "count": found.count,
    }
