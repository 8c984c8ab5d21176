"""Numbers that are none end a run: the message names the examples, and what was good is kept."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from small_runs import separable, write_csv

import kerasft
from kerasft import pretrained
from kerasft.engine.encode import Encodings
from kerasft.engine.plan import BatchPlan
from kerasft.errors import KerasftError


def batches_of(rows: Sequence[tuple[str, str]], batch_size: int, seed: int) -> list[list[int]]:
    """Rows of the batches of the first epoch."""
    backbone = pretrained.locate("bert/tiny").create({"length": 16})
    lengths = Encodings(backbone.preprocess, [text for text, _ in rows]).lengths
    plan = BatchPlan(examples=len(rows), batch_size=batch_size, seed=seed, lengths=lengths, limit=16)
    return [batch.tolist() for batch in plan.batches(0)]


def test_a_loss_that_is_not_a_number_names_the_examples_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    rows = [(text, str(i % 7)) for i, (text, _) in enumerate(separable(24))]
    seed = next(seed for seed in range(9) if 5 in batches_of(rows, 4, seed)[3])
    rows[5] = (rows[5][0], "1e30")  # its square is infinite
    csv, run = write_csv(tmp_path / "scores.csv", rows, header=("text", "score")), tmp_path / "run"
    options: dict[str, Any] = {
        "task_options": {"mode": "regression", "mean": 0.0, "scale": 1.0},
        "phases": [{"train": "head", "epochs": 1, "learning_rate": 1e-3}],
        "backbone_options": {"length": 16},
        "checkpoint_steps": 1,
        "batch_size": 4,
        "validation": None,
        "seed": seed,
    }
    with pytest.raises(KerasftError) as raised:
        kerasft.finetune("bert/tiny", "classification", csv, out=run, **options)
    message = str(raised.value)
    assert message.startswith("The loss became inf at step 4 of epoch 1. Try a smaller learning rate. The batch: ")
    batches = [[i + 2 for i in batch] for batch in batches_of(rows, 4, seed)]
    named = ", ".join(f"{csv}:{line}" for line in batches[3])
    before = ", ".join(f"{csv}:{line}" for line in batches[2])
    assert f"{csv}:7" in named
    assert message.endswith(f"The batch: {named}. If the update before spoilt the weights: {before}.")
    assert json.loads((run / "status.json").read_text()) == {"status": "failed"}
    names = sorted(path.name.partition("-")[0] for path in (run / "checkpoints").iterdir())
    assert names == ["00000002", "00000003"]  # before the batch that did it

    # Resumed, it comes to the same end.
    with pytest.raises(KerasftError) as again:
        kerasft.resume(run)
    assert str(again.value) == message


@pytest.mark.parametrize("cached", [8.0, 0.0])
def test_the_batch_is_named_though_tensorflow_trained_on_several_in_one_call(tmp_path: Path, cached: float) -> None:
    rows = [(text, str(i % 7)) for i, (text, _) in enumerate(separable(96))]
    rows[5] = (rows[5][0], "1e30")
    seed = next(seed for seed in range(9) if not any(5 in batch for batch in batches_of(rows, 4, seed)[:6]))
    csv = write_csv(tmp_path / "scores.csv", rows, header=("text", "score"))
    heard: list[int] = []

    class Listens(kerasft.engine.callbacks.History):  # a callback of ours: Keras tells it of every call
        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            heard.append(batch)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KerasftError) as raised:
        patch.setattr("kerasft.engine.callbacks.History", Listens)
        Listens.__module__ = "kerasft.engine.callbacks"
        kerasft.finetune(
            *("bert/tiny", "classification", csv),
            out=tmp_path / "run",
            task_options={"mode": "regression", "mean": 0.0, "scale": 1.0},
            phases=[{"train": "head", "epochs": 1, "learning_rate": 1e-3}],
            backbone_options={"length": 16},
            batch_size=4,
            validation=None,
            cache_gigabytes=cached,
            seed=seed,
        )
    batches = batches_of(rows, 4, seed)
    bad = next(i for i, batch in enumerate(batches) if 5 in batch)
    assert f"at step {bad + 1} of epoch 1." in str(raised.value)
    assert ", ".join(f"{csv}:{i + 2}" for i in batches[bad]) in str(raised.value)
    assert heard[0] == 5  # six updates in a call


def test_weights_that_are_spoilt_after_a_good_loss_are_not_kept(tmp_path: Path) -> None:
    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            if batch == 1:
                variable = self.model.trainable_variables[0]
                variable.assign(np.full(variable.shape, np.inf))

    csv, run = write_csv(tmp_path / "train.csv", separable(24)), tmp_path / "run"
    with pytest.raises(KerasftError) as raised:
        kerasft.finetune(
            *("bert/tiny", "classification", csv),
            **{"out": run, "batch_size": 8, "checkpoint_steps": 1, "validation": None},
            backbone_options={"length": 16},
            callbacks=[Spoil()],
        )
    message = str(raised.value)
    assert "Update 2 made model/" in message
    assert (
        "infinite or not a number; no checkpoint of it was written. Try a smaller learning rate. The batch: " in message
    )
    second = batches_of(separable(24), 8, 0)[1]
    assert message.endswith(f"The batch: {', '.join(f'{csv}:{i + 2}' for i in second)}.")
    assert [path.name.partition("-")[0] for path in (run / "checkpoints").iterdir()] == ["00000001"]
