"""kill -9 at any moment, then resume: the same weights and the same history, to the byte."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import chaos
import pytest
from chaos import Kill, Outcome
from small_runs import separable, write_csv

_PHASES = [
    {"train": "head", "epochs": 1, "learning_rate": 1e-2},
    {"train": "top1", "epochs": 2, "learning_rate": 1e-2, "schedule": "cosine"},
    {"train": "all", "epochs": 2, "learning_rate": 5e-3},
]
_SETTINGS = {
    "phases": _PHASES,
    "batch_size": 8,
    "checkpoint_steps": 2,
    "backbone_options": {"length": 16},
}
SCENARIOS: dict[str, dict[str, Any]] = {
    "plain": {},
    "averaged-accumulated": {"ema": 0.9, "accumulation": 3, "optimizer": "sgd", "seed": 3},
    "adapters": {"lora": {"rank": 2}, "plateau": True, "checkpoint_steps": 1, "seed": 4},
    "stopping": {
        # So slow a phase that it is ended before its time; and a callback that ends the run within its last epoch.
        "phases": [_PHASES[0], {"train": "top1", "epochs": 3, "learning_rate": 1e-9}, _PHASES[2]],
        "early_stopping": 1,
        "monitor": "val_accuracy",
        "noisy": 27,
        "validation": 0.3,
        "seed": 5,
    },
}
LAST = {
    "plain": Kill("end", delay=0.2),
    "averaged-accumulated": Kill("step", 2),
    "adapters": Kill("end", delay=0.0),
    "stopping": Kill("time", delay=2.0),
}
_KILLS = 7  # of each scenario


def settings(home: Path, name: str) -> dict[str, Any]:
    # Not a multiple of the size of a batch.
    return {**_SETTINGS, "train": str(write_csv(home / f"{name}.csv", separable(60))), **SCENARIOS[name]}


def assert_the_same(killed: Outcome, whole: Outcome) -> None:
    assert killed.heard == whole.heard
    assert killed.history == whole.history
    assert killed.weights == whole.weights
    assert killed.last == whole.last
    assert killed.report == whole.report
    left = {str(path.relative_to(killed.run)) for path in killed.run.rglob("*")}
    assert left == {str(path.relative_to(whole.run)) for path in whole.run.rglob("*")}


def show(killed: Outcome, whole: Outcome) -> None:
    print(f"\n{killed.run.name}: {len(killed.kills)} kills, {killed.torn} of them in the writing of a checkpoint;",
          f"{killed.seconds:.0f} s; without kills {whole.seconds:.0f} s", *killed.kills, sep="\n  ")  # fmt: skip


@pytest.mark.slow
def test_two_kills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = settings(tmp_path, "plain")
    given["phases"] = [{**phase, "epochs": 1} for phase in given["phases"]]
    whole = chaos.train(tmp_path, "whole", given, [])
    killed = chaos.train(tmp_path, "killed", given, [Kill("checkpoint", count=3), Kill("step", count=8, delay=0.01)])
    with capsys.disabled():
        show(killed, whole)
    assert len(killed.kills) == 2
    assert_the_same(killed, whole)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Outcome, Outcome]]:
    """Of every scenario a training that was killed many times, and one that was not; two at a time."""
    home = tmp_path_factory.mktemp("chaos")

    def both(item: tuple[int, str]) -> tuple[Outcome, Outcome]:
        seed, name = item
        given = settings(home, name)
        whole = chaos.train(home, f"{name}-whole", given, [])
        return chaos.train(home, name, given, chaos.plan(seed, _KILLS, LAST[name])), whole

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(SCENARIOS, pool.map(both, enumerate(SCENARIOS)), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_many_kills(
    name: str, outcomes: dict[str, tuple[Outcome, Outcome]], capsys: pytest.CaptureFixture[str]
) -> None:
    killed, whole = outcomes[name]
    with capsys.disabled():
        show(killed, whole)
    assert _KILLS - 2 <= len(killed.kills) <= _KILLS  # one that is fast may end before its last moments
    assert_the_same(killed, whole)


@pytest.mark.slow
def test_the_kills_were_where_they_should_be(outcomes: dict[str, tuple[Outcome, Outcome]]) -> None:
    killed = [outcome for outcome, _ in outcomes.values()]
    assert sum(len(outcome.kills) for outcome in killed) >= 25
    assert sum(outcome.torn for outcome in killed) >= 1  # of eight tries; how many depends on the machine
    _, stopped = outcomes["stopping"]
    ends = [record["step"] for record in json.loads(stopped.history)["epochs"]]
    assert ends == [6, 12, 18, 24, 27]  # two epochs of three, then a run that a callback has ended
