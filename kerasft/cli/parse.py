"""Values of options."""

import json
from collections.abc import Iterable
from typing import Any

from kerasft.errors import UsageError


def part(value: str | None) -> Any:
    """``0.1`` is a fraction to hold out, ``none`` nothing, anything else a source."""
    if value is None or value.lower() == "none":
        return None
    try:
        return float(value)
    except ValueError:
        return value


def number(value: str, option: str) -> float | None:
    """A number, or None for ``none``.

    Raises:
        UsageError: neither.
    """
    if value.lower() == "none":
        return None
    try:
        return float(value)
    except ValueError:
        raise UsageError(f"{option} takes a number or none. Received: {value}") from None


def pairs(values: Iterable[str], option: str) -> dict[str, Any]:
    """``KEY=VALUE`` options; a value that reads as JSON is one, anything else is text.

    Raises:
        UsageError: there is no ``=``.
    """
    found = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} takes KEY=VALUE. Received: {value}")
        try:
            found[key] = json.loads(text)
        except ValueError:
            found[key] = text
    return found
