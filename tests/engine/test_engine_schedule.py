"""Learning rates by update, against closed formulas."""

import json
import math
from collections.abc import Callable

import keras
import pytest

from kerasft.engine.optim import WarmupThen

LEFT: dict[str, Callable[[float], float]] = {
    "linear": lambda left: left,
    "cosine": lambda left: 0.5 * (1 + math.cos(math.pi * (1 - left))),
    "constant": lambda left: 1.0,
}
"""Fraction of the peak by the fraction of the updates after the warmup that are left."""


def rates(schedule: WarmupThen, updates: int) -> list[float]:
    return [float(schedule(step)) for step in range(updates)]


@pytest.mark.parametrize("shape", LEFT)
@pytest.mark.parametrize(("updates", "warmup"), [(40, 0.1), (40, 0.25), (7, 0), (50, 0.5)])
def test_it_rises_by_the_same_amount_and_then_follows_its_shape(shape: str, updates: int, warmup: float) -> None:
    rises = round(updates * warmup)
    expected = [2e-5 * (step + 1) / rises for step in range(rises)]
    expected += [2e-5 * LEFT[shape]((updates - step) / (updates - rises)) for step in range(rises, updates)]
    assert rates(WarmupThen(2e-5, updates, shape, warmup), updates) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", LEFT)
@pytest.mark.parametrize("updates", [1, 2, 9, 11])
@pytest.mark.parametrize("warmup", [0, 0.1, 0.99])
def test_every_update_trains_and_none_above_the_peak(shape: str, updates: int, warmup: float) -> None:
    found = rates(WarmupThen(0.1, updates, shape, warmup), updates)
    assert all(0.0 < rate <= 0.1 + 1e-8 for rate in found)
    assert max(found) == pytest.approx(0.1, rel=0.1)
    top = found.index(max(found))
    assert found[:top] == sorted(found[:top]) and found[top:] == sorted(found[top:], reverse=True)


@pytest.mark.parametrize(("shape", "rate"), [("linear", 0.0), ("cosine", 0.0), ("constant", 0.1)])
def test_beyond_the_end_it_stays(shape: str, rate: float) -> None:
    schedule = WarmupThen(0.1, 10, shape)
    assert float(schedule(10)) == float(schedule(15)) == pytest.approx(rate)


def test_its_config_makes_it_again() -> None:
    schedule = WarmupThen(0.1, 50, "cosine", 0.2)
    saved = json.loads(json.dumps(keras.optimizers.schedules.serialize(schedule)))
    again = keras.optimizers.schedules.deserialize(saved)
    assert rates(again, 50) == rates(schedule, 50)
