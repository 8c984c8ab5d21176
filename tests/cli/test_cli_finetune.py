"""`kerasft finetune` for a person to read: progress and notes on stderr, figures on stdout."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Answer
from small_runs import TINY, separable, write_csv

Cli = Callable[..., Answer]


def test_a_run_with_files_for_its_parts_and_no_name(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = separable(60)
    write_csv(Path("train.csv"), [*rows, ("something odd", "rare")])
    write_csv(Path("validation.csv"), [("the z is good 77", "kind"), rows[0], ("the z is bad 78", "<rude>")])

    answer = cli(
        *("finetune", *TINY, "--train", "train.csv", "--validation", "validation.csv", "--test", 0.2),
        *("--phase", "top1:1:0.01", "--batch-size", 8),
    )
    assert answer.code == 0, answer.stderr

    # What the user should know of the data, before training; then one line per epoch.
    *notes, phase, trained, epoch = answer.stderr.splitlines()
    assert phase == "phase 1/1  top1: 1 epoch, learning rate 0.01, layer decay 0.9, linear, warmup 0.1"
    assert re.fullmatch(r"  9,\d+ of 25,\d+ weights train \(\d\d\.\d %\): block_1, head", trained)
    assert "note: Classes with a single example, which stays in training: 1 ('rare')." in notes
    assert any(re.fullmatch(r"note: 1 of 3 validation inputs also stand in an earlier part\.", note) for note in notes)
    figure = r"\d+\.\d{4}"
    assert re.fullmatch(
        rf"epoch 1/1  accuracy {figure}  loss {figure}  val_accuracy {figure}  val_loss {figure}  \(\d+ s\)", epoch
    )

    # The report is about the test data, and stratified: a fifth of each class.
    lines = answer.stdout.splitlines()
    assert lines[0] == "test data: 12 examples from train.csv"
    assert re.fullmatch(rf"  accuracy +{figure}   95 % interval {figure} to {figure}", lines[1])
    assert "Per label" in answer.stdout
    table = answer.stdout.partition("Per label")[2].partition("Most wrong:")[0]
    counts = {line.split()[0]: line.split()[-1] for line in table.splitlines() if line.strip()}
    assert counts == {"label": "examples", "<rude>": "6", "kind": "6", "rare": "0"}

    # A new directory named by time, task and backbone.
    (run,) = Path("runs").iterdir()
    assert re.fullmatch(r"\d{8}-\d{6}-classification-bert-tiny", run.name)
    assert lines[-1] == f"Run: {run}   Report: {run}/report.html"
    assert json.loads((run / "data.json").read_text())["examples"] == {"train": 49, "validation": 3, "test": 12}
