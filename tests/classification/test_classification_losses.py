"""Losses against formulas in numpy, and what their options refuse."""

import numpy as np
import pytest
from scipy.special import expit, log_softmax

from kerasft.errors import UnknownNameError, UsageError
from kerasft_classification.losses import SigmoidLoss, SoftmaxLoss
from kerasft_classification.task import create

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(7, 3)).astype(np.float32) * 3
TARGETS = np.array([0, 2, 1, 1, 0, 2, 2], np.int32)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("weights", [[], [1.0, 0.5, 4.0]])
def test_softmax_loss(smoothing: float, gamma: float, weights: list[float]) -> None:
    wanted = np.eye(3)[TARGETS] * (1 - smoothing) + smoothing / 3
    log_p = log_softmax(LOGITS.astype(np.float64), axis=1)
    losses = -(wanted * (1 - np.exp(log_p)) ** gamma * log_p).sum(axis=1)
    losses = losses * (np.array(weights)[TARGETS] if weights else 1.0)
    received = float(SoftmaxLoss(weights, smoothing, gamma)(TARGETS, LOGITS))
    assert received == pytest.approx(losses.mean(), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("gamma", [0.0, 1.5])
def test_sigmoid_loss(smoothing: float, gamma: float) -> None:
    targets = RANDOM.integers(0, 2, size=LOGITS.shape).astype(np.float32)
    wanted = targets * (1 - smoothing) + smoothing / 2
    p = expit(LOGITS.astype(np.float64))
    of_target = wanted * p + (1 - wanted) * (1 - p)
    losses = -(wanted * np.log(p) + (1 - wanted) * np.log(1 - p)) * (1 - of_target) ** gamma
    assert float(SigmoidLoss(smoothing, gamma)(targets, LOGITS)) == pytest.approx(losses.mean(), rel=1e-5)


def where(index: int) -> str:
    return f"row {index}"


def test_balanced_weights_are_learned_and_kept() -> None:
    task = create(class_weights="balanced")
    task.adapt(["ham"] * 6 + ["spam"] * 2, where)
    assert task.class_weights == {"ham": 8 / 12, "spam": 8 / 4}
    assert task.loss().weights == [8 / 12, 2.0]
    again = create(**task.get_config())
    assert again.loss().weights == task.loss().weights


def test_labels_without_a_weight_count_once() -> None:
    task = create(labels=["a", "b", "c"], class_weights={"b": 3})
    assert task.loss().weights == [1.0, 3.0, 1.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_weights": "balance"}, "class_weights is 'balanced', or numbers above 0 by label"),
        ({"class_weights": {"a": 0}}, "numbers above 0"),
        ({"class_weights": {"a": float("nan")}}, "numbers above 0"),
        ({"label_smoothing": 1.0}, "label_smoothing must be from 0 to below 1. Received: 1.0"),
        ({"focal_gamma": -1.0}, "focal_gamma must be 0 or above. Received: -1.0"),
        ({"mode": "multi-label", "label_smoothing": -0.1}, "label_smoothing must be"),
    ],
)
def test_options_out_of_range(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        create(labels=["a", "b"], **options)


def test_weights_that_no_label_has() -> None:
    with pytest.raises(UnknownNameError, match="label with a class weight named 'aa'"):
        create(labels=["a", "b"], class_weights={"aa": 2.0}).loss()
    with pytest.raises(UsageError, match="learned from training data"):
        create(labels=["a", "b"], class_weights="balanced").loss()
