"""What tests of the whole program share: the command line in this process, and one run made by `kerasft finetune`."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import command_line
import pytest
from command_line import Answer
from filelock import FileLock
from small_plugins import install
from small_runs import TEST_ROWS, TINY, Trained, separable, write_csv

from kerasft import host

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # as the command does, if it is first to import TensorFlow


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Answer]]:
    """`cli("finetune", …)`: the command in this process; plugins are as before when the test has ended."""
    monkeypatch.setenv("KERASFT_PLUGINS", "all")  # --block changes it
    host.load.cache_clear()
    yield command_line.here
    monkeypatch.undo()
    host.load.cache_clear()


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """`plugin(id, source)` installs a plugin for this process."""

    def add(id: str, source: str) -> None:
        monkeypatch.syspath_prepend(install(tmp_path / "site-packages", id, source))
        host.load.cache_clear()

    yield add
    monkeypatch.undo()
    host.load.cache_clear()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run of `kerasft finetune --json` as a process of its own. Read only: `copied` is for breaking."""
    # Workers of pytest-xdist share the directory above their own.
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    home, kept = root / "trained", root / "trained.json"
    with FileLock(root / "trained.lock"):
        if not kept.exists():
            home.mkdir()
            kept.write_text(json.dumps(asdict(_train(home))))
    answer = Answer(**json.loads(kept.read_text()))
    return Trained(home / "run", home / "train.csv", home / "test.csv", answer)


def _train(home: Path) -> Answer:
    train, test = write_csv(home / "train.csv", separable(96)), write_csv(home / "test.csv", TEST_ROWS)
    answer = command_line.run(
        *("finetune", *TINY, "--train", train, "--validation", 0.25, "--test", test, "--out", home / "run"),
        *("--epochs", 3, "--batch-size", 8, "--learning-rate", 0.015, "--json"),
    )
    assert answer.code == 0, answer.stderr
    return answer


@pytest.fixture
def copied(trained: Trained, tmp_path: Path) -> Path:
    """A copy of the run in another place."""
    return Path(shutil.copytree(trained.directory, tmp_path / "moved" / "elsewhere"))
