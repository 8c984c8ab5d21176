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
    with temporary_in(path.parent, path.name, suffix) as temporary:
        if reserve and hasattr(os, "posix_fallocate"):
            with temporary.open("rb+") as file:
                os.posix_fallocate(file.fileno(), 0, reserve)
                file.truncate(0)
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)


@contextlib.contextmanager
def temporary_in(directory: Path, name: str, suffix: str = "") -> Iterator[Path]:
    """An empty file that its writer renames to its final name; it vanishes otherwise.

    Args:
        directory: made if it does not exist.
        name: begins its temporary name, after a dot.
        suffix: ends its temporary name.

    Raises:
        KerasftError: no permission, or no space left.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle, found = tempfile.mkstemp(dir=directory, prefix=f".{name}.", suffix=suffix)
    except OSError as error:
        raise cannot_write(directory / name, error) from error
    temporary = Path(found)
    try:
        os.fchmod(handle, 0o644)  # mkstemp's 0600 would hide results from the user's group
        os.close(handle)
        yield temporary
    except OSError as error:
        raise cannot_write(directory / name, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Has a file, or the names in a directory, outlast a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_temporaries(directory: Path) -> None:
    """Removes what writers that were killed have left below `directory`."""
    for pattern in (".*.*", ".tmp*"):  # ours, and those of safetensors, which writes to a file of its own first
        for path in directory.rglob(pattern):
            if path.is_file():
                path.unlink(missing_ok=True)


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
