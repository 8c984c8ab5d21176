"""Each defect of Keras 3.15 below `tf.distribute`: plain Keras still has it, and ours has not.

When the first half of a test fails, Keras has been mended: its cure in `kerasft.keras_private` or `kerasft.model` can
go.
"""

import json
from typing import Any

import numpy as np
import pytest
from placed_fleet import Fleet, cluster, finish

pytestmark = pytest.mark.slow

DEFECTS = Fleet.file("placed_defects.py")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return Fleet(tmp_path_factory.mktemp("defects"))


@pytest.fixture(scope="module")
def two_devices(fleet: Fleet) -> dict[str, Any]:
    (answer,) = finish([fleet.start(DEFECTS)])
    assert answer.code == 0, answer.stderr[-4000:]
    return json.loads(answer.stdout)


@pytest.fixture(scope="module")
def two_workers(fleet: Fleet) -> list[dict[str, Any]]:
    answers = finish([fleet.start(DEFECTS, TF_CONFIG=config) for config in cluster()])
    assert [answer.code for answer in answers] == [0, 0], answers[0].stderr[-4000:]
    return [json.loads(answer.stdout) for answer in answers]


def same(one: list[float], other: list[float]) -> bool:
    return len(one) == len(other) and np.allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("bool inputs", "of bool is not in the list of allowed values"),
        ("string inputs", "of string is not in the list of allowed values"),
        ("a first batch that splits unevenly", "Inputs to operation AddN"),
        ("accumulation", "merge_call"),
    ],
)
def test_plain_keras_fails(two_devices: dict[str, Any], case: str, message: str):
    found = two_devices[case]
    assert isinstance(found["plain"], str) and message in found["plain"]
    assert same(found["ours"], found["one"])


@pytest.mark.parametrize("case", ["clipping", "examples of a batch that splits unevenly", "logs"])
def test_plain_keras_silently_does_something_else(two_devices: dict[str, Any], case: str):
    found = two_devices[case]
    assert len(found["plain"]) == len(found["one"]) and not same(found["plain"], found["one"])
    assert same(found["ours"], found["one"])


def test_moving_averages_are_those_of_one_device(two_devices: dict[str, Any]):
    assert same(two_devices["moving average"]["ours"], two_devices["moving average"]["one"])


def test_batch_norm_statistics_differ_between_replicas_of_plain_keras(two_devices: dict[str, Any]):
    found = two_devices["statistics"]
    assert not same(*found["plain"])
    assert same(*found["ours"]) and np.isfinite(found["ours"]).all()


def test_several_steps_per_execution_fail(two_devices: dict[str, Any]):
    """So kerasft never asks for them."""
    assert "Error" in two_devices["several steps per execution"]["plain"]


def test_loss_scaling_lets_an_overflow_of_the_second_replica_through(two_devices: dict[str, Any]):
    """So there is no float16; see the next test."""
    assert any(value in ("inf", "-inf", "nan") for value in two_devices["loss scaling"]["plain"])


def test_float16_is_no_precision():
    from kerasft.engine.settings import PRECISIONS

    assert not [name for name in PRECISIONS.values() if "16" in name and "bfloat16" not in name]


def test_a_model_remembers_the_scope_in_which_it_was_made(two_devices: dict[str, Any]):
    """So `finetune` builds, adapts and compiles in the one scope."""
    assert two_devices["built outside the scope"]["plain"] == "AssertionError: "


def test_two_strategies_in_one_process_are_taken_for_one(two_devices: dict[str, Any]):
    """So `kerasft.strategy` makes one and gives it again."""
    assert "Shape mismatch in the collective" in two_devices["two strategies"]["plain"]
    assert two_devices["two strategies"]["same"] is True


def test_several_workers_fail_while_building(two_workers: list[dict[str, Any]]):
    for found in two_workers:
        assert isinstance(found["plain"], str) and "PerReplica" in found["plain"] and "unsupported" in found["plain"]


def test_several_workers_fail_once_more_over_their_logs(two_workers: list[dict[str, Any]]):
    for found in two_workers:
        assert isinstance(found["built"], str) and "Invalid reduction dimension 0" in found["built"]


def test_several_workers_train_as_one_device(two_workers: list[dict[str, Any]]):
    for found in two_workers:
        assert same(found["ours"], found["one"])
