"""Arrays with rows for each example, computed once, kept in memory-mapped files, and shared by runs.

Below the directory of the store::

    <sha256>/        an entry: its index, and one file per column (store_index.py)
    <sha256>.lock    held while the entry is checked, filled or removed; the system drops it with the process
    room.lock        held for the moment in which a run makes room for an entry and reserves it

An entry that is only half filled is a valid beginning, from which the next run goes on. An entry may be removed while
runs have it mapped: they keep its data until they end.
"""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from kerasft.assets.problems import DISK_FULL
from kerasft.engine import store_index
from kerasft.engine.store_index import LENGTHS, Column, Entry
from kerasft.errors import KerasftError

__all__ = ["LENGTHS", "Column", "Kept", "Store", "StoreError"]

_SPARE = 1_000_000  # bytes, for indexes and directories
_PATIENCE = 0.5  # seconds: another run may hold the lock only to see whether the entry is in use

Compute = Callable[[range], Mapping[str, np.ndarray]]


class Kept(NamedTuple):
    """What `Store.fetch` found or computed.

    Args:
        arrays: by column, of all examples in their order, those of ragged columns one behind the other. They are
            mapped from files and page-aligned. They may be written to, which changes no file.
        computed: examples that were computed now.
        note: one line that the user should know, or nothing.
    """

    arrays: Mapping[str, np.ndarray]
    computed: int
    note: str


class StoreError(KerasftError):
    """The store cannot be used; its message is one line, and the caller does without."""


class Store:
    """Entries in a directory, which is made when the first one is.

    Args:
        directory: may hold other things too.
        limit: bytes of all entries together; those that were not used for longest make room.
    """

    def __init__(self, directory: Path, limit: int):
        self.directory = directory
        self.limit = limit

    def fetch(
        self,
        key: Mapping[str, Any],
        columns: Sequence[Column],
        examples: int,
        *,
        shard: int,
        size: int,
        compute: Compute,
        tell: Callable[[str], None],
    ) -> Kept:
        """The arrays for a key. What is missing or damaged is computed; two runs that want the same compute it once.

        Args:
            key: JSON-ready; everything that the arrays depend on.
            columns: that `compute` returns; `LENGTHS` among them if one is ragged.
            examples: in all.
            shard: examples that are computed, written and recorded together.
            size: bytes that all arrays take at most.
            compute: gives the arrays of some examples, for one shard after the other. What it raises passes through,
                and finished shards stay.
            tell: hears at once that another run has to be waited for.

        Raises:
            StoreError: the directory or its disk cannot be used, or there is no room.
            ValueError: `columns` contradict themselves, or `compute` returned something else.
        """
        entry = Entry(self.directory, key, columns, examples, shard, size)
        if size > self.limit:
            raise StoreError(f"{_gb(size)} are more than the limit of {_gb(self.limit)}; nothing was computed.")
        with self._held(entry, tell) as waited:
            with self._disk(entry):
                why = entry.read()
                damaged = entry.damaged()
                missing = entry.missing()
                if damaged or missing or not entry.index.exists():
                    self._make_room(entry)
            computed, kept = self._fill(entry, damaged + missing, compute)
            with self._disk():
                os.utime(entry.index)
                arrays = entry.mapped()
        if damaged:
            why = f"{len(damaged)} of {len(entry.parts)} shards of the cache were damaged and were computed again"
            why += "" if kept else ", and then all others, because they had another number of rows"
        return Kept(arrays, computed, "; ".join(filter(None, (waited, why))))

    @contextmanager
    def _held(self, entry: Entry, tell: Callable[[str], None]) -> Iterator[str]:
        """Holds the lock of an entry; gives a note if another run had it."""
        note = ""
        with self._disk():
            self.directory.mkdir(parents=True, exist_ok=True)
            lock = FileLock(_lock_of(entry.directory))
            try:
                lock.acquire(timeout=_PATIENCE)
            except Timeout:
                tell("Waiting for another run that computes the same.")
                lock.acquire()
                note = "waited for another run that computed the same"
        try:
            yield note
        finally:
            lock.release()

    def _fill(self, entry: Entry, positions: Sequence[int], compute: Compute) -> tuple[int, bool]:
        """Computes shards; the number of examples computed, and whether the shards that were there could stay."""
        computed = 0
        for position in positions:
            part = entry.parts[position]
            arrays = entry.checked(part, compute(part))
            computed += len(part)
            with self._disk(entry):
                written = entry.write(position, arrays)
                if not written:
                    entry.clear()
                    entry.save()
            if not written:
                return computed + self._fill(entry, entry.missing(), compute)[0], False
        return computed, True

    def _make_room(self, entry: Entry) -> None:
        """Removes other entries as far as the limit and the disk need it, and reserves the room by writing the index.

        Raises:
            StoreError: there is not enough even so.
        """
        with FileLock(self.directory / "room.lock"):
            others = sorted((*store_index.usage(path), path) for path in self._entries() if path != entry.directory)
            taken = sum(size for _, size, _ in others)
            needed = max(entry.size - entry.present(), 0) + _SPARE
            # If nothing would help, nothing is removed.
            enough = self._free() + taken >= needed
            for _, size, path in others if enough else ():
                if taken + entry.size <= self.limit and self._free() >= needed:
                    break
                if _removed(path):
                    taken -= size
            if self._free() < needed:
                raise StoreError(
                    f"{_gb(needed)} are needed in {self.directory}, where {_gb(self._free())} are free; "
                    "nothing was computed."
                )
            if taken + entry.size > self.limit:
                raise StoreError(
                    f"{_gb(entry.size)} are needed in {self.directory}, and other runs are filling {_gb(taken)} of the "
                    f"limit of {_gb(self.limit)}; nothing was computed."
                )
            entry.save()

    def _entries(self) -> list[Path]:
        # Nothing else is ever removed, whatever directory this is.
        return [path for path in self.directory.iterdir() if re.fullmatch("[0-9a-f]{64}", path.name)]

    def _free(self) -> int:
        return shutil.disk_usage(self.directory).free

    @contextmanager
    def _disk(self, entry: Entry | None = None) -> Iterator[None]:
        """Puts errors of the file system into words. If the disk is full, `entry` is removed."""
        try:
            yield
        except (OSError, KerasftError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__  # that of files.write_json
            if not isinstance(cause, OSError):
                raise
            what = cause.strerror or str(cause)
            if cause.errno == errno.EEXIST:  # what `mkdir(exist_ok=True)` says of a file in its way
                what = "Not a directory"
            if cause.errno in DISK_FULL and entry:
                with suppress(OSError):
                    entry.clear()
                what += "; what was written of this is removed"
            raise StoreError(f"Cannot use {self.directory}: {what}.") from error


def _removed(directory: Path) -> bool:
    """Removes an entry unless somebody is at work on it."""
    lock = FileLock(_lock_of(directory))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    try:
        store_index.remove(directory)
    finally:
        lock.release()
    return True


def _lock_of(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.lock")  # never removed: a run may be waiting for it


def _gb(size: int) -> str:
    return f"{size / 1e9:.3g} GB"
