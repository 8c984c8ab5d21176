"""`kerasft.plan`: what it counts is exactly what a run then does; what it measures is there."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from small_runs import separable

import kerasft
from kerasft.assets.cache import cache_dir
from kerasft.engine import memory
from kerasft.engine.estimated import BatchSize, Estimate, duration, megabytes
from kerasft.engine.trial import Cost
from kerasft.errors import UnknownNameError, UsageError

ROWS = [(f"{text} {'x ' * (i % 9)}", label) for i, (text, label) in enumerate(separable(60))]
DATA = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
RUN: dict[str, Any] = {
    "backbone": "bert/tiny",
    "task": "classification",
    "train": DATA,
    "batch_size": 8,
    "phases": ["head:2:1e-3", "top1:1", "all:1"],
    "backbone_options": {"length": 16},
    "console": Console(quiet=True),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planned")


@pytest.fixture(scope="module")
def planned(home: Path) -> Estimate:
    """Made in an empty directory with an empty cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("KERASFT_CACHE", str(home / "cache"))
        found = kerasft.plan(**RUN)
        assert not (cache_dir() / "features").exists()
    assert not [path for path in home.rglob("*") if path.is_file() and "features" in path.parts]
    assert not (home / "runs").exists()
    return found


def test_what_it_counts_is_what_a_run_then_does(
    planned: Estimate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "cache"))
    run = kerasft.finetune(**RUN, out=tmp_path / "run")
    history = run._directory.read("history")
    for phase, record in zip(planned.phases, history["phases"], strict=True):
        assert phase.weights == record["total_weights"]
        assert phase.trained_weights == record["trained_weights"]
        assert phase.epochs == record["epochs"]
    ends = [epoch["step"] for epoch in history["epochs"]]
    assert [phase.steps for phase in planned.phases] == [ends[1], ends[2] - ends[1], ends[3] - ends[2]]
    assert planned.examples == run._directory.read("data")["examples"]
    kept = (tmp_path / "cache" / "features").rglob("*.bin")
    assert planned.cache_bytes == sum(path.stat().st_size for path in kept) > 0
    assert [phase.cached for phase in planned.phases] == [True, True, False]


@pytest.mark.slow
def test_padding_is_that_of_the_run(planned: Estimate, tmp_path: Path) -> None:
    assert all(0 < phase.padding < 1 for phase in planned.phases)
    run = kerasft.finetune(**{**RUN, "phases": ["head:1:1e-3"]}, out=tmp_path / "run")
    found = kerasft.plan(**{**RUN, "phases": ["head:1:1e-3"]})
    assert found.phases[0].padding == pytest.approx(run._directory.read("report")["padding"], abs=1e-12)


def test_what_it_measures_is_there(planned: Estimate) -> None:
    assert all(phase.seconds > 0 for phase in planned.phases)
    assert planned.seconds > sum(phase.seconds for phase in planned.phases)
    assert planned.peak_bytes == max(planned.peak_bytes, *(phase.peak_bytes for phase in planned.phases))
    assert 1e8 < planned.peak_bytes < memory.available()
    assert planned.batch_sizes.sizes == [4, 8, 16]
    assert all(seconds > 0 for seconds in planned.batch_sizes.seconds)
    assert planned.batch_sizes.suggested in planned.batch_sizes.sizes


def test_it_is_printed_with_every_figure(planned: Estimate) -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    planned.print(console)
    text = console.export_text()
    for phase in planned.phases:
        line = next(line for line in text.splitlines() if line.startswith(f"{phase.train} "))
        assert f"{phase.weights:,}" in line and f"{phase.trained_weights:,}" in line
        assert f"{100 * phase.padding:.1f} %" in line
    assert "in all" in text
    assert f"Cache: {megabytes(planned.cache_bytes)} for the outputs of frozen layers (head, top1)." in text
    assert f"Suggested batch size: {planned.batch_sizes.suggested}" in text


@pytest.mark.slow
def test_without_a_cache_or_validation_nothing_is_kept() -> None:
    found = kerasft.plan(**{**RUN, "phases": ["head:1"], "validation": None, "cache_gigabytes": 0})
    assert found.cache_bytes == 0
    assert not found.phases[0].cached
    assert found.examples == {"train": 60}


def test_outputs_that_do_not_fit_in_the_cache_are_not_counted() -> None:
    found = kerasft.plan(**{**RUN, "phases": ["head:1"], "cache_gigabytes": 1e-9})
    assert found.cache_bytes == 0 and not found.phases[0].cached


@pytest.mark.slow
def test_one_example_is_enough() -> None:
    one = {"text": ["a", "b"], "label": ["x", "y"]}
    found = kerasft.plan(**{**RUN, "train": one, "validation": None, "batch_size": 1, "phases": ["all:1"]})
    assert found.phases[0].steps == 2


@pytest.mark.slow
def test_two_phases_that_freeze_the_same_share_what_is_kept() -> None:
    found = kerasft.plan(**{**RUN, "phases": ["head:1", "head:1"]})
    assert [phase.cache_bytes > 0 for phase in found.phases] == [True, False]
    found = kerasft.plan(**{**RUN, "phases": ["head:1", "all:1", "head:1"]})
    assert [phase.cache_bytes > 0 for phase in found.phases] == [True, False, True]


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(UnknownNameError, match="batchsize"):
        kerasft.plan("bert/tiny", "classification", DATA, batchsize=3)
    with pytest.raises(UsageError, match=r"batch_size must be a whole number from 1\. Received: 0"):
        kerasft.plan(**{**RUN, "batch_size": 0})


def test_cost_is_interpolated_between_batches_and_grows_beyond() -> None:
    cost = Cost([10, 20], [1.0, 3.0])
    assert cost.of(np.array([10, 15, 20, 40])) == pytest.approx(1 + 2 + 3 + 6)


@pytest.mark.parametrize(
    ("seconds", "available", "suggested"),
    [
        ([2.0, 1.0, 0.5], 0, 16),  # the system does not say how much there is
        ([1.0, 1.0, 1.0], 10_000, 4),
        ([1.0, 0.96, 0.98], 10_000, 4),
        ([1.1, 1.0, 0.99], 10_000, 8),
        ([2.0, 1.0, 0.5], 1500, 8),  # 16 would need 1400 of 1500
        ([2.0, 1.0, 0.5], 100, None),
    ],
)
def test_the_smallest_batch_that_is_fast_and_fits_is_suggested(
    seconds: list[float], available: int, suggested: int | None
) -> None:
    found = BatchSize.of([4, 8, 16], seconds, [400, 600, 1000], 8, 1000, available)
    assert found.peak_bytes == [800, 1000, 1400]
    assert found.suggested == suggested


def test_memory_is_that_of_this_process() -> None:
    memory.forget_peak(give_back=True)
    before = memory.peak()
    held = np.ones(30_000_000)  # 240 MB
    assert memory.peak() >= before + held.nbytes * 0.9 or before > held.nbytes
    assert memory.available() > 0


def test_times_and_sizes_are_readable() -> None:
    assert [duration(seconds) for seconds in (0.04, 59.9, 61, 3661)] == ["0.0 s", "59.9 s", "1:01", "1:01:01"]
    assert [megabytes(size) for size in (1_500, 1_500_000, 1_500_000_000)] == ["2 kB", "1.5 MB", "1,500 MB"]
