"""The run directory: what stands where, and nothing half-written.

config.json       arguments of `kerasft.finetune`, resolved; `kerasft finetune --config` repeats them
versions.json     exact versions of Python and every installed distribution
data.json         fingerprints, sizes, columns and duplicates of the data
task.json         the task's name and configuration, label space included
samples.json      a few inputs, to check exports with
backbone.json     backbone, options and source of the weights; files for rebuilding it are in backbone/
notes.json        what the user was told
status.json       running, finished, interrupted or failed
history.json      phases, metrics per epoch, and at some fifty steps
weights/          best.weights.h5 (Keras format, no code inside); adapters.safetensors, if there are any
checkpoints/      the last two, while it is not finished
report.json/.html what `evaluate` said about the test (or validation) data
"""

import contextlib
import hashlib
import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from kerasft import files
from kerasft.errors import RunError

_MARK = "config.json"


class RunDirectory:
    """Paths and records of one run.

    Args:
        path: the directory; need not exist.
        writes: whether this process does; of several workers only the chief.
    """

    def __init__(self, path: Path, writes: bool = True):
        self.path = path
        self.writes = writes

    @property
    def best_weights(self) -> Path:
        """Weights of the best epoch by the metric that is monitored."""
        return self.path / "weights" / "best.weights.h5"

    @property
    def adapters(self) -> Path:
        """Low-rank adapters of the best epoch, if there are any; they are merged in the best weights."""
        return self.path / "weights" / "adapters.safetensors"

    @property
    def checkpoints(self) -> Path:
        """What `kerasft resume` goes on from."""
        return self.path / "checkpoints"

    @property
    def backbone_files(self) -> Path:
        """What the backbone's factory needs to build it without weights."""
        return self.path / "backbone"

    def check(self, overwrite: bool) -> None:
        """Whether `create` would be allowed, before time is spent on anything else.

        Raises:
            RunError: it exists and is not empty, unless `overwrite` and it holds a run.
        """
        if not self.writes:
            return
        if not self.path.exists() or (self.path.is_dir() and not any(map(_is_content, self.path.iterdir()))):
            return
        if not self._is_run():
            raise RunError(f"{self.path} exists and is not a run; nothing was changed. Choose another --out.")
        if not overwrite:
            raise RunError(f"{self.path} already holds a run. Choose another --out, or replace it with --overwrite.")

    def create(self, overwrite: bool) -> None:
        """Makes an empty run directory.

        Raises:
            RunError: as `check`.
            KerasftError: it cannot be written.
        """
        self.check(overwrite)
        if not self.writes:
            return
        try:
            if self.path.exists():
                # Under another name, or a process killed here would leave something that is no run.
                old = self.path.rename(self.path.with_name(f".{self.path.name}.replaced"))
                shutil.rmtree(old)
            self.path.mkdir(parents=True)
        except OSError as error:
            raise files.cannot_write(self.path, error) from error

    def open(self) -> "RunDirectory":
        """Itself, if it holds a run.

        Raises:
            RunError: it does not.
        """
        if not self._is_run():
            damaged = (self.path / _MARK).exists()
            what = f"its {_MARK} is damaged or not" if damaged else f"it has no {_MARK}"
            raise RunError(f"{self.path} is not a run directory: {what} written by kerasft.")
        return self

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keeps other processes from training into this directory.

        Raises:
            RunError: one does already.
        """
        if not self.writes:
            yield
            return
        # Beside the directory, which --overwrite empties. The system drops it with the process, however that ends.
        path = self.path.resolve()  # the same lock by whatever name
        lock = FileLock(path.parent / f".{path.name}.lock", timeout=0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise RunError(f"Another process is training into {self.path}.") from error
        except OSError as error:
            raise files.cannot_write(self.path, error) from error
        try:
            yield
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)  # while it is still ours
            lock.release()

    def read(self, name: str) -> dict[str, Any]:
        """One JSON record.

        Raises:
            RunError: missing or damaged.
        """
        path = self.path / f"{name}.json"
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunError(f"{path} is missing: this run stopped before writing it.") from error
        except ValueError as error:
            raise RunError(f"{path} is damaged: {error}") from error
        if not isinstance(value, dict):
            raise RunError(f"{path} is damaged: it holds no JSON object.")
        return value

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """One JSON record, atomically."""
        if not self.writes:
            return
        files.write_json(self.path / f"{name}.json", value)

    def is_finished(self) -> bool:
        """Whether it says so; a damaged record does not."""
        try:
            return self.read("status").get("status") == "finished"
        except RunError:
            return False

    def read_notes(self) -> list[str]:
        """What the user was told before; nothing if it stopped before that."""
        return self.read("notes")["notes"] if (self.path / "notes.json").exists() else []

    def remove_checkpoints(self) -> None:
        """When the run is finished: they are three times the size of the weights."""
        if self.writes:
            shutil.rmtree(self.checkpoints, ignore_errors=True)

    def write_backbone_files(self, contents: Mapping[str, bytes]) -> dict[str, str]:
        """Writes what `Backbone.files` says; returns the sha256 of each."""
        for name, content in contents.items() if self.writes else ():
            with files.atomic(self.backbone_files / name) as temporary:
                temporary.write_bytes(content)
        return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}

    def check_backbone_files(self, digests: Mapping[str, str]) -> None:
        """Asserts that the backbone's files are the ones that were written: half a vocabulary would be no error.

        Raises:
            RunError: one is missing or another.
        """
        for name, digest in digests.items():
            path = self.backbone_files / name
            try:
                content = path.read_bytes()
            except OSError as error:
                raise RunError(f"{path} cannot be read: {error.strerror}.") from error
            if hashlib.sha256(content).hexdigest() != digest:
                raise RunError(f"{path} is damaged: it is not the file that training wrote.")

    def _is_run(self) -> bool:
        try:
            return "kerasft" in json.loads((self.path / _MARK).read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            return False


def _is_content(path: Path) -> bool:
    """Not what a writer that was killed has left."""
    return not path.name.startswith(".")


def versions() -> dict[str, Any]:
    """Python, platform, and every installed distribution with its exact version."""
    described = [d.metadata for d in metadata.distributions()]  # read once: it is a file each time
    found = {about["Name"]: about["Version"] for about in described if about["Name"]}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "distributions": dict(sorted(found.items(), key=lambda item: item[0].lower())),
    }
