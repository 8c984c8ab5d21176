"""A number per input."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn import metrics as sklearn_metrics

from kerasft import Evaluation
from kerasft.errors import DataError, UsageError
from kerasft.task import Mistake, Where
from kerasft_classification.task import PooledTask


class Regression(PooledTask):
    """Mean squared error on standardised targets: the head learns ``(value - mean) / scale``.

    Args:
        mean, scale: of the training targets, in their unit; learned when scale is 0.
        dropout: rate before the head while training, a fraction of 1.
    """

    target_names = ("score", "value", "target", "rating", "label", "y")
    monitor = ("val_loss", "min")

    def __init__(self, *, mean: float = 0.0, scale: float = 0.0, dropout: float = 0.0):
        super().__init__(dropout=dropout)
        self.mean = mean
        self.scale = scale

    @property
    def units(self) -> int:
        """One."""
        return 1

    def get_config(self) -> dict[str, Any]:
        """Arguments for `create`."""
        return {"mode": "regression", "mean": self.mean, "scale": self.scale, "dropout": self.dropout}

    def adapt(self, targets: Sequence[Any], where: Where) -> None:
        """Learns mean and standard deviation of the training targets."""
        if self.scale:
            return
        values = _numbers(targets, where)
        self.mean, self.scale = float(values.mean()), float(values.std())
        if self.scale == 0.0:
            raise DataError(f"Every training target is {self.mean:g}: there is nothing to learn.")

    def encode(self, targets: Sequence[Any], where: Where) -> np.ndarray:
        """Standardised float32 of shape ``(examples, 1)``.

        Raises:
            UsageError: `scale` is neither given nor learned yet.
        """
        if not self.scale:
            raise UsageError("Regression needs the mean and scale of the training targets: mean=…, scale=….")
        return ((_numbers(targets, where) - self.mean) / self.scale).astype(np.float32)[:, np.newaxis]

    def loss(self) -> keras.losses.Loss:
        """Mean squared error."""
        return keras.losses.MeanSquaredError()

    def metrics(self) -> list[keras.metrics.Metric]:
        """Mean absolute error of the standardised target."""
        return [keras.metrics.MeanAbsoluteError(name="mae")]

    def decode(self, logits: tf.Tensor, alignment: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """``value`` of shape ``(batch,)`` in the unit of the data."""
        return {"value": logits[:, 0] * self.scale + self.mean}

    def evaluate(self, targets: np.ndarray, answers: Mapping[str, np.ndarray]) -> Evaluation:
        """Mean absolute error and root mean squared error in the unit of the data; R² if the targets differ."""
        truth = targets[:, 0].astype(np.float64) * self.scale + self.mean
        predicted = np.asarray(answers["value"], np.float64)
        errors = np.abs(predicted - truth)
        worst = sorted(range(len(errors)), key=lambda i: (-errors[i], i))
        metrics = {"mae": float(errors.mean()), "rmse": float(np.sqrt((errors**2).mean()))}
        if np.ptp(truth) > 0.0:
            metrics["r2"] = float(sklearn_metrics.r2_score(truth, predicted))
        return Evaluation(
            metrics=metrics,
            mistakes=[Mistake(i, float(errors[i]), f"{truth[i]:.4g}, predicted {predicted[i]:.4g}") for i in worst],
        )


def _numbers(targets: Sequence[Any], where: Where) -> np.ndarray:
    values, problems = np.zeros(len(targets)), []
    for i, target in enumerate(targets):
        try:
            values[i] = float(target)
        except (TypeError, ValueError):
            problems.append(f"{where(i)}: {target!r}")
            continue
        if not math.isfinite(values[i]):
            problems.append(f"{where(i)}: {target!r}")
    if problems:
        raise DataError(f"{len(problems)} regression targets are not finite numbers.", problems)
    return values
