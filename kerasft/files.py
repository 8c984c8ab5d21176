"""Writing files so that a reader never sees half of one."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasft.errors import KerasftError


@contextlib.contextmanager
def atomic(path: Path, suffix: str = "", reserve: int = 0) -> Iterator[Path]:
    """A temporary path beside `path`; what is written there takes its place on success and vanishes otherwise.

    Args:
        path: of the file.
        suffix: of the temporary path.
        reserve: bytes that must be free, for writers that cannot say in words when the disk is full.

    Raises:
        KerasftError: no permission, or no space left.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=suffix)
    except OSError as error:
        raise cannot_write(path, error) from error
    temporary = Path(name)
    try:
        try:
            if reserve and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle, 0, reserve)
                os.truncate(handle, 0)
        finally:
            os.close(handle)
        yield temporary
        temporary.chmod(0o644)  # mkstemp's 0600 would hide results from the user's group
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON atomically. Not-a-number is refused: JSON has no such value."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def cannot_write(path: Path, error: OSError) -> KerasftError:
    """The message for a failed write: which file, and the system's reason."""
    # What `mkdir(exist_ok=True)` says of a file in its way.
    reason = "Not a directory" if isinstance(error, FileExistsError) else error.strerror or error
    return KerasftError(f"Cannot write {path}: {reason}.")
