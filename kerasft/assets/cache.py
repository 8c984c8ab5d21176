"""The cache: one directory per handle, complete or invisible.

Layout below ``<cache directory>/assets``::

    entries/<readable name>-<hash>/entry.json   handle, sha256, sizes, date, every file with its size
    entries/<readable name>-<hash>/files/       the data
    partial/<same name>/                        being filled; renamed into entries/ when complete
    locks/<same name>.lock                      held while an entry is filled or removed

``entry.json`` is written last and the rename is atomic, so nothing half-written is ever seen. A process that
dies frees its lock, and the next one to fetch that handle clears what it left in ``partial/``.
"""

import fnmatch
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kerasft.assets.handle import Handle, parse
from kerasft.assets.problems import CacheError, HandleError
from kerasft.errors import UnknownNameError

logger = logging.getLogger("kerasft.assets")
_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One handle in the cache.

    Args:
        handle: in its normal spelling, without ``#sha256``.
        path: the directory, or the file when the handle names one.
        bytes: size of its files.
        date: when it was downloaded, UTC, ISO 8601.
        resolved: the commit or version that a handle without one got; otherwise empty.
        sha256: of the wheel or single file that was downloaded; empty for directories from a hub.
    """

    handle: str
    path: Path
    bytes: int
    date: str
    resolved: str = ""
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What a source reports after it filled the directory of a new entry.

    Args:
        path: what the handle names, relative to that directory; empty for the directory itself.
        sha256: of the downloaded wheel or single file.
        download_bytes: what came over the network; 0 when unknown.
        skipped: files left out because they are no data.
        resolved: the commit or version that was found for a handle that left it open.
    """

    path: str = ""
    sha256: str = ""
    download_bytes: int = 0
    skipped: Sequence[str] = ()
    resolved: str = ""


Fetch = Callable[[Handle, Path, Path], Fetched]


def cache_dir() -> Path:
    """``KERASFT_CACHE``, or the user's cache directory of this system. It need not exist."""
    if chosen := os.environ.get("KERASFT_CACHE"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("kerasft", appauthor=False)


def entries() -> list[Entry]:
    """All complete entries, by handle."""
    folders = [_read(path) for path in _listed(_home() / "entries")]
    return sorted((entry for entry in folders if entry), key=lambda entry: entry.handle)


def remove(pattern: str) -> list[Entry]:
    """Deletes entries and returns them.

    Args:
        pattern: a handle, or a pattern over handles with ``*`` and ``?``, for example ``"pypi://*"``.

    Raises:
        UnknownNameError: no entry matches; the nearest handles are suggested.
        CacheError: the cache cannot be written.
    """
    wanted = {pattern}
    with suppress(HandleError):
        wanted.add(parse(pattern).text)  # the spelling that entries are known by
    known = entries()
    found = [e for e in known if e.handle in wanted or fnmatch.fnmatchcase(e.handle, pattern)]
    if not found:
        raise UnknownNameError("cached asset", pattern, [entry.handle for entry in known])
    for entry in found:
        with _locked(_key(entry.handle)) as partial:
            _discard(_home() / "entries" / _key(entry.handle), partial)
    return found


def lookup(handle: Handle) -> Entry | None:
    """The entry for a handle if it is complete, undamaged, and has the handle's sha256. Writes nothing."""
    entry = _usable(handle)
    if entry is None and _folder(handle).is_dir():
        logger.warning("%s in the cache is damaged, or is not what its sha256 pins: not used", handle.text)
    return entry


def fill(handle: Handle, fetch: Fetch) -> Entry:
    """Fetches an entry, once even if several processes ask for it at the same time.

    Args:
        fetch: ``fetch(handle, work, files)`` puts data into the directory `files`, the rest into `work`.

    Raises:
        CacheError: the cache cannot be written or its disk is full.
        SourceError: what `fetch` raised. Nothing remains of the attempt.
    """
    with _locked(_key(handle.text)) as partial:
        if found := _usable(handle):  # another process fetched it while this one waited
            return found
        work, new = partial / "work", partial / "entry"
        work.mkdir(parents=True)
        (new / "files").mkdir(parents=True)
        fetched = fetch(handle, work, new / "files")
        about = _describe(handle, fetched, new / "files")
        (new / "entry.json").write_text(json.dumps(about, indent=1), "utf-8")
        _discard(_folder(handle), partial)  # a damaged or differently pinned predecessor
        _folder(handle).parent.mkdir(parents=True, exist_ok=True)
        new.rename(_folder(handle))
    entry = _read(_folder(handle))
    if entry is None:
        raise CacheError(cache_dir(), OSError(f"{handle.text} vanished right after it was written"))
    note = f", version {entry.resolved}" if entry.resolved else ""
    logger.info("Kept %.1f MB in %s%s", entry.bytes / 1e6, entry.path, note)
    return entry


def announce(handle: Handle, what: str) -> None:
    """Says that a download begins; sources call it once their server has answered."""
    logger.info("Downloading %s (%s) to %s", handle.text, what, cache_dir())


@contextmanager
def _locked(key: str) -> Iterator[Path]:
    """Holds the lock of one entry and gives a place for partial files, cleared before and after."""
    from filelock import FileLock, Timeout

    partial = _home() / "partial" / key
    try:
        (_home() / "locks").mkdir(parents=True, exist_ok=True)
        lock = FileLock(_home() / "locks" / f"{key}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.info("Waiting for another process that holds %s", lock.lock_file)
            lock.acquire()
        try:
            if partial.exists():
                shutil.rmtree(partial)  # left by a process that was killed
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            lock.release()
    except OSError as error:
        raise CacheError(cache_dir(), error) from error


def _discard(folder: Path, partial: Path) -> None:
    """Deletes an entry; renamed away first, so that no reader meets half of it."""
    if folder.exists():
        partial.mkdir(parents=True, exist_ok=True)
        folder.rename(partial / "old")
        shutil.rmtree(partial / "old")


def _describe(handle: Handle, fetched: Fetched, files: Path) -> dict[str, Any]:
    found = sorted(path for path in files.rglob("*") if path.is_file())
    sizes = {path.relative_to(files).as_posix(): path.stat().st_size for path in found}
    return {
        "format": _FORMAT,
        "handle": handle.text,
        "path": fetched.path,
        "resolved": fetched.resolved,
        "sha256": fetched.sha256,
        "download_bytes": fetched.download_bytes,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "bytes": sum(sizes.values()),
        "files": sizes,
        "skipped": list(fetched.skipped),
    }


def _read(folder: Path) -> Entry | None:
    """The entry in a folder, or None if there is none or a file of it is missing or has another size."""
    try:
        about = json.loads((folder / "entry.json").read_text("utf-8"))
        if about["format"] != _FORMAT:
            return None
        # Sizes catch files deleted by a cleaner, and files left empty by a power cut after the rename.
        for name, size in about["files"].items():
            if (folder / "files" / name).stat().st_size != size:
                raise ValueError(f"{name} has another size")
        return Entry(
            handle=about["handle"],
            path=folder / "files" / about["path"] if about["path"] else folder / "files",
            bytes=about["bytes"],
            date=about["date"],
            resolved=about["resolved"],
            sha256=about["sha256"],
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None
    except OSError as error:
        raise CacheError(cache_dir(), error) from error


def _usable(handle: Handle) -> Entry | None:
    entry = _read(_folder(handle))
    return entry if entry and handle.sha256 in ("", entry.sha256) else None


def _home() -> Path:
    return cache_dir() / "assets"


def _folder(handle: Handle) -> Path:
    return _home() / "entries" / _key(handle.text)


def _key(handle: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9._=-]+", "-", handle).strip("-.")[:80]
    return f"{readable}-{hashlib.sha256(handle.encode()).hexdigest()[:12]}"


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CacheError(cache_dir(), error) from error
