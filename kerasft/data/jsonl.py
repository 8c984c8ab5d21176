"""JSON Lines (jsonlines.org), also called NDJSON: one JSON object per line."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.data.examples import Examples
from kerasft.data.tables import kind_of, records_table
from kerasft.data.text_files import read_text
from kerasft.errors import DataError


def read_jsonl(path: Path, source: str, encoding: str) -> Examples:
    """Reads a JSON Lines file; a key that a line lacks is null, blank lines count but hold nothing.

    Raises:
        DataError: not decodable, empty, lines that are not JSON objects (all of them listed, with line and
            column), or a column of more than one type (the lines of each type listed).
    """
    text, notes = read_text(path, source, encoding)
    rows, lines, problems = [], [], []
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: it also splits at U+2028
        if not line.strip():
            continue
        try:
            rows.append(_object(line))
            lines.append(number)
        except _BadLineError as error:
            problems.append(f"{source}:{number}{error}")
    if problems:
        raise DataError(f"{source} has lines that are not JSON objects:", problems)
    if not rows:
        raise DataError(f"{source} is empty: expected one JSON object per line.")
    numbers = np.array(lines, np.int64)

    def locate(row: int) -> str:
        return f"{source}:{numbers[row]}"

    return Examples(records_table(rows, source, locate), source, notes, locate)


class _BadLineError(Exception):
    """What is wrong with a line, beginning with the column where one is known."""


def _object(line: str) -> dict[str, Any]:
    try:
        value = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        raise _BadLineError(f", column {error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise _BadLineError(f": {error}") from error
    if not isinstance(value, dict):
        raise _BadLineError(f": expected an object {{…}}, found {kind_of(value)}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; a key given twice would otherwise lose its first value in silence."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError(f"a key stands twice in one object: {', '.join(key for key, _ in pairs)}")
    return result


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)  # once: `json.loads` with a hook makes one per call
