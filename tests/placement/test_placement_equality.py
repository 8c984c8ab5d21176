"""One process, two devices, two processes: the same training to 1e-5; and to the bit after an interruption."""

import json
from typing import Any

import numpy as np
import pytest
from placed_fleet import Fleet, Placed, cluster, finish
from small_runs import separable

pytestmark = pytest.mark.slow

TOLERANCE = 1e-5
WHERE = ("mirrored", "worker 0", "worker 1")


def phase(train: str = "all", **options: Any) -> dict[str, Any]:
    return {"train": train, "epochs": 2, "learning_rate": 0.1, "layer_decay": 1.0, "warmup": 0.0, **options}


def rows(count: int, first: int = 0) -> dict[str, list[str]]:
    """Texts of different lengths; three of four have the second label."""
    found = separable(first + count)[first:]
    texts = [text + " and so on" * (i % 3) for i, (text, _) in enumerate(found)]
    return {"text": texts, "label": [label if i % 4 else "kind" for i, (_, label) in enumerate(found)]}


def scenario(examples: int, *phases: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    """Batches of 8; validation has batches of 8 and 1."""
    return {
        "train": rows(examples),
        "validation": rows(9, 50),
        "phases": phases or [phase()],
        "batch_size": 8,
        "task_options": {"dropout": 0.0},
        "optimizer": "sgd",
        "clip_norm": None,
        **arguments,
    }


# All have a bool mask.
EQUAL = {
    # The last batch has 1 example, so that a replica gets none.
    "strings, class weights, last batch of 1": scenario(
        17, task_options={"dropout": 0.0, "class_weights": "balanced"}, backbone_options={"strings": True}
    ),
    # Pieces of 3, 3 and 2 on one device, of 2 and 2 on each of two; a last batch of 3.
    "accumulation, clipping, rates by layer": scenario(19, phase(layer_decay=0.5), accumulation=3, clip_norm=0.3),
    "phases, adamw, moving average, early stopping": scenario(
        21,
        phase("head", epochs=1, learning_rate=0.05),
        phase(learning_rate=0.01, layer_decay=0.7),
        optimizer="adamw",
        clip_norm=1.0,
        ema=0.8,
        early_stopping=1,
    ),
}
DROPOUT = scenario(20, phase(epochs=3), backbone_options={"rate": 0.3}, optimizer="adamw", ema=0.8, checkpoint_steps=2)
RESUMED = {"dropout": DROPOUT, "dropout, interrupted": {**DROPOUT, "interrupt": 5}}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    fleet = Fleet(tmp_path_factory.mktemp("placed"))
    processes = [
        fleet.train("one", EQUAL, 1),
        fleet.train("mirrored", {**EQUAL, **RESUMED}, 2),
        *(
            fleet.train(f"worker {i}", {**EQUAL, **RESUMED}, "auto", "workers", TF_CONFIG=config)
            for i, config in enumerate(cluster())
        ),
    ]
    for answer in finish(processes):
        assert answer.code == 0, answer.stderr[-4000:]
    return fleet


def differences(expected: Placed, found: Placed) -> dict[str, float]:
    """The largest difference of any figure of any step or epoch, and of any weight."""
    worst = {}
    for kind in ("steps", "epochs"):
        assert len(found.seen[kind]) == len(expected.seen[kind]) > 0
        worst[kind] = max(_largest(a, b) for a, b in zip(expected.seen[kind], found.seen[kind], strict=True))
    return {**worst, "last": _largest(expected.last, found.last), "kept": _largest(expected.kept, found.kept)}


def _largest(one: Any, other: Any) -> float:
    assert one.keys() == other.keys()
    return max(float(np.max(np.abs(one[name] - other[name]))) for name in one)


@pytest.mark.parametrize("name", EQUAL)
@pytest.mark.parametrize("where", WHERE)
def test_the_same_curves_and_weights_as_on_one_device(fleet: Fleet, name: str, where: str):
    found = differences(fleet.result("one", name), fleet.result(where, name))
    print(f"{name}: {where}: {found}")
    assert max(found.values()) < TOLERANCE


def test_these_runs_do_train(fleet: Fleet):
    """Or they would be equal whatever was done."""
    for name in EQUAL:
        first, *_, last = fleet.result("one", name).seen["epochs"]
        assert abs(first["loss"] - last["loss"]) > 0.001


@pytest.mark.parametrize("where", WHERE)
def test_a_run_that_was_interrupted_ends_as_if_it_had_not_been(fleet: Fleet, where: str):
    found = differences(fleet.result(where, "dropout"), fleet.result(where, "dropout, interrupted"))
    assert (found["last"], found["kept"]) == (0.0, 0.0)
    # Sums of metrics are kept over all replicas, whose own sums are then added in another order.
    assert max(found["steps"], found["epochs"]) < 1e-6


def test_only_the_chief_writes(fleet: Fleet):
    assert not fleet.out("worker 1").exists()
    for name in EQUAL:
        directory = fleet.out("worker 0") / name / "run"
        assert json.loads((directory / "status.json").read_text()) == {"status": "finished"}
        assert json.loads((directory / "report.json").read_text())
        written, expected = ({path.name for path in d.iterdir()} for d in (directory, fleet.out("one") / name / "run"))
        assert written == expected
