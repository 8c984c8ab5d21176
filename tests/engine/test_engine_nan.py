"""Numbers that are none end a run: the message names the examples, and what was good is kept."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from small_runs import separable, write_csv

import kerasft
from kerasft.engine.plan import BatchPlan
from kerasft.errors import KerasftError


def place_of(row: int, rows: int, batch_size: int, seed: int) -> int:
    """The step of the first epoch in which a row is trained on."""
    plan = BatchPlan(examples=rows, batch_size=batch_size, seed=seed)
    return next(i for i, batch in enumerate(plan.batches(0)) if row in batch)


def test_a_loss_that_is_not_a_number_names_the_examples_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    rows = [(text, str(i % 7)) for i, (text, _) in enumerate(separable(24))]
    seed = next(seed for seed in range(9) if place_of(5, 24, 4, seed) == 3)
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
    batches = [[int(i) + 2 for i in batch] for batch in BatchPlan(examples=24, batch_size=4, seed=seed).batches(0)]
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
    second = list(BatchPlan(examples=24, batch_size=8, seed=0).batches(0))[1]
    assert message.endswith(f"The batch: {', '.join(f'{csv}:{i + 2}' for i in second)}.")
    assert [path.name.partition("-")[0] for path in (run / "checkpoints").iterdir()] == ["00000001"]
