"""``hf://org/repo[@revision][/path]``: a model repository of Hugging Face or the mirror ``HF_ENDPOINT``."""

import glob
import shutil
from pathlib import Path
from typing import Any

from kerasft.assets.cache import Fetched, announce
from kerasft.assets.datafiles import is_model_file, name_problem
from kerasft.assets.handle import Handle
from kerasft.assets.network import hub_timeout, within
from kerasft.assets.problems import SourceError, is_disk_error, one_line
from kerasft.assets.pypi import sha256_of


def fetch(handle: Handle, work: Path, files: Path) -> Fetched:
    """Downloads the safe files (`datafiles.is_model_file`) of one commit into `files` and checks them.

    A branch or tag becomes the commit it points to now, which is recorded. The folder structure is kept.

    Raises:
        SourceError: no answer within `network.hub_timeout`; no such repository, revision or file; a damaged
            file.
        OSError: the disk is full or cannot be written.
    """
    from huggingface_hub import snapshot_download

    info = _info(handle)
    wanted = _wanted(handle, info)
    size = sum(s.size or 0 for s in wanted.values())
    moved = "" if info.sha == handle.version else f"now commit {info.sha}, "
    announce(handle, f"{moved}{len(wanted)} files, {size / 1e6:.1f} MB")
    try:
        snapshot_download(
            handle.name,
            revision=info.sha,
            cache_dir=work,
            local_dir=files,
            allow_patterns=[glob.escape(name) for name in wanted],
        )
    except Exception as error:
        if is_disk_error(error):
            raise
        raise SourceError(f"the download broke off: {one_line(error)}") from error
    shutil.rmtree(files / ".cache", ignore_errors=True)  # notes the library keeps beside its downloads
    _check(wanted, files)
    single = handle.path if handle.path in wanted else ""
    digest = sha256_of(files / single) if single else ""
    if handle.sha256 and digest != handle.sha256:
        raise SourceError(
            "the download was removed because its sha256 is not the pinned one: "
            f"expected {handle.sha256}, received {digest}"
        )
    resolved = info.sha if info.sha != handle.version else ""
    return Fetched(path=handle.path, sha256=digest, download_bytes=size, resolved=resolved)


def _info(handle: Handle) -> Any:
    """The hub's description of the revision.

    Asked first, and without the library's retries: with a commit as revision they take 23 s to find out that
    there is no network. The commit it names is the one downloaded, even if the branch moves meanwhile.
    """
    from huggingface_hub import HfApi, errors

    seconds = hub_timeout()

    def ask() -> Any:
        return HfApi().model_info(handle.name, revision=handle.version, timeout=seconds, files_metadata=True)

    try:
        return within(seconds, ask)
    except errors.OfflineModeIsEnabled as error:
        raise SourceError("HF_HUB_OFFLINE is set") from error
    except errors.GatedRepoError as error:
        raise SourceError("the repository asks for consent: accept its terms, then set HF_TOKEN") from error
    except errors.RevisionNotFoundError as error:
        raise SourceError(f"the repository has no revision {handle.version!r}") from error
    except errors.RepositoryNotFoundError as error:
        raise SourceError("there is no such repository, or it is private (set HF_TOKEN)") from error
    except Exception as error:  # of whatever HTTP library this version of huggingface_hub stands on
        raise SourceError(f"the hub did not answer: {one_line(error)}") from error


def _wanted(handle: Handle, info: Any) -> dict[str, Any]:
    """The files to download, by name: all safe ones at or below the handle's path."""
    below = {s.rfilename: s for s in info.siblings or () if _is_below(s.rfilename, handle.path)}
    wanted = {name: s for name, s in below.items() if is_model_file(name)}
    if handle.path not in wanted:
        # transformers' TensorFlow weights: the numbers of model.safetensors in a layout nothing here reads.
        wanted = {name: s for name, s in wanted.items() if not name.endswith("tf_model.h5")}
    if unsafe := [name for name in wanted if name_problem(name)]:
        raise SourceError(f"unsafe file name {unsafe[0]!r}")
    if not wanted:
        other = f", only {', '.join(sorted(below)[:3])}" if below else ""
        raise SourceError(f"the repository has no safe model files at {handle.path or '/'!r}{other}")
    return wanted


def _is_below(name: str, path: str) -> bool:
    return not path or name == path or name.startswith(path + "/")


def _check(wanted: dict[str, Any], files: Path) -> None:
    for name, sibling in wanted.items():
        file = files / name
        if not file.is_file() or file.is_symlink():
            raise SourceError(f"{name} was not delivered")
        if sibling.size is not None and file.stat().st_size != sibling.size:
            raise SourceError(f"{name} was damaged in transit: {file.stat().st_size} of {sibling.size} bytes")
        if sibling.lfs and sha256_of(file) != sibling.lfs.sha256:
            raise SourceError(f"{name} was damaged in transit: its sha256 is not {sibling.lfs.sha256}")
