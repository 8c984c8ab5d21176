"""``kaggle://user/model/framework/variation[/version]``: a Kaggle model, through `kagglehub`."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kerasft.assets.cache import Fetched, announce
from kerasft.assets.datafiles import is_model_file
from kerasft.assets.handle import Handle
from kerasft.assets.network import connection_problem, hub_timeout
from kerasft.assets.problems import SourceError, is_disk_error, one_line
from kerasft.assets.quiet import no_stdout


def fetch(handle: Handle, work: Path, files: Path) -> Fetched:
    """Downloads the model into `work` and moves its safe files (`datafiles.is_model_file`) to `files`.

    Raises:
        SourceError: no connection within `network.hub_timeout`; no such model, no permission, or no safe
            files in it.
        OSError: the disk is full or cannot be written.
    """
    import kagglehub
    from kagglehub.handle import parse_model_handle

    with no_stdout("kagglehub"), _kaggle_cache(work):
        name = f"{handle.name}/{handle.version}" if handle.version else handle.name
        try:
            # kagglehub sets no timeout for its first request: without this, dropped packets cost two minutes.
            if problem := connection_problem(parse_model_handle(name).to_url(), hub_timeout()):
                raise SourceError(problem)
            announce(handle, "its Keras, safetensors and vocabulary files")
            found = Path(kagglehub.model_download(name))
        except Exception as error:
            if isinstance(error, SourceError) or is_disk_error(error):
                raise
            whole = " ".join(str(error).split())  # the server's own words come last
            raise SourceError(f"{type(error).__name__}: {one_line(whole)}") from error
        skipped = _take(found, files, work)
    if not any(files.iterdir()):
        raise SourceError(f"the model has no safe files, only {', '.join(skipped[:5]) or 'none at all'}")
    # kagglehub's path ends in <variation>/<version>: so a handle without a version learns which one it got.
    resolved = found.name if not handle.version else ""
    return Fetched(skipped=tuple(skipped), resolved=resolved)


def _take(found: Path, files: Path, work: Path) -> list[str]:
    """Puts the safe files into `files`; returns the names of the others."""
    skipped = []
    for source in sorted(found.rglob("*")):
        name = source.relative_to(found).as_posix()
        if source.is_symlink() or (source.is_file() and not is_model_file(name)):
            skipped.append(name)
        elif source.is_file():
            (files / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_relative_to(work):
                source.rename(files / name)
            else:  # inside a Kaggle or Colab notebook, models are mounted read-only somewhere else
                shutil.copyfile(source, files / name)
    return skipped


@contextmanager
def _kaggle_cache(directory: Path) -> Iterator[None]:
    """Makes kagglehub download to `directory`. (Its `output_dir` option hides the version it found.)"""
    before = os.environ.get("KAGGLEHUB_CACHE")
    os.environ["KAGGLEHUB_CACHE"] = str(directory)
    try:
        yield
    finally:
        if before is None:
            del os.environ["KAGGLEHUB_CACHE"]
        else:
            os.environ["KAGGLEHUB_CACHE"] = before
