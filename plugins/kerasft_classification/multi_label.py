"""Any number of labels per input."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn import metrics as sklearn_metrics

from kerasft import Evaluation, Table
from kerasft.errors import UsageError
from kerasft.task import Mistake, Where
from kerasft_classification import labels as label_names
from kerasft_classification.losses import SigmoidLoss, check_shape
from kerasft_classification.task import PooledTask


class MultiLabel(PooledTask):
    """One independent sigmoid per label.

    Targets are lists of labels, or strings with labels between separators (as CSV files have them). An empty list or
    string, or none at all, means no label.

    Args:
        labels: the label space in the order of the logits; learned from the training data when empty.
        separator: between the labels of one string.
        threshold: a label is predicted from this probability on.
        dropout: rate before the head while training, a fraction of 1.
        label_smoothing: share of the target that is moved to one half in training.
        focal_gamma: of the focal loss (Lin et al. 2017); 0 for plain cross-entropy.

    Raises:
        UsageError: `threshold` does not lie between 0 and 1, or another option is out of range.
    """

    target_names = ("labels", "label", "tags", "categories", "classes", "targets")
    missing_targets = True
    monitor = ("val_f1", "max")

    def __init__(
        self,
        *,
        labels: Sequence[str] = (),
        separator: str = ",",
        threshold: float = 0.5,
        dropout: float = 0.1,
        label_smoothing: float = 0.0,
        focal_gamma: float = 0.0,
    ):
        super().__init__(dropout=dropout)
        check_shape(label_smoothing, focal_gamma)
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma
        self.labels = label_names.given(labels)
        if not 0.0 < threshold < 1.0:
            raise UsageError(f"threshold must lie between 0 and 1. Received: {threshold}")
        self.separator = separator
        self.threshold = threshold

    @property
    def units(self) -> int:
        """One logit per label."""
        return len(self.labels)

    def get_config(self) -> dict[str, Any]:
        """Arguments for `create`."""
        return {
            "mode": "multi-label",
            "labels": self.labels,
            "separator": self.separator,
            "threshold": self.threshold,
            "dropout": self.dropout,
            "label_smoothing": self.label_smoothing,
            "focal_gamma": self.focal_gamma,
        }

    def counts(self, targets: Sequence[Any]) -> dict[str, int]:
        """Examples of each label, the most frequent first."""
        return dict(Counter(label for target in targets for label in self._split(target)).most_common())

    def adapt(self, targets: Sequence[Any], where: Where) -> None:
        """Takes the label space from the training data, unless it was given."""
        if not self.labels:
            self.labels = label_names.ordered({label for target in targets for label in self._split(target)})
        label_names.check_two_classes(self.labels)

    def encode(self, targets: Sequence[Any], where: Where) -> np.ndarray:
        """float32 of shape ``(examples, labels)``, 1 where a label holds."""
        position = {label: i for i, label in enumerate(self.labels)}
        encoded = np.zeros((len(targets), len(self.labels)), np.float32)
        outside = []
        for i, target in enumerate(targets):
            for label in self._split(target):
                if label in position:
                    encoded[i, position[label]] = 1.0
                else:
                    outside.append((i, label))
        if outside:
            raise label_names.unknown(outside, self.labels, where)
        return encoded

    def _split(self, target: Any) -> list[str]:
        if target is None:
            return []
        parts = target.split(self.separator) if isinstance(target, str) else target
        parts = parts if isinstance(parts, (list, tuple, np.ndarray)) else [parts]
        return [name for part in parts if (name := label_names.name(part).strip())]

    def loss(self) -> keras.losses.Loss:
        """Binary cross-entropy, averaged over labels; smoothed or focal as the options say."""
        return SigmoidLoss(self.label_smoothing, self.focal_gamma)

    def metrics(self) -> list[keras.metrics.Metric]:
        """Micro-averaged F1 at the threshold."""
        return [LogitF1(threshold=self.threshold, name="f1")]

    def decode(self, logits: tf.Tensor, alignment: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """``label``: the predicted labels joined by the separator, and ``score``: the highest probability, both of
        shape ``(batch,)``; ``probabilities`` of shape ``(batch, labels)``."""
        probabilities = tf.sigmoid(logits)
        chosen = tf.ragged.boolean_mask(
            tf.broadcast_to(tf.constant(self.labels), tf.shape(probabilities)),
            probabilities >= self.threshold,
        )
        label = tf.strings.reduce_join(chosen, axis=-1, separator=self.separator)
        return {
            "label": label,
            "score": tf.reduce_max(probabilities, axis=-1),
            "probabilities": probabilities,
        }

    def present(self, answer: Mapping[str, Any], raw: Any) -> dict[str, Any]:
        """Probabilities by label."""
        return {**answer, "probabilities": dict(zip(self.labels, answer["probabilities"], strict=True))}

    def evaluate(self, targets: np.ndarray, answers: Mapping[str, np.ndarray]) -> Evaluation:
        """Micro and macro F1, exact-match accuracy, and precision, recall and F1 per label."""
        probabilities = np.asarray(answers["probabilities"])
        predicted, truth = probabilities >= self.threshold, targets > 0.5
        precision, recall, f1, support = sklearn_metrics.precision_recall_fscore_support(
            truth, predicted, zero_division=0.0
        )
        errors = np.abs(probabilities - targets).max(axis=1)
        wrong = sorted(np.flatnonzero((predicted != truth).any(axis=1)), key=lambda i: (-errors[i], i))
        return Evaluation(
            metrics={
                "f1": float(sklearn_metrics.f1_score(truth, predicted, average="micro", zero_division=0.0)),
                "macro_f1": float(f1.mean()),
                "accuracy": float((predicted == truth).all(axis=1).mean()),
            },
            tables=[
                Table(
                    "Per label",
                    ("label", "precision", "recall", "f1", "examples"),
                    [
                        (label, float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
                        for i, label in enumerate(self.labels)
                    ],
                )
            ],
            mistakes=[
                Mistake(
                    int(i),
                    float(errors[i]),
                    f"{self._names(truth[i])}, predicted {self._names(predicted[i])}",
                )
                for i in wrong
            ],
        )

    def _names(self, row: np.ndarray) -> str:
        return "+".join(self.labels[i] for i in np.flatnonzero(row)) or "no label"


class LogitF1(keras.metrics.Metric):
    """Micro-averaged F1 of logits against 0/1 targets; `threshold` is a probability.

    Keras's F1Score takes probabilities only.
    """

    def __init__(self, threshold: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.logit = float(np.log(threshold) - np.log1p(-threshold))
        self.hits = self.add_weight(name="hits", initializer="zeros")
        self.positives = self.add_weight(name="positives", initializer="zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts true positives, and predicted plus actual positives."""
        truth = keras.ops.cast(y_true > 0.5, "float32")  # also of inputs that were mixed
        predicted = keras.ops.cast(y_pred >= self.logit, "float32")
        self.hits.assign_add(keras.ops.sum(truth * predicted))
        self.positives.assign_add(keras.ops.sum(truth) + keras.ops.sum(predicted))

    def result(self) -> Any:
        """2·TP / (predicted + actual), 0 when there is neither."""
        return 2.0 * self.hits / keras.ops.maximum(self.positives, 1.0)
