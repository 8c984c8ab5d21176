"""What tests of the whole program share: the command line in this process, and one run made by `kerasft finetune`."""

import shutil
from collections.abc import Callable
from pathlib import Path

import command_line
import pytest
from command_line import Answer
from small_runs import TEST_ROWS, TINY, Trained, separable, write_csv


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """`cli("finetune", …)`: the command in this process, where TensorFlow has started already."""
    from kerasft.cli import main

    def call(*arguments: object) -> Answer:
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main.main([str(argument) for argument in arguments], prog_name="kerasft")
        stdout, stderr = capfd.readouterr()
        return Answer(int(end.value.code or 0), stdout, stderr)

    return call


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run of `kerasft finetune --json` as a process of its own. Read only: `copied` is for breaking."""
    home = tmp_path_factory.mktemp("trained")
    train, test = write_csv(home / "train.csv", separable(96)), write_csv(home / "test.csv", TEST_ROWS)
    answer = command_line.run(
        *("finetune", *TINY, "--train", train, "--validation", 0.25, "--test", test, "--out", home / "run"),
        *("--epochs", 3, "--batch-size", 8, "--learning-rate", 0.01, "--json"),
    )
    assert answer.code == 0, answer.stderr
    return Trained(home / "run", train, test, answer)


@pytest.fixture
def copied(trained: Trained, tmp_path: Path) -> Path:
    """A copy of the run in another place."""
    return Path(shutil.copytree(trained.directory, tmp_path / "moved" / "elsewhere"))
