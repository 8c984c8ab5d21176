"""Places that cannot be written and disks that are full: one clean message, nothing half-written, nothing lost.

A full disk is played by a limit on the size of files, which the operating system enforces in the same call; it holds
for root too.
"""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import Answer
from small_runs import TINY, separable, write_csv

import kerasft
from kerasft import files
from kerasft.engine.best import BestWeights
from kerasft.engine.directory import RunDirectory

Cli = Callable[..., Answer]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "data.csv", separable(8))


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("{tmp}/data.csv/run", "Not a directory"),
        ("{tmp}/data.csv/runs/run", "Not a directory"),
        ("/proc/no-such-process/run", "No such file or directory"),
    ],
)
def test_a_place_that_cannot_be_written(out: str, says: str, data: Path, tmp_path: Path, cli: Cli) -> None:
    out = out.format(tmp=tmp_path)
    answer = cli("finetune", *TINY, "--train", data, "--out", out)
    assert answer.code == 1
    assert answer.stderr == f"kerasft: Cannot write {out}: {says}.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_not_a_run_is_never_replaced(
    kind: str, overwrite: tuple[str, ...], data: Path, tmp_path: Path, cli: Cli
) -> None:
    out = mine = tmp_path / "out"
    if kind == "folder":
        out.mkdir()
        mine = out / "config.json"
    mine.write_text('{"model_type": "mine"}')
    answer = cli("finetune", *TINY, "--train", data, "--out", out, *overwrite)
    assert answer.code == 1
    assert answer.stderr == f"kerasft: {out} exists and is not a run; nothing was changed. Choose another --out.\n"
    assert mine.read_text() == '{"model_type": "mine"}'
    assert len(list(tmp_path.rglob("*"))) == (3 if kind == "folder" else 2)


def test_a_disk_that_is_full_before_training(data: Path, tmp_path: Path, cli: Cli) -> None:
    with largest_file(2500):  # config.json is smaller, versions.json is not
        answer = cli("finetune", *TINY, "--train", data, "--out", tmp_path / "run")
    assert answer.code == 1
    assert answer.stderr == f"kerasft: Cannot write {tmp_path}/run/versions.json: File too large.\n"
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


@pytest.mark.parametrize("room", [0, 150_000])
def test_a_disk_that_fills_while_training_costs_no_weights(
    room: int, copied: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = kerasft.load(copied)
    before = run.predict(["good", "bad"])
    best = BestWeights(RunDirectory(copied), "val_accuracy", "max")
    best.set_model(run.model)
    best.on_epoch_end(0, {"val_accuracy": 0.5})
    for weight in run.model.weights:
        weight.assign(weight * 0)
    # If HDF5 itself met the full disk, it would end this process.
    with largest_file(room), pytest.raises(kerasft.KerasftError) as raised:
        best.on_epoch_end(1, {"val_accuracy": 0.6})
    assert str(raised.value) == f"Cannot write {copied}/weights/best.weights.h5: File too large."
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in (copied / "weights").iterdir()] == ["best.weights.h5"]
    assert best.keep() == "the best weights so far, of epoch 1"
    assert kerasft.load(copied).predict(["good", "bad"]) == before


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    files.write_json(path, {"old": True})
    with largest_file(1000), pytest.raises(kerasft.KerasftError, match=r"Cannot write .*record\.json: File too large"):
        files.write_json(path, {"new": "x" * 2000})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"new": float("nan")})
    assert path.read_text() == '{\n  "old": true\n}\n'
    assert [each.name for each in tmp_path.iterdir()] == ["record.json"]


def test_a_loss_that_is_not_a_number_stops_the_run(data: Path, tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "run"
    # One step per epoch: the loss is a number until the weights have been spoilt.
    answer = cli("finetune", *TINY, "--train", data, "--out", run, "--batch-size", 8, "--phase", "all:3:1e30")
    assert answer.code == 1
    message = answer.stderr.splitlines()[-1]
    start = "kerasft: The val_loss became nan at the end of epoch 1. Try a smaller learning rate. The batch: "
    assert message.startswith(start)
    assert all(name.startswith(f"{data}:") for name in message.removeprefix(start).removesuffix(".").split(", "))
    assert (run / "status.json").read_text() == '{\n  "status": "failed"\n}\n'
    with pytest.raises(kerasft.KerasftError, match="no weights"):
        kerasft.load(run)
