"""`kerasft resume` and `kerasft lr` as a user meets them."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import command_line
from command_line import Answer
from small_runs import TINY, Trained, separable, write_csv

import kerasft

Cli = Callable[..., Answer]


def test_a_killed_run_is_resumed_and_finished(tmp_path: Path, cli: Cli) -> None:
    data, run = write_csv(tmp_path / "data.csv", separable(96)), tmp_path / "run"
    process = command_line.start(
        *("finetune", *TINY, "--train", data, "--out", run, "--batch-size", 4, "--checkpoint-steps", 3),
        *("--phase", "head:40"),
    )
    deadline = time.monotonic() + 240
    while not list(run.glob("checkpoints/*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    assert command_line.finish(process).code == -signal.SIGKILL
    assert json.loads((run / "status.json").read_text())["status"] == "running"

    answer = cli("resume", run, "--json")
    assert answer.code == 0, answer.stderr
    assert "note: Resumed at phase 1, epoch " in answer.stderr
    assert answer.json["run"] == str(run)
    assert json.loads((run / "status.json").read_text())["status"] == "finished"
    assert not (run / "checkpoints").exists()
    assert [record["epoch"] for record in kerasft.load(run).history] == list(range(1, 41))


def test_a_finished_run_is_shown_again(trained: Trained, tmp_path: Path, cli: Cli) -> None:
    answer = cli("resume", trained.directory, "--json")
    assert answer.code == 0
    assert answer.stderr == f"note: {trained.directory} is finished already: there is nothing to resume.\n"
    assert answer.json["metrics"] == trained.answer.json["metrics"]
    assert cli("resume", tmp_path).code == 1


def test_a_rate_is_suggested_with_a_picture(tmp_path: Path, cli: Cli) -> None:
    data, plot = write_csv(tmp_path / "data.csv", separable(200)), tmp_path / "curve.svg"
    answer = cli("lr", *TINY, "--train", data, "--batch-size", 16, "--steps", 60, "--plot", plot, "--json")
    assert answer.code == 0, answer.stderr
    rates, losses = answer.json["rates"], answer.json["losses"]
    assert len(rates) == len(losses) >= 20
    assert rates == sorted(rates)
    assert rates[0] < answer.json["suggestion"] < rates[-1]
    picture = ElementTree.parse(plot).getroot()
    assert "suggestion" in "".join(picture.itertext())
    assert not (tmp_path / "runs").exists()


def test_arguments_out_of_range_are_said(tmp_path: Path, cli: Cli) -> None:
    data = write_csv(tmp_path / "data.csv", separable(8))
    for wrong, says in ((("--seed", -1), "seed must be"), (("--length", 0), "length must be from 3")):
        answer = cli("lr", *TINY, "--train", data, *wrong)
        assert answer.code == 2
        assert says in answer.stderr


def test_phases_are_explained_with_their_source(cli: Cli) -> None:
    shown = cli("why", "bert", "classification").stdout
    assert "head: 1 epoch, learning rate 0.001" in shown
    assert "all: 3 epochs, learning rate 5e-05, layer decay 0.9" in shown
    assert "source: " in shown and "Devlin et al. 2018" in shown
