"""A name for the content of examples, for the record of a run."""

import hashlib
import json
from typing import Any

from kerasft.data.examples import Examples

_ROWS = 65536  # hashed at a time; part of the definition, since each slice is one JSON list


def fingerprint(examples: Examples) -> str:
    """SHA-256, as 64 hexadecimal digits, over the names and values of all columns and the order of the rows.

    The order of the columns, the file they came from, its format and how arrow stores them do not matter:
    equal values have equal fingerprints. (A number and its text differ: 1 is not "1".)
    """
    digest = hashlib.sha256()
    for name in sorted(examples.columns):
        digest.update(json.dumps(["column", name, len(examples)]).encode())
        column = examples.arrow(name)
        for start in range(0, len(examples), _ROWS):
            values = column.slice(start, _ROWS).to_pylist()
            digest.update(json.dumps(values, default=_plain, sort_keys=True).encode())
    return digest.hexdigest()


def _plain(value: Any) -> str:
    """What JSON has no word for: bytes in hexadecimal, dates and the like in their ISO form."""
    return value.hex() if isinstance(value, bytes) else str(value)
