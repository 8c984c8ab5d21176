"""What a finished run directory holds: everything needed to know, repeat and use the run."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import pytest
from small_runs import LABELS, TEST_ROWS, Trained

from kerasft import data
from kerasft.engine.directory import RunDirectory
from kerasft.errors import RunError

PLAIN = {"schedule": "linear", "warmup": 0.1, "batch_norm": False}


def read(trained: Trained, name: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{name}.json holds {constant}, which is not JSON")

    return json.loads((trained.directory / f"{name}.json").read_text(encoding="utf-8"), parse_constant=refuse)


def test_it_holds_these_files_and_no_others(trained: Trained) -> None:
    found = {str(path.relative_to(trained.directory)) for path in trained.directory.rglob("*") if path.is_file()}
    records = ("config", "versions", "data", "task", "backbone", "notes", "status", "history", "report", "samples")
    expected = {*(f"{name}.json" for name in records), "report.html", "weights/best.weights.h5"}
    assert {name for name in found if not name.startswith("backbone/")} == expected
    assert {"backbone/bert.json", "backbone/vocab.txt"} <= found


def test_the_config_is_resolved(trained: Trained) -> None:
    assert read(trained, "config") == {
        "kerasft": version("kerasft"),
        "backbone": "bert/tiny",
        "task": "classification",
        "train": str(trained.train),
        "validation": 0.25,
        "test": str(trained.test),
        "phases": [
            {"train": "head", "epochs": 1, "learning_rate": 0.001, "layer_decay": 1.0, **PLAIN},
            {"train": "all", "epochs": 3, "learning_rate": 0.015, "layer_decay": 0.9, **PLAIN},
        ],
        "batch_size": 8,
        "accumulation": 1,
        "seed": 0,
        "optimizer": "adamw",
        "weight_decay": 0.01,
        "clip_norm": 1.0,
        "ema": None,
        "lora": None,
        "precision": "float32",
        "monitor": None,
        "early_stopping": None,
        "checkpoint_steps": None,
        "checkpoint_minutes": 10.0,
        "devices": "auto",
        "strategy": "auto",
        "input_column": "text",
        "target_column": "label",
        "encoding": "utf-8",
        "backbone_options": {"length": 16},
        "task_options": {},
        "tensorboard": False,
        "batch_tokens": None,
        "balance": False,
        "cache_gigabytes": 8.0,
        "augment": {},
        "views": 0,
    }


def test_versions_are_exact_and_of_everything(trained: Trained) -> None:
    versions = read(trained, "versions")
    assert versions["python"] == platform.python_version()
    for name in ("kerasft", "tensorflow", "keras", "keras-hub", "numpy"):
        assert versions["distributions"][name] == version(name)


def test_the_data_are_fingerprinted_and_counted(trained: Trained) -> None:
    record = read(trained, "data")
    assert record["columns"] == {"input": "text", "target": "label"}
    assert record["examples"] == {"train": 72, "validation": 24, "test": 6}
    assert record["sha256"]["test"] == data.fingerprint(data.read(trained.test))
    assert len(set(record["sha256"].values())) == 3
    assert record["also_in_an_earlier_part"] == {"validation": 0, "test": 1}


def test_the_label_space_is_kept(trained: Trained) -> None:
    task = read(trained, "task")
    assert task["name"] == "classification"
    assert task["config"]["labels"] == list(LABELS)


def test_the_history_has_training_and_validation_figures_of_every_epoch(trained: Trained) -> None:
    epochs = read(trained, "history")["epochs"]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3, 4]
    assert all(set(epoch) == {"epoch", "step", "loss", "accuracy", "val_loss", "val_accuracy"} for epoch in epochs)
    assert epochs[-1]["val_accuracy"] == 1.0


def test_the_status_says_finished(trained: Trained) -> None:
    assert read(trained, "status") == {"status": "finished"}


def test_the_report_is_what_the_command_answered(trained: Trained) -> None:
    report = read(trained, "report")
    assert report.pop("training_seconds") > 0
    assert report.pop("training_cpu_seconds") > 0
    assert 0.0 < report.pop("padding") < 0.5
    assert [(phase["train"], phase["groups"]) for phase in report.pop("phases")] == [
        ("head", ["head"]),
        ("all", ["embeddings", "block_0", "block_1", "head"]),
    ]
    assert {"event": "result", "run": str(trained.directory), **report} == trained.answer.json


def test_the_report_measures_the_test_data(trained: Trained) -> None:
    report = read(trained, "report")
    assert (report["part"], report["source"], report["examples"]) == ("test", str(trained.test), len(TEST_ROWS))
    assert report["metrics"]["accuracy"] == pytest.approx(5 / 6)
    low, high = report["intervals"]["accuracy"]
    assert 0 < low < 5 / 6 < high < 1
    assert report["confusion"] == {"labels": list(LABELS), "counts": [[3, 1], [0, 2]]}
    (mistake,) = report["mistakes"]
    assert mistake["where"] == f"{trained.test}:7"
    assert mistake["input"] == TEST_ROWS[5][0]
    assert mistake["what"].startswith("<rude>, predicted kind at 0.")


def test_texts_seen_in_training_are_counted_and_left_out_of_a_second_figure(trained: Trained) -> None:
    report = read(trained, "report")
    assert report["unseen"]["examples"] == 5
    assert report["unseen"]["metrics"]["accuracy"] == pytest.approx(4 / 5)
    assert "1 of 6 test inputs also stand in an earlier part." in report["notes"]


def test_texts_longer_than_the_model_are_counted(trained: Trained) -> None:
    note = "2 of 6 test inputs are longer than the model reads and are cut."
    assert note in read(trained, "report")["notes"]
    assert f"note: {note}" in trained.answer.stderr


def test_weights_are_plain_arrays_of_the_model_alone(trained: Trained) -> None:
    arrays: list[str] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            assert item.dtype.kind == "f", name  # nothing that could be an object, hence code
            arrays.append(name)

    with h5py.File(trained.directory / "weights" / "best.weights.h5") as file:
        file.visititems(visit)
    assert len(arrays) >= 41
    assert not [name for name in arrays if name.startswith("optimizer")]  # three times the size, and of no use


def test_nothing_unfinished_is_left(trained: Trained) -> None:
    assert not list(trained.directory.rglob(".*"))
    assert {path.name for path in trained.directory.parent.iterdir()} == {"run", "train.csv", "test.csv"}


def test_files_can_be_read_by_a_group(trained: Trained) -> None:
    for path in trained.directory.rglob("*"):
        assert Path(path).stat().st_mode & 0o044, path


def test_what_a_killed_writer_left_is_no_run_and_no_hindrance(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.path.mkdir()
    (directory.path / ".config.json.x1y2").write_text("{")
    directory.create(overwrite=False)
    assert list(directory.path.iterdir()) == []
    (directory.path / "letter.txt").write_text("mine")
    with pytest.raises(RunError, match="exists and is not a run; nothing was changed"):
        directory.create(overwrite=True)


def test_a_run_that_is_replaced_leaves_nothing_of_it(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.create(overwrite=False)
    directory.write("config", {"kerasft": "0"})
    directory.create(overwrite=True)
    assert list(tmp_path.iterdir()) == [directory.path]
    assert list(directory.path.iterdir()) == []
