"""One process, two devices, two processes: the same training to 1e-5."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from placed_fleet import Fleet, cluster, finish
from small_runs import separable

TOLERANCE = 1e-5

SGD = {"optimizer": "sgd", "weight_decay": 0.01, "clip_norm": None}


def phase(train: str = "all", **options: Any) -> dict[str, Any]:
    return {"train": train, "epochs": 1, "learning_rate": 0.1, "layer_decay": 1.0, "warmup": 0.0, **options}


def rows(count: int, first: int = 0) -> dict[str, list[str]]:
    """Texts of different lengths; three of four have the first label."""
    found = separable(first + count)[first:]
    texts = [text + " and so on" * (i % 3) for i, (text, _) in enumerate(found)]
    return {"text": texts, "label": [label if i % 4 else "kind" for i, (_, label) in enumerate(found)]}


def scenario(examples: int, *phases: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    defaults = {"batch_size": 8, "task_options": {"dropout": 0.0}, **SGD}
    return {"train": rows(examples), "validation": rows(9, 50), "phases": list(phases), **defaults, **arguments}


SCENARIOS = {
    # The last batches have 1 example: a replica gets none.
    "uneven": scenario(17, phase(epochs=2)),
    # Pieces of 3, 3 and 2; two replicas make two pieces each.
    "accumulation": scenario(19, phase(epochs=2), accumulation=3),
    "clipping, rates by layer": scenario(18, phase(epochs=2, layer_decay=0.5), clip_norm=0.05),
    "class weights, strings": scenario(
        20,
        phase(epochs=2),
        task_options={"dropout": 0.0, "class_weights": "balanced"},
        backbone_options={"strings": True},
    ),
    "all at once": scenario(
        21,
        phase("head", learning_rate=0.05),
        phase(epochs=2, learning_rate=0.01, layer_decay=0.7),
        optimizer="adamw",
        clip_norm=0.5,
        ema=0.8,
        accumulation=2,
        early_stopping=1,
    ),
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("placed"))
    workers = [
        fleet.train(f"worker {i}", SCENARIOS, "auto", "together", TF_CONFIG=config)
        for i, config in enumerate(cluster())
    ]
    mirrored = fleet.train("mirrored", SCENARIOS, 2, "mirrored")
    for answer in finish([*workers, mirrored]):
        assert answer.code == 0, answer.stderr[-4000:]
    (answer,) = finish([fleet.train("one", SCENARIOS, 1, "one")])
    assert answer.code == 0, answer.stderr[-4000:]
    yield fleet


def difference(one: Any, other: Any) -> float:
    assert one.keys() == other.keys()
    return max(float(np.max(np.abs(one[name] - other[name]))) for name in one)


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("where", ["mirrored", "worker 0", "worker 1"])
def test_the_same_curves_and_weights(fleet: Fleet, name: str, where: str):
    expected, found = fleet.result("one", name), fleet.result(where, name)
    for kind in ("steps", "epochs"):
        assert len(found.seen[kind]) == len(expected.seen[kind])
    worst = {
        kind: max(difference(a, b) for a, b in zip(expected.seen[kind], found.seen[kind], strict=True))
        for kind in ("steps", "epochs")
    }
    worst |= {"last": difference(expected.last, found.last), "kept": difference(expected.kept, found.kept)}
    print(name, where, worst)
    assert max(worst.values()) < TOLERANCE
