"""The classification task: which of its three modes to make, and what they share."""

import abc
import inspect
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from kerasft import Task
from kerasft.errors import UnknownNameError, UsageError


class PooledTask(Task):
    """A linear head with dropout on the pooled feature.

    Args:
        dropout: rate before the head while training, a fraction of 1.

    Raises:
        UsageError: `dropout` is not from 0 to below 1.
    """

    def __init__(self, *, dropout: float = 0.1):
        if not 0.0 <= dropout < 1.0:
            raise UsageError(f"dropout must be from 0 to below 1. Received: {dropout}")
        self.dropout = dropout

    @property
    @abc.abstractmethod
    def units(self) -> int:
        """Width of the logits."""

    def mix(self, targets: tf.Tensor, others: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        """Weighted means of targets of shape ``(batch, n)``."""
        share = tf.cast(weight, targets.dtype)[:, tf.newaxis]
        return share * targets + (1 - share) * others

    def head(self, features: Mapping[str, keras.KerasTensor]) -> keras.KerasTensor:
        """Logits of shape ``(batch, units)``, float32 under any precision policy.

        Raises:
            UsageError: the label space is not known yet.
        """
        if not self.units:
            raise UsageError("Classification needs its labels before a model can be built: labels=['ham', 'spam'].")
        x = keras.layers.Dropout(self.dropout, name="head_dropout")(features["pooled"])
        return keras.layers.Dense(self.units, dtype="float32", name="logits")(x)


def create(*, mode: str = "single-label", **options: Any) -> PooledTask:
    """A classification task.

    Args:
        mode: ``"single-label"``, ``"multi-label"`` or ``"regression"``.
        options: of the mode's class.

    Raises:
        UnknownNameError: there is no such mode, or the mode has no such option.
    """
    from kerasft_classification.multi_label import MultiLabel
    from kerasft_classification.regression import Regression
    from kerasft_classification.single_label import SingleLabel

    modes = {"single-label": SingleLabel, "multi-label": MultiLabel, "regression": Regression}
    if mode not in modes:
        raise UnknownNameError("classification mode", mode, modes)
    known = inspect.signature(modes[mode]).parameters
    for name in options:
        if name not in known:
            raise UnknownNameError(f"option of {mode} classification", name, known)
    return modes[mode](**options)
