"""`kerasft finetune --config RUN/config.json` makes the same model again, to the last bit."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from command_line import Answer
from small_runs import Trained

Cli = Callable[..., Answer]


def arrays(run: Path) -> dict[str, bytes]:
    """The weights of a run, bit by bit, by their place in the file."""
    found = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()

    with h5py.File(run / "weights" / "best.weights.h5") as file:
        file.visititems(visit)
    return found


@pytest.fixture
def config(trained: Trained) -> Path:
    return trained.directory / "config.json"


def test_a_repeated_run_has_the_same_bits_and_replaces_a_run_only_if_told(
    trained: Trained, config: Path, copied: Path, cli: Cli
) -> None:
    (copied / "weights" / "best.weights.h5").write_bytes(b"of an older run")
    (copied / "notes.txt").write_text("mine")

    refused = cli("finetune", "--config", config, "--out", copied)
    assert refused.code == 1
    assert refused.stderr == (
        f"kerasft: {copied} already holds a run. Choose another --out, or replace it with --overwrite.\n"
    )
    assert (copied / "notes.txt").read_text() == "mine"

    # The run it is compared with was made by another process.
    answer = cli("finetune", "--config", config, "--out", copied, "--overwrite", "--json")
    assert answer.code == 0, answer.stderr
    assert arrays(copied) == arrays(trained.directory)
    for name in ("history.json", "config.json", "data.json", "task.json", "samples.json"):
        assert (copied / name).read_bytes() == (trained.directory / name).read_bytes(), name
    assert {**answer.json, "run": ""} == {**trained.answer.json, "run": ""}
    assert not (copied / "notes.txt").exists()


def test_options_beside_a_config_win(config: Path, tmp_path: Path, cli: Cli) -> None:
    answer = cli("finetune", "--config", config, "--out", tmp_path / "run", "--train", tmp_path / "other.csv")
    assert answer.code == 2
    assert "other.csv" in answer.stderr


BAD = [
    (None, "No such file"),
    ("{", "is not JSON"),
    ("[]", "is not the config.json of a run"),
    ('{"model_type": "bert"}', "is not the config.json of a run"),
]


@pytest.mark.parametrize(("content", "says"), BAD)
def test_a_file_that_is_no_config_is_refused(content: str | None, says: str, tmp_path: Path, cli: Cli) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    answer = cli("finetune", "--config", tmp_path / "config.json", "--out", tmp_path / "run")
    assert answer.code == 2
    assert answer.stderr.startswith(f"kerasft: --config {tmp_path / 'config.json'}")
    assert says in answer.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_data_that_were_python_objects_must_be_named_again(part: str, config: Path, tmp_path: Path, cli: Cli) -> None:
    written = {**json.loads(config.read_text()), part: {"python": "DataFrame"}}
    (tmp_path / "config.json").write_text(json.dumps(written))
    answer = cli("finetune", "--config", tmp_path / "config.json", "--out", tmp_path / "run")
    assert answer.code == 2
    assert f"{part} was a Python DataFrame" in answer.stderr
    assert f"--{part}" in answer.stderr
    assert not (tmp_path / "run").exists()
