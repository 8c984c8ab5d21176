"""Exactly one label per input."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy import stats
from sklearn import metrics as sklearn_metrics

from kerasft import Evaluation, Table
from kerasft.task import Mistake, Where
from kerasft_classification import labels as label_names
from kerasft_classification.losses import SoftmaxLoss, check_shape, shares
from kerasft_classification.task import PooledTask


class SingleLabel(PooledTask):
    """Softmax classification.

    Args:
        labels: the label space in the order of the logits; learned from the training data when empty.
        dropout: rate before the head while training, a fraction of 1.
        class_weights: how much examples of each label count in training, by label (1 for those left out), or
            ``"balanced"`` for ``examples / (labels * examples of the label)``.
        label_smoothing: share of the target that is spread over all labels in training.
        focal_gamma: of the focal loss (Lin et al. 2017); 0 for plain cross-entropy.

    Raises:
        UsageError: an option is out of range.
    """

    target_names = ("label", "labels", "class", "category", "target", "y", "topic", "intent", "sentiment")
    monitor = ("val_accuracy", "max")

    def __init__(
        self,
        *,
        labels: Sequence[str] = (),
        dropout: float = 0.1,
        class_weights: Mapping[str, float] | str | None = None,
        label_smoothing: float = 0.0,
        focal_gamma: float = 0.0,
    ):
        super().__init__(dropout=dropout)
        self.labels = label_names.given(labels)
        check_shape(label_smoothing, focal_gamma)
        self.class_weights = label_names.given_weights(class_weights)
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma

    @property
    def units(self) -> int:
        """One logit per label."""
        return len(self.labels)

    def get_config(self) -> dict[str, Any]:
        """Arguments for `create`."""
        return {
            "mode": "single-label",
            "labels": self.labels,
            "dropout": self.dropout,
            "class_weights": self.class_weights,
            "label_smoothing": self.label_smoothing,
            "focal_gamma": self.focal_gamma,
        }

    def strata(self, targets: Sequence[Any]) -> list[str]:
        """The labels themselves."""
        return [label_names.name(target) for target in targets]

    def counts(self, targets: Sequence[Any]) -> dict[str, int]:
        """Examples of each label, the most frequent first."""
        return dict(Counter(self.strata(targets)).most_common())

    def adapt(self, targets: Sequence[Any], where: Where) -> None:
        """Takes the label space from the training data, unless it was given."""
        if not self.labels:
            self.labels = label_names.ordered(set(self.strata(targets)))
        label_names.check_two_classes(self.labels)
        if self.class_weights == label_names.BALANCED:
            self.class_weights = label_names.balanced(self.strata(targets), self.labels)
        label_names.weights_in_order(self.class_weights, self.labels)  # names a label that there is not

    def encode(self, targets: Sequence[Any], where: Where) -> np.ndarray:
        """int32 of shape ``(examples,)``."""
        position = {label: i for i, label in enumerate(self.labels)}
        found = self.strata(targets)
        outside = [(i, label) for i, label in enumerate(found) if label not in position]
        if outside:
            raise label_names.unknown(outside, self.labels, where)
        return np.array([position[label] for label in found], np.int32)

    def mix(self, targets: tf.Tensor, others: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        """Shares of labels, float32 of shape ``(batch, labels)``."""
        return super().mix(shares(targets, self.units), shares(others, self.units), weight)

    def loss(self) -> keras.losses.Loss:
        """Cross-entropy, smoothed, focal or weighted as the options say."""
        weights = label_names.weights_in_order(self.class_weights, self.labels)
        return SoftmaxLoss(weights, self.label_smoothing, self.focal_gamma)

    def metrics(self) -> list[keras.metrics.Metric]:
        """Accuracy."""
        return [keras.metrics.MeanMetricWrapper(_is_right, name="accuracy")]

    def decode(self, logits: tf.Tensor, alignment: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """``label`` and ``score`` of shape ``(batch,)``, ``probabilities`` of shape ``(batch, labels)``."""
        probabilities = tf.nn.softmax(logits)
        best = tf.argmax(probabilities, axis=-1)
        label = tf.gather(tf.constant(self.labels), best)
        return {
            "label": label,
            "score": tf.reduce_max(probabilities, axis=-1),
            "probabilities": probabilities,
        }

    def present(self, answer: Mapping[str, Any], raw: Any) -> dict[str, Any]:
        """Probabilities by label."""
        return {**answer, "probabilities": dict(zip(self.labels, answer["probabilities"], strict=True))}

    def evaluate(self, targets: np.ndarray, answers: Mapping[str, np.ndarray]) -> Evaluation:
        """Accuracy with a Wilson interval, macro F1, log loss, and precision, recall and F1 per label."""
        probabilities = np.asarray(answers["probabilities"], np.float64)
        predicted = probabilities.argmax(axis=1)
        right = predicted == targets
        every = np.arange(len(self.labels))
        precision, recall, f1, support = sklearn_metrics.precision_recall_fscore_support(
            targets, predicted, labels=every, zero_division=0.0
        )
        of_target = probabilities[np.arange(len(targets)), targets]
        interval = stats.binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
        wrong = sorted(np.flatnonzero(~right), key=lambda i: (of_target[i], i))
        return Evaluation(
            metrics={
                "accuracy": float(right.mean()),
                "f1": float(f1[support > 0].mean()),
                "loss": float(-np.log(np.maximum(of_target, 1e-12)).mean()),
            },
            intervals={"accuracy": (float(interval.low), float(interval.high))},
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
            confusion=(
                self.labels,
                sklearn_metrics.confusion_matrix(targets, predicted, labels=every).tolist(),
            ),
            mistakes=[
                Mistake(
                    int(i),
                    1.0 - float(of_target[i]),
                    f"{self.labels[targets[i]]}, predicted {self.labels[predicted[i]]} "
                    f"at {probabilities[i, predicted[i]]:.2f}",
                )
                for i in wrong
            ],
        )


def _is_right(y_true: Any, y_pred: Any) -> Any:
    """1 where the likeliest label is the one with the largest share of the target."""
    truth = keras.ops.argmax(shares(y_true, y_pred.shape[-1]), axis=-1)
    return keras.ops.cast(keras.ops.equal(truth, keras.ops.argmax(y_pred, axis=-1)), "float32")
