"""`finetune(profile=True)`: where the time of a step goes, and what it must not change."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from small_runs import separable, weights_of

import kerasft
from kerasft.engine.run import Run

ROWS = [(f"{text} {'x ' * (i % 25)}", label) for i, (text, label) in enumerate(separable(160))]
DATA = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
PHASES = ["head:1:1e-3", "all:2"]
FIGURES = ("step_ms", "overhead_ms", "waiting_ms", "compute_ms", "data_ms")


def finetune(out: Path, **changes: Any) -> Run:
    arguments = {"phases": PHASES, "batch_size": 4, "cache_gigabytes": 0, "console": Console(quiet=True), **changes}
    return kerasft.finetune("bert/tiny", "classification", DATA, out=out, **arguments)


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return finetune(tmp_path_factory.mktemp("profiled") / "run", profile=True)


def test_every_phase_has_its_figures(profiled: Run) -> None:
    records = profiled._directory.read("report")["profile"]
    assert [record["phase"] for record in records] == [1, 2]
    for record in records:
        assert all(record[name] >= 0 for name in FIGURES)
        assert record["compute_ms"] > 0 and record["data_ms"] > 0
        assert record["overhead_ms"] < record["step_ms"]
        assert record["steps_per_call"] >= 1
    notes = [note for note in profiled.notes if note.startswith("Profile of phase")]
    assert len(notes) == 2
    assert "computing" in notes[0] and "waiting for data" in notes[0] and "overhead" in notes[0]


def test_batches_of_many_lengths_share_a_graph(profiled: Run) -> None:
    assert all(1 <= record["traces"] <= 2 for record in profiled._directory.read("report")["profile"])


def test_a_trace_of_every_phase_is_written(profiled: Run) -> None:
    for phase in (1, 2):
        (trace,) = (profiled.directory / "profile" / f"phase{phase}").rglob("*.xplane.pb")
        assert trace.stat().st_size > 0


@pytest.mark.slow
def test_the_weights_are_those_of_a_run_without_it(profiled: Run, tmp_path: Path) -> None:
    assert weights_of(finetune(tmp_path / "plain").directory) == weights_of(profiled.directory)


def test_it_is_not_recorded(profiled: Run) -> None:
    assert "profile" not in profiled.config


@pytest.mark.slow
def test_with_kept_features_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "cache"))
    run = finetune(tmp_path / "run", profile=True, cache_gigabytes=1, phases=["head:2"])
    (record,) = run._directory.read("report")["profile"]
    assert record["compute_ms"] > 0 and record["traces"] <= 2


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [200, 80])
def test_a_phase_of_one_or_two_steps_says_so_or_measures(tmp_path: Path, batch_size: int) -> None:
    run = finetune(tmp_path / "run", profile=True, batch_size=batch_size, phases=["head:1"])
    (record,) = run._directory.read("report")["profile"]
    assert (record["step_ms"] is None) == (batch_size == 200)
    assert any("too few steps" in note for note in run.notes) == (batch_size == 200)


def test_an_interruption_ends_the_trace(tmp_path: Path) -> None:
    import keras

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise KeyboardInterrupt

    with pytest.raises(kerasft.KerasftError):
        finetune(tmp_path / "run", profile=True, callbacks=[Stop()], phases=["all:1"])
    finetune(tmp_path / "again", profile=True, phases=["head:1"])  # TensorFlow has one profiler for the process
