"""From handles to local paths: the cache first, then each source in its order."""

import difflib
import importlib
from collections.abc import Sequence
from pathlib import Path

from kerasft.assets.cache import cache_dir, fill, logger, lookup
from kerasft.assets.handle import Handle, parse
from kerasft.assets.network import offline_mode
from kerasft.assets.problems import SourceError, one_line
from kerasft.errors import AssetError, MissingExtraError

_ADVICE = {
    "hf": "set HF_ENDPOINT to a mirror of Hugging Face that you can reach",
    "pypi": "point pip at an index that you can reach (PIP_INDEX_URL or pip.conf)",
}


def resolve(handle: str, *, offline: bool | None = None) -> Path:
    """Local files for a handle: downloaded once, then taken from the cache without touching the network.

    Args:
        handle: see `kerasft.assets`.
        offline: never use the network; None asks the environment (``KERASFT_OFFLINE``).

    Returns:
        A directory, or a file when the handle names one.

    Raises:
        HandleError: malformed handle.
        AssetError: there is no such file, or the source did not give it; says why and what to do.
        CacheError: the cache cannot be written.
        MissingExtraError: the scheme needs a package that is not installed.
    """
    parsed = parse(handle)
    offline = offline_mode(offline)
    try:
        return _at_hand(parsed) or _fetch(parsed, offline)
    except SourceError as error:
        raise AssetError(f"Cannot get {handle}: {error}{_advice([parsed], offline)}") from error


def resolve_first(handles: Sequence[str], what: str) -> tuple[Path, str]:
    """Local files from the first source that answers.

    Sources already in the cache win, in their order, before any network is tried.

    Args:
        handles: sources of the same thing, best first.
        what: the thing, for messages, for example ``"bert/minilm-l6"``.

    Returns:
        The path and the handle that answered.

    Raises:
        AssetError: none did; one line for each says why.
        HandleError, CacheError: as in `resolve`.
    """
    parsed = {handle: parse(handle) for handle in handles}
    offline = offline_mode()
    reasons: dict[str, str] = {}
    for attempt in (_at_hand, lambda one: _fetch(one, offline)):
        for handle, one in parsed.items():
            try:
                if path := attempt(one):
                    return path, handle
            except (SourceError, MissingExtraError) as error:
                if handle not in reasons and handle != handles[-1] and not offline:
                    logger.info("Skipped %s: %s", one.text, one_line(error))
                reasons[handle] = one_line(error)
    lines = [f"  {handle}\n    {reason}" for handle, reason in reasons.items()]
    count = f"none of its {len(lines)} sources answered" if len(lines) > 1 else "its source did not answer"
    raise AssetError(
        "\n".join([f"Cannot get {what}: {count if lines else 'no source is named'}.", *lines])
        + _advice(list(parsed.values()), offline)
    )


def _at_hand(handle: Handle) -> Path | None:
    """The files if they are on this machine. Touches no network and writes nothing."""
    if handle.scheme == "local":
        return _local(handle)
    entry = lookup(handle)
    return entry.path if entry else None


def _fetch(handle: Handle, offline: bool) -> Path:
    if handle.scheme == "local":
        return _local(handle)
    if offline:
        raise SourceError("not in the cache, and KERASFT_OFFLINE forbids the network")
    return fill(handle, importlib.import_module(f"kerasft.assets.{handle.scheme}").fetch).path


def _local(handle: Handle) -> Path:
    path = Path(handle.name).expanduser().absolute()
    try:
        if not path.exists():
            near = difflib.get_close_matches(path.name, _names(path.parent), n=3, cutoff=0.6)
            hint = f"; beside it: {', '.join(near)}" if near else ""
            raise SourceError(f"there is no file or directory {path}{hint}")
        if handle.sha256:
            _check_pin(path, handle.sha256)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    return path


def _check_pin(path: Path, expected: str) -> None:
    from kerasft.assets.pypi import sha256_of

    if path.is_dir():
        raise SourceError(f"#sha256 pins one file, and {path} is a directory")
    if (received := sha256_of(path)) != expected:
        raise SourceError(f"its sha256 is not the pinned one: expected {expected}, found {received}")


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()] if folder.is_dir() else []


def _advice(handles: list[Handle], offline: bool) -> str:
    remote = {handle.scheme for handle in handles} - {"local"}
    if not remote:
        return ""
    if offline:
        return (
            f"\nThe cache is {cache_dir()}. Run once with a network and without KERASFT_OFFLINE, "
            "set KERASFT_CACHE to a cache that has it, or give a local directory (./dir)."
        )
    ways = [_ADVICE[scheme] for scheme in sorted(remote & set(_ADVICE))] + ["give a local directory (./dir)"]
    return "\nIf the network is the cause: " + ", or ".join(ways) + "."
