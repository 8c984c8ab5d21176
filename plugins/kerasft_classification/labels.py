"""Label names as they stand in data, and their order."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasft.errors import DataError, UnknownNameError, UsageError
from kerasft.task import Where

BALANCED = "balanced"

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def name(value: Any) -> str:
    """How a label is written in files, reports and the exported graph: ``3``, ``3.0`` and ``"3"`` are the same."""
    whole = isinstance(value, (float, np.floating)) and value.is_integer()
    return str(int(value)) if whole else str(value)


def given(labels: Sequence[Any]) -> list[str]:
    """A label space as the user gives it.

    Raises:
        UsageError: it is one string, or names a label more than once.
    """
    if isinstance(labels, str):
        raise UsageError(f"labels must be a list of labels. Received: {labels!r}")
    names = [name(label) for label in labels]
    if repeated := sorted(label for label, count in Counter(names).items() if count > 1):
        raise UsageError(f"labels must differ; more than once: {', '.join(map(repr, repeated))}")
    return names


def ordered(names: set[str]) -> list[str]:
    """Numbers in numeric order, anything else alphabetically."""
    if all(_NUMBER.fullmatch(item) for item in names):
        return sorted(names, key=lambda item: (float(item), item))
    return sorted(names)


def check_two_classes(found: Sequence[str]) -> None:
    """Raises DataError unless there is something to tell apart."""
    if len(found) < 2:
        raise DataError(f"Training needs at least two labels. Received: {', '.join(map(repr, found)) or 'none'} only.")


def given_weights(weights: Mapping[str, float] | str | None) -> dict[str, float] | str | None:
    """Weights of labels as the user gives them.

    Raises:
        UsageError: they are neither ``"balanced"`` nor numbers above 0 by label.
    """
    if weights is None or weights == BALANCED:
        return weights  # type: ignore[return-value]
    if not isinstance(weights, Mapping) or not all(
        isinstance(value, (int, float)) and 0 < value < float("inf") for value in weights.values()
    ):
        raise UsageError(f"class_weights is {BALANCED!r}, or numbers above 0 by label. Received: {weights!r}")
    return {name(label): float(value) for label, value in weights.items()}


def balanced(found: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """``examples / (labels * examples of the label)``, as scikit-learn has it; 1 for a label without examples."""
    counts = Counter(found)
    return {label: len(found) / (len(labels) * counts[label]) if counts[label] else 1.0 for label in labels}


def weights_in_order(weights: Mapping[str, float] | str | None, labels: Sequence[str]) -> list[float]:
    """Weights in the order of the labels; empty for none.

    Raises:
        UsageError: weights of labels that there are not, or that only training data could tell.
    """
    if weights is None:
        return []
    if isinstance(weights, str):
        raise UsageError(f"class_weights={weights!r} are learned from training data; give numbers by label.")
    for label in weights:
        if label not in labels:
            raise UnknownNameError("label with a class weight", label, labels)
    return [weights.get(label, 1.0) for label in labels]


def unknown(rows: Sequence[tuple[int, str]], known: Sequence[str], where: Where) -> DataError:
    """The error for labels that were not in the training data."""
    return DataError(
        f"{len(rows)} rows have labels that the training data lacks (it has: {', '.join(known)}).",
        (f"{where(index)}: {label!r}" for index, label in rows),
    )
