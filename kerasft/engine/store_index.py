"""One entry of the store: its arrays as raw files, and the index of the shards that are finished.

``index.json`` says what the entry is, who wrote it, and for each finished shard which examples and ragged rows it has,
and a CRC-32 over its bytes in all columns. ``<position>.bin`` are the columns, each shard behind the one before. What
lies behind the last shard of the index was being written when a process died, and counts for nothing. Whoever reads or
changes an entry holds its lock; files that others may have mapped are never made shorter.

CRC-32 was measured at three times the speed of SHA-256 on a processor that has instructions for SHA. It finds every
burst of up to 32 flipped bits, and lets one in four thousand million of other damages pass.
"""

import contextlib
import hashlib
import io
import json
import math
import mmap
import os
import shutil
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes  # noqa: F401  teaches numpy the names "bfloat16", "float8_e4m3fn" …
import numpy as np

import kerasft
from kerasft import files

LENGTHS = "lengths"
INDEX = "index.json"
_FORMAT = 1
_BLOCK = 1 << 20
# Python 3.11 to 3.12 do not name this flag of Linux. Without it, a file larger than the memory cannot be mapped
# copy-on-write, though hardly a page of it is ever copied.
_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One array of an entry.

    Args:
        name: any text.
        dtype: as numpy and ml_dtypes call it.
        shape: of one row.
        ragged: the column `LENGTHS` says how many rows each example has; otherwise it has one.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    ragged: bool = False

    @property
    def row_bytes(self) -> int:
        """The size of one row."""
        return np.dtype(self.dtype).itemsize * math.prod(self.shape)


class Shard(NamedTuple):
    """Examples ``start`` to ``stop``, which have the rows ``first`` to ``last`` of the ragged columns."""

    start: int
    stop: int
    first: int
    last: int
    crc32: int

    def rows(self, column: Column) -> tuple[int, int]:
        """The rows that this shard has in a column."""
        return (self.first, self.last) if column.ragged else (self.start, self.stop)


class Entry:
    """The arrays for one key, in the directory ``home/name``.

    Args:
        home: of the store.
        key: JSON-ready; what the arrays depend on.
        columns: of the entry.
        examples: in all.
        shard: examples per shard.
        size: bytes it takes at most when it is complete.
    """

    def __init__(
        self, home: Path, key: Mapping[str, Any], columns: Sequence[Column], examples: int, shard: int, size: int
    ):
        _check(columns)
        about = {"key": key, "columns": [asdict(c) for c in columns], "examples": examples, "shard": shard}
        text = json.dumps(about, sort_keys=True, allow_nan=False)
        self._about: dict[str, Any] = json.loads(text)  # as it will be read from the index: lists, not tuples
        self.name = hashlib.sha256(text.encode()).hexdigest()
        self.directory = home / self.name
        self.index = self.directory / INDEX
        self.columns, self.size, self.shards = columns, size, list[Shard]()
        self.parts = [range(start, min(start + shard, examples)) for start in range(0, examples, shard)]
        self._paths = [self.directory / f"{i}.bin" for i in range(len(columns))]

    def read(self) -> str:
        """Finds the shards that are finished. An entry that cannot be continued is removed; returns why, or nothing."""
        if not self.directory.exists():
            return ""
        files.remove_temporaries(self.directory)
        try:
            found = json.loads(self.index.read_text("utf-8"))
            if (found["format"], found["kerasft"]) != (_FORMAT, kerasft.__version__):
                why = f"the cache was from kerasft {found['kerasft']}: computed again"
            else:
                shards = [Shard(*numbers) for numbers in found["shards"]]
                if self._about == {name: found[name] for name in self._about} and self._fit(shards):
                    self.shards = shards
                    return ""
                raise ValueError("not the index of this entry")
        except FileNotFoundError:
            why = "the index of the cache was missing: computed again" if any(self.directory.glob("*.bin")) else ""
        except (ValueError, KeyError, TypeError):
            why = "the index of the cache was damaged: computed again"
        self.clear()
        return why

    def save(self) -> None:
        """Writes the index."""
        size = self.size if self.missing() else self.present()
        about = {"format": _FORMAT, "kerasft": kerasft.__version__, **self._about, "size": size, "shards": self.shards}
        files.write_json(self.index, about)

    def present(self) -> int:
        """The bytes of its files now."""
        return _bytes(self.directory)

    def clear(self) -> None:
        """Removes all files, and goes on with new ones."""
        self.shards = []
        remove(self.directory)

    def damaged(self) -> list[int]:
        """Reads all finished shards; the positions of those that are not as they were written."""
        block = memoryview(bytearray(_BLOCK))
        with contextlib.ExitStack() as opened:
            sources = [opened.enter_context(_read_or_nothing(path)) for path in self._paths]
            return [i for i, shard in enumerate(self.shards) if self._crc32(shard, sources, block) != shard.crc32]

    def missing(self) -> list[int]:
        """The positions of the shards that are not in the index."""
        return list(range(len(self.shards), len(self.parts)))

    def checked(self, part: range, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The arrays of some examples, by column.

        Raises:
            ValueError: they are not what the columns say.
        """
        if set(arrays) != (expected := {column.name for column in self.columns}):
            raise ValueError(f"Computed were the columns {sorted(arrays)}, expected were {sorted(expected)}")
        rows = len(part)
        for column in sorted(self.columns, key=lambda each: each.ragged):  # LENGTHS before those that depend on it
            array, dtype = arrays[column.name], np.dtype(column.dtype)
            if not isinstance(array, np.ndarray):
                raise ValueError(f"Column {column.name!r} came as {type(array).__name__}, expected was a numpy array")
            needed = (rows if column.ragged else len(part), *column.shape)
            if (array.dtype, array.shape) != (dtype, needed):
                came = f"{array.dtype} {array.shape}"
                raise ValueError(f"Column {column.name!r} came as {came}, expected was {dtype} {needed}")
            if column.name == LENGTHS:
                if (array < 0).any():
                    raise ValueError(f"Column {LENGTHS!r} came with {array.min()}, expected were no negative numbers")
                rows = int(array.sum())
        return [arrays[column.name] for column in self.columns]

    def write(self, position: int, arrays: Sequence[np.ndarray]) -> bool:
        """Writes a shard in its place, and then the index.

        Returns:
            False if it is one that was there before and has another number of rows now. Then nothing was written.
        """
        part, old = self.parts[position], position < len(self.shards)
        first = self.shards[position].first if old else self.shards[-1].last if self.shards else 0
        ragged = [len(array) for column, array in zip(self.columns, arrays, strict=True) if column.ragged]
        shard = Shard(part.start, part.stop, first, first + (ragged[0] if ragged else 0), 0)
        if old and self.shards[position].last != shard.last:
            return False
        crc32 = 0
        for path, column, array in zip(self._paths, self.columns, arrays, strict=True):
            data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            crc32 = zlib.crc32(data, crc32)
            path.touch()
            with path.open("r+b") as file:
                file.seek(shard.rows(column)[0] * column.row_bytes)
                file.write(data)
                if not old:
                    file.truncate()  # what a process that was killed has left behind; nobody has mapped that
                file.flush()
                os.fsync(file.fileno())
        self.shards[position : position + 1] = [shard._replace(crc32=crc32)]
        self.save()
        return True

    def mapped(self) -> dict[str, np.ndarray]:
        """The complete arrays by column. What is written to them stays in this process."""
        end = self.shards[-1] if self.shards else Shard(0, 0, 0, 0, 0)
        return {
            column.name: _map(path, np.dtype(column.dtype), (end.rows(column)[1], *column.shape))
            for path, column in zip(self._paths, self.columns, strict=True)
        }

    def _fit(self, shards: Sequence[Shard]) -> bool:
        """Whether these shards can be a beginning of this entry."""
        firsts = [0, *(shard.last for shard in shards)]
        return len(shards) <= len(self.parts) and all(
            all(type(number) is int for number in shard)
            and (shard.start, shard.stop, shard.first) == (part.start, part.stop, first)
            and shard.first <= shard.last
            for shard, part, first in zip(shards, self.parts, firsts, strict=False)
        )

    def _crc32(self, shard: Shard, sources: Sequence[io.FileIO | io.BytesIO], block: memoryview) -> int | None:
        crc32 = 0
        for column, source in zip(self.columns, sources, strict=True):
            start, stop = (row * column.row_bytes for row in shard.rows(column))
            try:
                source.seek(start)
                while start < stop:
                    count = source.readinto(block[: stop - start])
                    if not count:
                        return None
                    crc32 = zlib.crc32(block[:count], crc32)
                    start += count
            except OSError:  # a bad place on the disk
                return None
        return crc32


def remove(directory: Path) -> None:
    """Removes an entry."""
    (directory / INDEX).unlink(missing_ok=True)  # first, so that what is left by a kill is not taken for an entry
    if directory.exists():
        shutil.rmtree(directory)


def usage(directory: Path) -> tuple[float, int]:
    """When an entry was last used, and the bytes that it takes, or will take when it is complete."""
    used, size = 0.0, 0
    with contextlib.suppress(FileNotFoundError):  # whoever fills it may remove it
        size = _bytes(directory)
        used = (directory / INDEX).stat().st_mtime
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        about = json.loads((directory / INDEX).read_text("utf-8"))
        size = max(size, about["size"])
    return used, size


def _bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("*.bin"))


@contextlib.contextmanager
def _read_or_nothing(path: Path) -> Iterator[io.FileIO | io.BytesIO]:
    """An opened file; an empty one if there is none."""
    with path.open("rb", buffering=0) if path.exists() else io.BytesIO() as file:
        yield file


def _map(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    size = dtype.itemsize * math.prod(shape)
    if not size:  # the system maps no empty file
        return np.zeros(shape, dtype)
    with path.open("rb") as file:
        flags, access = mmap.MAP_PRIVATE | _NORESERVE, mmap.PROT_READ | mmap.PROT_WRITE
        return np.frombuffer(mmap.mmap(file.fileno(), size, flags=flags, prot=access), dtype).reshape(shape)


def _check(columns: Sequence[Column]) -> None:
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        raise ValueError(f"Columns of the same name: {names}")
    for column in columns:
        if np.dtype(column.dtype).hasobject:
            raise ValueError(f"Column {column.name!r} is of dtype {column.dtype}, which cannot be kept in a file")
        if column.name == LENGTHS and column != Column(name=LENGTHS, dtype="int64", shape=()):
            raise ValueError(f"Column {LENGTHS!r} must be of dtype int64 and shape (), not {column}")
        if column.ragged and LENGTHS not in names:
            raise ValueError(f"Column {column.name!r} is ragged; that needs a column {LENGTHS!r}")
