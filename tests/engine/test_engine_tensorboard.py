"""Logs for TensorBoard, read back by TensorBoard; and what is said where it is not installed."""

import sys
from pathlib import Path

import pytest
import tensorflow as tf
from small_runs import separable
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import kerasft
from kerasft.errors import MissingExtraError
from kerasft.phases import Phase


def test_epochs_of_all_phases_are_one_curve(tmp_path: Path) -> None:
    run = kerasft.finetune(
        "bert/tiny",
        "classification",
        separable(32),
        out=tmp_path / "run",
        phases=[Phase("head", 2, 1e-2), Phase("top1", 1, 1e-3)],
        validation=0.25,
        batch_size=8,
        backbone_options={"length": 16},
        tensorboard=True,
    )
    for part, prefix in (("train", ""), ("validation", "val_")):
        logs = EventAccumulator(str(run.directory / "logs" / part))
        logs.Reload()
        events = logs.Tensors("epoch_loss")
        assert [event.step for event in events] == [0, 1, 2]
        values = [float(tf.make_ndarray(event.tensor_proto)) for event in events]
        assert values == pytest.approx([record[f"{prefix}loss"] for record in run.history])


def test_the_extra_is_named_before_anything_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kerasft\[tensorboard\]'"):
        kerasft.finetune("bert/tiny", "classification", separable(8), out=tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()
