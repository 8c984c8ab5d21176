"""Cross-entropies of logits with label smoothing, focal weighting and class weights."""

from collections.abc import Sequence
from typing import Any

import keras

from kerasft.errors import UsageError


def check_shape(label_smoothing: float, focal_gamma: float) -> None:
    """Raises UsageError unless both are in range."""
    wrong = []
    if not 0.0 <= label_smoothing < 1.0:
        wrong.append(f"label_smoothing must be from 0 to below 1. Received: {label_smoothing}")
    if not 0.0 <= focal_gamma < float("inf"):
        wrong.append(f"focal_gamma must be 0 or above. Received: {focal_gamma}")
    if wrong:
        raise UsageError("\n".join(wrong))


def shares(targets: Any, labels: int, dtype: Any = "float32") -> Any:
    """Targets as the share of each label, of shape ``(batch, labels)``.

    Args:
        targets: indices of shape ``(batch,)``, or shares already, as of inputs that were mixed.
        labels: how many there are.
        dtype: of the result.
    """
    if len(targets.shape) == 2 and targets.shape[-1] == labels:
        return keras.ops.cast(targets, dtype)
    # A loss casts targets to its own type; indices come back exactly up to 2**24.
    return keras.ops.one_hot(keras.ops.cast(targets, "int32"), labels, dtype=dtype)


class SoftmaxLoss(keras.losses.Loss):
    """Cross-entropy against label indices, averaged over the batch.

    Args:
        weights: of each label; its examples count so many times. The average divides by the number of examples, as
            Keras's own ``class_weight`` does. Empty for 1.
        label_smoothing: share of the target that is spread over all labels.
        focal_gamma: factor ``(1 - p)**gamma`` on examples of probability p (Lin et al. 2017); 0 for none.
    """

    def __init__(self, weights: Sequence[float] = (), label_smoothing: float = 0.0, focal_gamma: float = 0.0):
        super().__init__(name="cross_entropy")
        self.weights = list(weights)
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses of shape ``(batch,)`` from targets and logits ``(batch, labels)``; targets are as in `shares`."""
        one_hot = shares(y_true, y_pred.shape[-1], y_pred.dtype)
        options = {"from_logits": True, "label_smoothing": self.label_smoothing}
        if self.focal_gamma:
            losses = keras.losses.categorical_focal_crossentropy(
                one_hot, y_pred, alpha=1.0, gamma=self.focal_gamma, **options
            )
        else:
            losses = keras.losses.categorical_crossentropy(one_hot, y_pred, **options)
        if self.weights:
            weights = keras.ops.convert_to_tensor(self.weights, losses.dtype)
            losses = losses * keras.ops.sum(one_hot * weights, axis=-1)
        return losses


class SigmoidLoss(keras.losses.Loss):
    """Binary cross-entropy of every label, averaged over labels and the batch.

    Args:
        label_smoothing: share of the target that is moved to one half.
        focal_gamma: as in `SoftmaxLoss`.
    """

    def __init__(self, label_smoothing: float = 0.0, focal_gamma: float = 0.0):
        super().__init__(name="binary_cross_entropy")
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses of shape ``(batch,)`` from 0/1 targets and logits, both ``(batch, labels)``."""
        options = {"from_logits": True, "label_smoothing": self.label_smoothing}
        if self.focal_gamma:
            return keras.losses.binary_focal_crossentropy(y_true, y_pred, gamma=self.focal_gamma, **options)
        return keras.losses.binary_crossentropy(y_true, y_pred, **options)
