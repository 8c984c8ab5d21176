"""Label names as they stand in data, and their order."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasft.errors import DataError, UsageError
from kerasft.task import Where

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


def unknown(rows: Sequence[tuple[int, str]], known: Sequence[str], where: Where) -> DataError:
    """The error for labels that were not in the training data."""
    return DataError(
        f"{len(rows)} rows have labels that the training data lacks (it has: {', '.join(known)}).",
        (f"{where(index)}: {label!r}" for index, label in rows),
    )
