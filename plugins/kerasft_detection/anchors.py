"""Anchors and what they should answer: RetinaNet's way (Lin et al. 2017, "Focal Loss for Dense Object Detection",
section 4).

Graph operations on boxes ``x_min, y_min, x_max, y_max`` in pixels of the model's image.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

RATIOS = (0.5, 1.0, 2.0)  # height to width
SIZES = 3  # for each level
BACKGROUND, IGNORED = -1.0, -2.0
_POSITIVE, _NEGATIVE = 0.5, 0.4  # intersection over union
_VARIANCE = np.array([0.1, 0.1, 0.2, 0.2], np.float32)
_LEAST_VISIBLE = 0.25  # of a box that is cut by augmentation


def sizes(shares: Sequence[float], levels: int) -> list[float]:
    """Sides of square anchors, as fractions of the image's: spread evenly, by factors, over those of the boxes.

    Args:
        shares: of boxes, see `locate.Box`.
        levels: of the pyramid; each has `SIZES` of them.
    """
    low, high = np.quantile(np.asarray(shares), (0.02, 0.98))
    low, high = max(float(low), 1e-3), max(float(high), 2e-3)
    if high < 2 * low:  # all alike
        low, high = low / np.sqrt(2), high * np.sqrt(2)
    return [round(float(size), 5) for size in np.geomspace(low, high, levels * SIZES)]


def grid(shapes: Sequence[tuple[int, int]], image: tuple[int, int], shares: Sequence[float]) -> np.ndarray:
    """All anchors, float32 of shape ``(anchors, 4)``: level by level, row by row, place by place.

    Args:
        shapes: height and width of each level.
        image: of the model's image, in pixels.
        shares: from `sizes`.
    """
    side = float(np.sqrt(image[0] * image[1]))
    found = []
    for level, (height, width) in enumerate(shapes):
        y, x = np.meshgrid((np.arange(height) + 0.5) * image[0] / height, (np.arange(width) + 0.5) * image[1] / width,
                           indexing="ij")  # fmt: skip
        middle = np.stack([x, y], axis=-1)[:, :, np.newaxis]
        own = [share * side for share in shares[level * SIZES : (level + 1) * SIZES]]
        half = np.array([(s / np.sqrt(r) / 2, s * np.sqrt(r) / 2) for s in own for r in RATIOS])
        found.append(np.concatenate([middle - half, middle + half], axis=-1).reshape(-1, 4))
    return np.concatenate(found).astype(np.float32)


def placed(
    boxes: tf.RaggedTensor, affine: tf.Tensor | tf.RaggedTensor, image: tuple[int, int]
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Boxes of original images as those of the model's.

    Args:
        boxes: ragged ``(batch, boxes, 6)``: corners, label, whether it is ignored.
        affine: ``(batch, 4)``, or ragged ``(batch, boxes, 4)``: scale_y, scale_x, offset_y, offset_x; negative scales
            mirror.
        image: height and width of the model's image.

    Returns:
        Corners ``(batch, most, 4)``, labels ``(batch, most)`` with `BACKGROUND` for none and `IGNORED` for ignored
        ones, and whether there is a box.
    """
    dense = boxes.to_tensor(shape=[None, None, 6])
    there = tf.sequence_mask(boxes.row_lengths(), tf.shape(dense)[1])
    ragged = isinstance(affine, tf.RaggedTensor)
    of_boxes = affine.to_tensor(shape=[None, None, 4]) if ragged else affine[:, tf.newaxis]
    scale = tf.gather(of_boxes, [1, 0, 1, 0], axis=2)
    offset = tf.gather(of_boxes, [3, 2, 3, 2], axis=2)
    corners = dense[..., :4] * scale + offset
    low = tf.minimum(corners[..., :2], corners[..., 2:])
    high = tf.maximum(corners[..., :2], corners[..., 2:])
    limit = tf.constant([image[1], image[0]], tf.float32)
    seen = tf.concat([tf.clip_by_value(low, 0.0, limit), tf.clip_by_value(high, 0.0, limit)], axis=-1)
    visible = _area(seen) >= _LEAST_VISIBLE * tf.maximum(_area(tf.concat([low, high], axis=-1)), 1e-6)
    there &= visible & (_area(seen) > 1.0)
    labels = tf.where(dense[..., 5] > 0, IGNORED, dense[..., 4])
    return seen, tf.where(there, labels, BACKGROUND), there


def assign(anchors: tf.Tensor, corners: tf.Tensor, labels: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
    """What each anchor should answer: ``(batch, anchors, 5)``, its label and the four numbers of its box.

    An anchor belongs to the box that it overlaps most, by half or more; the anchor that overlaps a box most belongs to
    it however little that is. Anchors that overlap boxes by less than 0.4 are background, the others are ignored.
    """
    overlap = tf.where(there[:, tf.newaxis], intersection_over_union(anchors[tf.newaxis], corners), -1.0)
    overlap = tf.pad(overlap, [[0, 0], [0, 0], [0, 1]], constant_values=0.0)  # background, so that there always is one
    labels = tf.pad(labels, [[0, 0], [0, 1]], constant_values=BACKGROUND)
    corners = tf.pad(corners, [[0, 0], [0, 1], [0, 0]], constant_values=1.0)
    best = tf.argmax(overlap, axis=-1, output_type=tf.int32)
    most = tf.reduce_max(overlap, axis=-1)
    # The anchors that overlap a box most are its own.
    real = tf.pad(there, [[0, 0], [0, 1]])
    top = tf.reduce_max(overlap, axis=1, keepdims=True)
    forced = (overlap >= top - 1e-4) & (overlap > 0.05) & real[:, tf.newaxis]
    is_forced = tf.reduce_any(forced, axis=-1)
    best = tf.where(is_forced, tf.argmax(tf.cast(forced, tf.float32) * (1 + overlap), -1, output_type=tf.int32), best)
    own = tf.gather(labels, best, batch_dims=1)
    label = tf.where(is_forced | (most >= _POSITIVE), own, tf.where(most >= _NEGATIVE, IGNORED, BACKGROUND))
    deltas = encode(anchors[tf.newaxis], tf.gather(corners, best, batch_dims=1))
    return tf.concat([label[..., tf.newaxis], tf.where(label[..., tf.newaxis] >= 0, deltas, 0.0)], axis=-1)


def intersection_over_union(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Of boxes ``(batch, a, 4)`` and ``(batch, b, 4)``: ``(batch, a, b)``."""
    both = _common(one, other)
    return tf.math.divide_no_nan(both, _area(one)[:, :, tf.newaxis] + _area(other)[:, tf.newaxis] - both)


def share_inside(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """The part of each box ``(batch, a, 4)`` that lies in each of ``(batch, b, 4)``: ``(batch, a, b)``."""
    return tf.math.divide_no_nan(_common(one, other), _area(one)[:, :, tf.newaxis])


def _common(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    low = tf.maximum(one[:, :, tf.newaxis, :2], other[:, tf.newaxis, :, :2])
    high = tf.minimum(one[:, :, tf.newaxis, 2:], other[:, tf.newaxis, :, 2:])
    return tf.reduce_prod(tf.maximum(high - low, 0.0), axis=-1)


def encode(anchors: tf.Tensor, corners: tf.Tensor) -> tf.Tensor:
    """Boxes as seen from anchors: middle in sides of the anchor, logarithm of sides (Girshick et al. 2014)."""
    middle, side = _middle(anchors)
    middle_of, side_of = _middle(corners)
    found = tf.concat([(middle_of - middle) / side, tf.math.log(tf.maximum(side_of, 1.0) / side)], axis=-1)
    return found / _VARIANCE


def decode(anchors: tf.Tensor, deltas: tf.Tensor) -> tf.Tensor:
    """The inverse of `encode`."""
    middle, side = _middle(anchors)
    deltas = deltas * _VARIANCE
    middle = middle + deltas[..., :2] * side
    half = tf.exp(tf.minimum(deltas[..., 2:], 4.0)) * side / 2
    return tf.concat([middle - half, middle + half], axis=-1)


def _middle(corners: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return (corners[..., :2] + corners[..., 2:]) / 2, tf.maximum(corners[..., 2:] - corners[..., :2], 1e-3)


def _area(corners: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.maximum(corners[..., 2:] - corners[..., :2], 0.0), axis=-1)
