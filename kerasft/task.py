"""What a task factory returns: the label space, targets, head, loss, metrics, decoding, and what a report shows.

A task never asks which backbone it sits on.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

Where = Callable[[int], str]
"""Names example `i` for a message: ``"news.csv:12"``."""


class Table(NamedTuple):
    """A table of a report; cells are strings or numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class Mistake(NamedTuple):
    """A prediction worth looking at: the example's position, how wrong (any scale), and a short description."""

    example: int
    badness: float
    what: str


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a task says about predictions on labelled data.

    Args:
        metrics: figures by name; rates are fractions of 1.
        intervals: 95 % intervals of some of them, ``(low, high)``.
        tables: shown in order, in the terminal and in the HTML report.
        confusion: ``(labels, counts)`` with ``counts[true][predicted]``, or None.
        mistakes: worst first.
    """

    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    confusion: tuple[Sequence[str], Sequence[Sequence[int]]] | None = None
    mistakes: Sequence[Mistake] = ()


class Task(abc.ABC):
    """Base of every task. The constructor takes keyword options; `get_config` returns them with what was learned."""

    target_names: ClassVar[tuple[str, ...]] = ()
    """Column names, in lower case, by which the target column is recognised."""

    missing_targets: ClassVar[bool] = False
    """Whether a missing or blank target has a meaning, such as "no label"; otherwise it is an error."""

    @property
    @abc.abstractmethod
    def monitor(self) -> tuple[str, str]:
        """Metric that chooses the best epoch, and ``"max"`` or ``"min"``; for example ``("val_accuracy", "max")``."""

    @abc.abstractmethod
    def get_config(self) -> dict[str, Any]:
        """JSON-ready arguments that make this task again, label space included."""

    def strata(self, targets: Sequence[Any]) -> Sequence[Any] | None:
        """What a split should keep in proportion; None for a plain random split."""
        return None

    @abc.abstractmethod
    def adapt(self, targets: Sequence[Any], where: Where) -> None:
        """Learns the label space from the training targets.

        Raises:
            DataError: they cannot be learned from; all problems are listed.
        """

    @abc.abstractmethod
    def encode(self, targets: Sequence[Any], where: Where) -> "np.ndarray":
        """Targets as numbers, one row per example.

        Raises:
            DataError: targets outside the label space; all of them are listed.
        """

    def align(self, targets: "tf.Tensor", alignment: "Mapping[str, tf.Tensor]") -> "tf.Tensor":
        """A batch of encoded targets in the layout of the model's output, in graph operations."""
        return targets

    @abc.abstractmethod
    def head(self, features: "Mapping[str, keras.KerasTensor]") -> "keras.KerasTensor":
        """Logits (float32) from the features this task requires."""

    @abc.abstractmethod
    def loss(self) -> "keras.losses.Loss":
        """The loss of logits against aligned targets."""

    @abc.abstractmethod
    def metrics(self) -> "list[keras.metrics.Metric]":
        """Metrics shown while training."""

    @abc.abstractmethod
    def decode(self, logits: "tf.Tensor", alignment: "Mapping[str, tf.Tensor]") -> "dict[str, tf.Tensor]":
        """Answers by name, each of shape ``(batch, …)``, in graph operations: prediction and serving return these."""

    @abc.abstractmethod
    def evaluate(self, targets: "np.ndarray", answers: "Mapping[str, np.ndarray]") -> Evaluation:
        """Compares encoded targets with decoded answers."""
