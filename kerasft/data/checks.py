"""Rows that cannot be learned from, all of them, with their place."""

import pyarrow as pa
import pyarrow.compute as pc

from kerasft.data.columns import is_text, is_words
from kerasft.data.examples import Examples


def check_text(examples: Examples, column: str) -> list[str]:
    """What is wrong with a column of texts, or of lists of words: one line for each row that is null or blank.

    Returns:
        Problems to put in a `kerasft.errors.DataError`, in the order of the rows; none when all is well.

    Raises:
        UnknownNameError: there is no such column.
    """
    values = examples.arrow(column)
    if pa.types.is_null(values.type):
        return [f"{examples.where(i)}: {column} is missing" for i in range(len(examples))]
    if is_words(values.type):
        return _missing_words(examples, column)
    if not is_text(values.type):
        return [f"column {column!r} of {examples.source} holds {values.type}, not text: {values[0].as_py()!r}"]
    return _missing_or_blank(examples, column, values)


def check_labels(examples: Examples, column: str) -> list[str]:
    """What is wrong with a target column of any type: one line for each row that is null, NaN or blank.

    Mixed types cannot occur: `kerasft.data.read` refuses them.

    Returns:
        Problems to put in a `kerasft.errors.DataError`, in the order of the rows; none when all is well.

    Raises:
        UnknownNameError: there is no such column.
    """
    values = examples.arrow(column)
    if is_text(values.type):
        return _missing_or_blank(examples, column, values)
    missing = pc.is_null(values, nan_is_null=pa.types.is_floating(values.type))
    return [f"{examples.where(i)}: {column} is missing" for i in _indices(missing)]


def _missing_or_blank(examples: Examples, column: str, values: pa.ChunkedArray) -> list[str]:
    blank = pc.equal(pc.utf8_trim_whitespace(values), "")
    problems = []
    for i in _indices(pc.fill_null(blank, True)):
        value = values[i].as_py()
        state = "missing" if value is None else f"blank: {value!r}"
        problems.append(f"{examples.where(i)}: {column} is {state}")
    return problems


def _missing_words(examples: Examples, column: str) -> list[str]:
    problems = []
    for i, words in enumerate(examples.column(column)):
        if not words:
            problems.append(f"{examples.where(i)}: {column} is {'missing' if words is None else 'empty'}")
        elif blank := [str(k) for k, word in enumerate(words, 1) if not (word or "").strip()]:
            problems.append(f"{examples.where(i)}: {column} is blank at {', '.join(blank)}")
    return problems


def _indices(mask: pa.ChunkedArray) -> list[int]:
    return pc.indices_nonzero(mask).to_pylist()
