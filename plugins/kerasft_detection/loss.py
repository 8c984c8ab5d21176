"""Focal loss of labels and smooth L1 of boxes (Lin et al. 2017; Girshick 2015)."""

from typing import Any

import keras

from kerasft_detection.anchors import IGNORED

_ALPHA, _GAMMA, _BETA = 0.25, 2.0, 1 / 9


class DetectionLoss(keras.losses.Loss):
    """The sum of both, over all anchors of a batch, divided by the number of anchors that have a box.

    Args:
        labels: how many.
    """

    def __init__(self, labels: int):
        super().__init__(name="detection")
        self.labels = labels

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Of shape ``(batch,)``, whose mean is that quotient; see `Detection.align` and `head.build`."""
        ops = keras.ops
        y_true = y_true[:, : y_pred.shape[1]]  # the boxes behind are for the metric
        label, boxes = y_true[..., 0], y_true[..., 1:]
        one_hot = ops.one_hot(ops.cast(label, "int32"), self.labels, dtype=y_pred.dtype)
        looked_at = ops.cast(label != IGNORED, y_pred.dtype)
        positive = ops.cast(label >= 0, y_pred.dtype)
        focal = keras.losses.binary_focal_crossentropy(
            one_hot[..., None], y_pred[..., : self.labels, None], from_logits=True, alpha=_ALPHA, gamma=_GAMMA,
            apply_class_balancing=True,
        )  # fmt: skip
        off = ops.abs(boxes - y_pred[..., self.labels :])
        smooth = ops.sum(ops.where(off < _BETA, 0.5 * off**2 / _BETA, off - 0.5 * _BETA), axis=-1)
        of_images = ops.sum(ops.sum(focal, axis=-1) * looked_at + smooth * positive, axis=-1)
        return of_images * ops.cast(ops.shape(y_pred)[0], y_pred.dtype) / ops.maximum(ops.sum(positive), 1.0)
