"""Small steps share a call of TensorFlow, and epochs share an iterator: the updates are the same ones."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from small_runs import separable, weights_of, write_csv

import kerasft
from kerasft.engine.training import Training
from kerasft.model import TrainedModel

EXAMPLES, BATCH, EPOCHS = 35, 4, 3
STEPS = 9
CALLS = 6  # updates in the first call of an epoch; the second one has three


class Watching(keras.callbacks.Callback):
    """Wants to hear of every batch, so that each is a call."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches.append(batch)


def run(directory: Path, **options: Any) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Metrics of all epochs, and the best weights."""
    rows = [(" ".join([text] * (1 + i % 3)), label) for i, (text, label) in enumerate(separable(EXAMPLES))]
    csv = write_csv(directory / "train.csv", rows)
    out = directory / "run"
    options = {"validation": None, "batch_size": BATCH, "backbone_options": {"length": 64}, **options}
    phases = [{"train": "head", "epochs": EPOCHS, "learning_rate": 1e-2}]
    kerasft.finetune("bert/tiny", "classification", csv, out=out, phases=phases, **options)
    return json.loads((out / "history.json").read_text())["epochs"], weights_of(out)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many epochs each call of `fit` trained."""
    found: list[int] = []
    fit = keras.Model.fit

    def counted(self: keras.Model, *args: Any, **options: Any) -> Any:
        found.append(options["epochs"] - options["initial_epoch"])
        return fit(self, *args, **options)

    monkeypatch.setattr(keras.Model, "fit", counted)
    return found


def test_calls_of_several_updates_give_what_single_ones_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = []
    plan_calls = TrainedModel.plan_calls

    def noted(self: TrainedModel, *steps: int) -> None:
        planned.append(self.steps_per_execution)
        plan_calls(self, *steps)

    monkeypatch.setattr(TrainedModel, "plan_calls", noted)
    (tmp_path / "several").mkdir()
    (tmp_path / "single").mkdir()
    watching = Watching()
    several, weights = run(tmp_path / "several")
    assert set(planned) == {CALLS}
    planned.clear()
    single, expected = run(tmp_path / "single", callbacks=[watching])
    assert set(planned) == {1}
    assert watching.batches == [*range(STEPS)] * EPOCHS
    assert [epoch["step"] for epoch in several] == [STEPS, 2 * STEPS, 3 * STEPS]
    for one, other in zip(several, single, strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    assert weights.keys() == expected.keys()
    for name, data in weights.items():
        dtype = np.dtype(data[:3].decode())
        np.testing.assert_allclose(
            np.frombuffer(data[3:], dtype), np.frombuffer(expected[name][3:], dtype), atol=1e-6, err_msg=name
        )


def test_epochs_of_as_many_batches_share_one_fit(tmp_path: Path, calls: list[int]) -> None:
    run(tmp_path)
    assert calls == [EPOCHS]


def test_epochs_of_other_numbers_of_batches_are_fits_of_their_own(
    tmp_path: Path, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = []
    begin = Training._fit

    def kept(self: Training, *args: Any) -> None:
        plans.append(self.feed.plan)
        begin(self, *args)

    monkeypatch.setattr(Training, "_fit", kept)
    monkeypatch.setattr("kerasft.engine.plan.WINDOW", 2)  # few examples: a window of 50 batches would hold them all
    epochs, _ = run(tmp_path, batch_tokens=80)
    steps = [plans[0].steps(epoch) for epoch in range(EPOCHS)]
    assert len(set(steps)) > 1
    assert [epoch["step"] for epoch in epochs] == np.cumsum(steps).tolist()
    assert len(calls) == 1 + sum(one != other for one, other in zip(steps[1:], steps[:-1], strict=True))
