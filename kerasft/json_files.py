"""The JSON files of a checkpoint."""

import json
from pathlib import Path
from typing import Any

from kerasft.errors import AssetError


def read(path: Path) -> dict[str, Any]:
    """The object that a file holds.

    Raises:
        AssetError: it is missing, is not JSON, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AssetError(f"{path} is missing.") from error
    except ValueError as error:
        raise AssetError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise AssetError(f"{path}: expected a JSON object. Received: {type(value).__name__}")
    return value


def read_fields(path: Path, value: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Fields of an object under new names.

    Args:
        path: where the object stands, for the message.
        value: the object.
        names: new name → name in the object.

    Raises:
        AssetError: some are missing: all of them are listed.
    """
    missing = [name for name in names.values() if name not in value]
    if missing:
        raise AssetError(f"{path} lacks {', '.join(missing)}.")
    return {new: value[name] for new, name in names.items()}
