"""Label names as they stand in data, and their order."""

from collections.abc import Sequence
from typing import Any

from kerasft.errors import DataError
from kerasft.task import Where


def name(value: Any) -> str:
    """How a label is written in files, reports and the exported graph: ``3`` and ``"3"`` are the same label."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def ordered(names: set[str]) -> list[str]:
    """Numbers in numeric order, anything else alphabetically."""
    if all(item.lstrip("-").isdigit() for item in names):
        return sorted(names, key=int)
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
