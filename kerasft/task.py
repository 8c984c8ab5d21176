"""What a task factory returns: the label space, targets, head, loss, metrics, decoding, and what a report shows.

A task never asks which backbone it sits on.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from kerasft.errors import UsageError

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


class Curves(NamedTuple):
    """A plot of a report: points ``(x, y)`` from 0 to 1 of each line, by its label; the first eight are drawn."""

    title: str
    x: str
    y: str
    lines: Mapping[str, Sequence[tuple[float, float]]]


class Mark(NamedTuple):
    """A place in a text: from character `start` to before `end`, and what is there."""

    start: int
    end: int
    label: str


class Region(NamedTuple):
    """A box in an image, in its pixels from the upper left corner, and what is there."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float
    label: str


class Mistake(NamedTuple):
    """A prediction worth looking at: the example's position, how wrong (any scale), and a short description.

    `marks` are places in its text to show, in order and apart from each other.
    """

    example: int
    badness: float
    what: str
    marks: Sequence[Mark] = ()


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a task says about predictions on labelled data.

    Args:
        metrics: figures by name; rates are fractions of 1.
        intervals: 95 % intervals of some of them, ``(low, high)``.
        tables: shown in order, in the terminal and in the HTML report.
        curves: shown in order, in the HTML report.
        confusion: ``(labels, counts)`` with ``counts[true][predicted]``, or None.
        mistakes: worst first.
    """

    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    curves: Sequence[Curves] = ()
    confusion: tuple[Sequence[str], Sequence[Sequence[int]]] | None = None
    mistakes: Sequence[Mistake] = ()


class Task(abc.ABC):
    """Base of every task. The constructor takes keyword options; `get_config` returns them with what was learned."""

    target_names: ClassVar[tuple[str, ...]] = ()
    """Column names, in lower case, by which the target column is recognised."""

    missing_targets: ClassVar[bool] = False
    """Whether a missing or blank target has a meaning, such as "no label"; otherwise it is an error."""

    whole: ClassVar[bool] = False
    """Whether nothing of an input may be cut off: long texts come in overlapping windows, images uncropped."""

    placed: ClassVar[bool] = False
    """Whether targets are places in an image, which `align` finds by its ``affine``: augmentation moves them."""

    @property
    @abc.abstractmethod
    def monitor(self) -> tuple[str, str]:
        """Metric that chooses the best epoch, and ``"max"`` or ``"min"``; for example ``("val_accuracy", "max")``."""

    @abc.abstractmethod
    def get_config(self) -> dict[str, Any]:
        """JSON-ready arguments that make this task again, label space included."""

    def locate(
        self, inputs: Sequence[Any], targets: Sequence[Any], where: Where
    ) -> tuple[Sequence[Any], Sequence[str]]:
        """Targets that speak of places in the input, checked against it, and what is odd about them, one line each.

        Args:
            inputs: as they stand in the data: strings, or lists of words, which the model reads with blanks between
                them.
            targets: as they stand in the data.
            where: names an example.

        Raises:
            DataError: they do not fit their inputs; all problems are listed.
        """
        return targets, ()

    def counts(self, targets: Sequence[Any]) -> Mapping[str, int]:
        """How often each label stands in located targets; empty where there are no labels."""
        return {}

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
        """Targets as numbers, one row per example; or an object array with an array of any length for each.

        Raises:
            DataError: targets outside the label space; all of them are listed.
        """

    def alignment(self, raw: "tf.Tensor", alignment: "Mapping[str, tf.Tensor]") -> "Mapping[str, tf.Tensor]":
        """What `align` and `decode` need to know of the raw inputs, beside what the backbone says of them.

        In graph operations; computed once for each input. `raw` is of shape ``(inputs,)``, values of tokens of shape
        ``(rows, tokens)``, where a text may have several rows, see `decode`.
        """
        return alignment

    def align(self, targets: "tf.Tensor", alignment: "Mapping[str, tf.Tensor]") -> "tf.Tensor":
        """A batch of encoded targets in the layout of the model's output, in graph operations."""
        return targets

    def mix(self, targets: "tf.Tensor", others: "tf.Tensor", weight: "tf.Tensor") -> "tf.Tensor":
        """Targets of inputs that were mixed of two: `weight`, float32 of shape ``(batch,)``, is the first one's share.

        Raises:
            UsageError: a mixture of targets means nothing to this task.
        """
        raise UsageError("mixup and cutmix need a task whose targets can be mixed, as those of classification can.")

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
        """Answers by name, each of shape ``(inputs, …)``, in graph operations: prediction and serving return these.

        Args:
            logits: of the model.
            alignment: what `alignment` gave. With `whole`, where the backbone can, ``rows`` says which input
                each row of the logits belongs to, and ``owned``, 1 or 0 for each token, of several windows that have a
                token which one decides.

        Answers of which there are several per input are padded behind the last one, and an answer ``count`` says how
        many there are.
        """

    @abc.abstractmethod
    def evaluate(self, targets: "np.ndarray", answers: "Mapping[str, np.ndarray]") -> Evaluation:
        """Compares encoded targets with decoded answers."""

    def present(self, answer: Mapping[str, Any], raw: Any) -> dict[str, Any]:
        """An answer for one input, of plain Python values, as a user reads it."""
        return dict(answer)

    def marks(self, answer: Mapping[str, Any]) -> Sequence[Mark]:
        """Places in the text that an answer, as `present` gave it, speaks of: a terminal shows them in colour."""
        return ()

    def regions(self, answer: Mapping[str, Any]) -> Sequence[Region]:
        """Places in the image that an answer, as `present` gave it, speaks of: reports and ``--draw`` show them."""
        return ()

    def expected(self, target: Any) -> Sequence[Region]:
        """Places in the image that a located target speaks of."""
        return ()
