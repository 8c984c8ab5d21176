"""Python values to arrow columns, refusing what has no single type."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from kerasft.data.examples import Locate
from kerasft.data.images import encode
from kerasft.data.text_files import listing
from kerasft.errors import DataError

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (type(None), "null"),
    ((bool, np.bool_), "true/false"),  # before numbers: bool is an int
    ((int, float, np.integer, np.floating), "number"),
    (str, "text"),
    (bytes, "bytes"),
    (Mapping, "object"),
    ((list, tuple, np.ndarray), "list"),
)


def records_table(rows: Sequence[Mapping[str, Any]], source: str, locate: Locate) -> pa.Table:
    """One row per mapping; a key that a mapping lacks is null.

    Raises:
        DataError: a column has no single type.
    """
    names = dict.fromkeys(key for row in rows for key in row)
    return columns_table({name: [row.get(name) for row in rows] for name in names}, source, locate)


def columns_table(columns: Mapping[Any, Any], source: str, locate: Locate) -> pa.Table:
    """A table of columns given as arrow arrays, numpy arrays or sequences of Python values.

    Whole numbers and fractions in one column become fractions; any other mixture of types is refused.

    Raises:
        DataError: columns differ in length or a column has no single type; lists every such column.
    """
    lengths = {str(name): len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"The columns of {source} differ in length: {lengths}")
    arrays, problems = {}, []
    for name, values in columns.items():
        array, found = _array(str(name), values, locate)
        arrays[str(name)] = array
        problems += found
    if problems:
        raise DataError(f"{source} has columns that mix types or cannot be stored:", problems)
    return plain_table(pa.table(arrays), source)


def plain_table(table: pa.Table, source: str) -> pa.Table:
    """The table with dictionary-encoded columns decoded; all other types stay.

    Raises:
        DataError: two columns have the same name, or there is no row.
    """
    check_names(table.column_names, source)
    if table.num_rows == 0:
        raise DataError(f"{source} holds no examples.")
    for i, column_type in enumerate(table.schema.types):
        if pa.types.is_dictionary(column_type):
            table = table.set_column(i, table.column_names[i], table.column(i).cast(column_type.value_type))
    return table


def check_names(names: Sequence[str], where: str) -> None:
    """Refuses columns that cannot be told apart.

    Raises:
        DataError: lists every name that stands more than once, with its positions counted from 1.
    """
    positions: dict[str, list[str]] = {}
    for position, name in enumerate(names, 1):
        positions.setdefault(name, []).append(str(position))
    twice = [f"{name!r}: columns {', '.join(at)}" for name, at in positions.items() if len(at) > 1]
    if twice:
        raise DataError(f"{where}: column names must differ, these do not:", twice)


def kind_of(value: Any) -> str:
    """What a value is, in the words of a message: ``"text"``, ``"number"``, ``"list"``, …"""
    return next((kind for types, kind in _KINDS if isinstance(value, types)), type(value).__name__)


def mixed_kinds(name: str, values: Iterable[Any], locate: Locate) -> list[str]:
    """One line per kind of value when there is more than one in `values` (nulls aside), else nothing."""
    values = list(values)
    if len({kind_of(one) for one in _one_of_each_type(values)} - {"null"}) < 2:
        return []
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        rows.setdefault(kind_of(value), []).append(row)
    rows.pop("null", None)
    return [
        f"column {name!r}, {kind}: {listing([locate(row) for row in found[:10]], 10)}"
        + (f" and {len(found) - 10} more" if len(found) > 10 else "")
        for kind, found in sorted(rows.items(), key=lambda item: len(item[1]))
    ]


def _one_of_each_type(values: list[Any]) -> list[Any]:
    return list({type(value): value for value in values}.values())


def _array(name: str, values: Any, locate: Locate) -> tuple[Any, list[str]]:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values, []
    values = _pictures(values)
    values = values.tolist() if isinstance(values, np.ndarray) else list(values)
    problems = mixed_kinds(name, values, locate)
    if problems:
        return None, problems
    try:
        return pa.array(values), []
    except (pa.ArrowException, TypeError, OverflowError, UnicodeError) as error:
        return None, [f"column {name!r}, {_first_bad(values, locate)}{str(error).splitlines()[0]}"]


def _pictures(values: Any) -> Any:
    """Arrays of two or three dimensions are images, which a column holds as PNG files; anything else as it is."""
    first = next(iter(values), None)
    if not isinstance(first, np.ndarray) or first.ndim not in (2, 3):
        return values
    return [encode(value) if isinstance(value, np.ndarray) else value for value in values]


def _first_bad(values: list[Any], locate: Locate) -> str:
    """Names the row that arrow cannot take at all; nothing when only the rows together do not fit."""
    for row, value in enumerate(values):
        try:
            pa.array([value])
        except (pa.ArrowException, TypeError, OverflowError, UnicodeError):
            return f"{locate(row)}: "
    return ""
