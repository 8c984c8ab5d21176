"""A cache of the test's own, an index of local wheels that the real pip reads, and real child processes."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import kerasft

REPOSITORY = Path(kerasft.__file__).parent.parent


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory; no offline switch from outside."""
    for name in ("KERASFT_OFFLINE", "HF_HUB_ETAG_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")  # KERASFT_OFFLINE sets it if it is empty
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def index(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of wheels; pip looks there and nowhere else."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    (tmp_path / "wheels").mkdir()
    return tmp_path / "wheels"


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """Starts Python on some lines of code that can import kerasft, with extra environment variables."""
    processes: list[subprocess.Popen[str]] = []

    def run(code: str, python: str = sys.executable, **environment: str) -> subprocess.Popen[str]:
        path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
        process = subprocess.Popen(
            [python, "-c", PRELUDE + code],
            env={**os.environ, "PYTHONPATH": path, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


# Errors as one line on stdout; the log on stderr.
PRELUDE = """
import logging, sys
from kerasft.assets import resolve, resolve_first, entries, remove
from kerasft.errors import KerasftError
logging.getLogger("kerasft.assets").addHandler(logging.StreamHandler())
logging.getLogger("kerasft.assets").setLevel(logging.INFO)
def show(handle, **options):
    try:
        print(resolve(handle, **options), flush=True)
    except KerasftError as error:
        print(type(error).__name__, error, flush=True)
"""
