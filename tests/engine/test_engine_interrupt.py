"""Ctrl-C: what was learned is kept and works, the message says how to go on, the exit code is 130."""

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import command_line
import keras
import pytest
from small_plugins import WATCHING
from small_runs import TINY, Trained, separable

import kerasft
from kerasft.errors import Interrupted, RunError, UsageError

OPTIONS = {"backbone_options": {"length": 16}, "batch_size": 8}


@pytest.fixture
def watching(plugin: Callable[[str, str], None]) -> None:
    """A plugin that adds a callback to every run."""
    plugin("watching", WATCHING)


def status(run: Path) -> str:
    return json.loads((run / "status.json").read_text())["status"]


def test_ctrl_c_after_an_epoch_keeps_the_best_epoch(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = command_line.start("finetune", *TINY, "--train", trained.train, "--out", run, "--epochs", 1000, "--json")
    assert process.stderr
    shown = ""
    while not re.search(r"epoch 1/1001  .*val_loss", shown):  # the end of the epoch; a slow machine shows steps too
        line = process.stderr.readline()
        assert line, shown
        shown += line
    process.send_signal(signal.SIGINT)
    answer = command_line.finish(process)

    assert answer.code == 130
    assert "Traceback" not in shown + answer.stderr
    assert answer.json["exit_code"] == 130
    assert answer.json["error"]["type"] == "Interrupted"
    message = answer.json["error"]["message"]
    assert f"kerasft: {message}" in answer.stderr
    assert f"Kept in {run}: the best weights so far, of epoch " in message
    assert message.endswith(f"\nTo go on: kerasft resume {run}")

    assert status(run) == "interrupted"
    assert not list(run.rglob(".*"))
    loaded = kerasft.load(run)
    assert 1 <= len(loaded.history) < 1001
    assert len(loaded.predict(["good", "bad"])) == 2
    assert loaded.evaluate(trained.test).examples == 6
    assert loaded.samples  # so that `export` can check itself
    with pytest.raises(RunError, match=r"report\.json is missing"):
        loaded.report.print()


class InterruptInStep(keras.callbacks.Callback):
    """A user's callback: presses Ctrl-C during the given step of the first epoch."""

    def __init__(self, step: int):
        super().__init__()
        self.step = step

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if batch == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("watching")
def test_ctrl_c_in_the_first_epoch_keeps_the_weights_as_they_are(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(Interrupted, match="the weights as they were in the first epoch") as raised:
        kerasft.finetune(
            "bert/tiny", "classification", separable(96), out=run, callbacks=[InterruptInStep(3)], **OPTIONS
        )
    assert raised.value.exit_code == 130
    assert status(run) == "interrupted"
    assert (run / "watched.txt").read_text() == "batch 2 of bert/tiny"  # the plugin's callback ran beside the user's
    assert len(kerasft.load(run).predict(["good", "bad"])) == 2

    # The data were Python objects, which its config cannot bring back.
    from kerasft.engine.train import repeat

    config = kerasft.load(run).config
    assert config["train"] == {"python": "list"}
    with pytest.raises(UsageError, match="train was a Python list"):
        repeat(config, out=tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.usefixtures("watching")
def test_ctrl_c_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_INTERRUPTS", "before training")
    with pytest.raises(Interrupted):
        kerasft.finetune("bert/tiny", "classification", separable(8), out=tmp_path / "run", **OPTIONS)
    assert status(tmp_path / "run") == "interrupted"
    assert len(kerasft.load(tmp_path / "run").predict(["good", "bad"])) == 2
