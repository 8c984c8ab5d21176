"""Examples from lists, dicts of columns, arrow tables and DataFrames."""

import sys
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from kerasft.data.examples import Examples, Locate
from kerasft.data.tables import columns_table, kind_of, plain_table, records_table
from kerasft.data.tf_data import read_tf_data
from kerasft.errors import DataError, UsageError

ACCEPTED = (
    "a path, a handle such as tfds://imdb_reviews#split=train, a list of dicts, of (text, label) or (image, label) "
    "pairs, or of texts, a dict of columns, a pandas DataFrame, a pyarrow Table or a tf.data.Dataset"
)


def read_object(source: Any) -> Examples:
    """Reads a Python object; `ACCEPTED` lists the kinds.

    Raises:
        UsageError: another kind of object.
        DataError: no examples, or columns that have no single type.
    """
    if isinstance(source, Examples):
        return source
    if isinstance(source, pa.Table):
        return Examples(plain_table(source, "pyarrow Table"), "pyarrow Table")
    if isinstance(source, Mapping):
        return _columns(source)
    if isinstance(source, list | tuple):
        return _list(source)
    if _is("pandas", "DataFrame", source):
        return _data_frame(source)
    if _is("tensorflow", "data.Dataset", source):
        return read_tf_data(source)
    raise UsageError(f"Cannot read examples from {type(source).__name__}: expected {ACCEPTED}.")


def _is(package: str, name: str, value: Any) -> bool:
    """Whether `value` is an instance of ``package.name``, without importing a package nobody has imported."""
    found: Any = sys.modules.get(package)
    for attribute in name.split("."):
        found = getattr(found, attribute, None)
    return found is not None and isinstance(value, found)


def _numbered(source: str) -> Locate:
    def locate(row: int) -> str:
        return f"{source} row {row + 1}"

    return locate


def _item(row: int) -> str:
    return f"list item {row + 1}"


def _columns(columns: Mapping[Any, Any]) -> Examples:
    name = "dict of columns"
    for column, values in columns.items():
        if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
            raise UsageError(f"Column {column!r} must be a sequence of values, not {kind_of(values)}.")
    locate = _numbered(name)
    return Examples(columns_table(columns, name, locate), name, locate=locate)


def _list(items: list | tuple) -> Examples:
    """Rows as dicts, pairs or bare texts; the first item tells which, and the others must agree."""
    if not items:
        raise DataError("The list holds no examples.")
    if isinstance(items[0], Mapping):
        table = records_table(_all(items, Mapping, "dict"), "list", _item)
    elif isinstance(items[0], str):
        table = columns_table({"text": _all(items, str, "text")}, "list", _item)
    else:
        pairs = _all(items, tuple | list, "(text, label) or (image, label) pair", length=2)
        name = "text" if isinstance(pairs[0][0], str) else "image"
        table = columns_table({name: [p[0] for p in pairs], "label": [p[1] for p in pairs]}, "list", _item)
    return Examples(table, "list", locate=_item)


def _all(items: list | tuple, kind: Any, words: str, length: int | None = None) -> list | tuple:
    """The items, refusing those that are not of the kind, or a pair."""
    problems = [
        f"{_item(row)}: {_shown(item)}"
        for row, item in enumerate(items)
        if not isinstance(item, kind) or (length is not None and len(item) != length)
    ]
    if problems:
        raise DataError(f"Every item of the list must be a {words}; these are not:", problems)
    return items


def _shown(item: Any) -> str:
    text = repr(item)
    return text if len(text) <= 60 else text[:60] + "…"


def _data_frame(frame: Any) -> Examples:
    """The columns of a DataFrame, missing values (None, NaN, NaT, NA) as null; its index is not a column."""
    name = "DataFrame"
    labels = [str(label) for label in frame.columns]
    series = [frame.iloc[:, position] for position in range(len(labels))]  # by position: labels may repeat
    if len(set(labels)) < len(labels):
        return Examples(plain_table(pa.table([pa.nulls(0)] * len(labels), labels), name), name)
    locate = _numbered(name)
    columns = {label: _series(values) for label, values in zip(labels, series, strict=True)}
    return Examples(columns_table(columns, name, locate), name, locate=locate)


def _series(series: Any) -> Any:
    if series.dtype == object:  # may mix types: checked as Python values
        return series.where(series.notna(), None).tolist()
    return pa.array(series, from_pandas=True)
