"""The learning-rate range test: what it measures, what it suggests, what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import separable

import kerasft
from kerasft.engine.lr_finder import RangeTest, Rising
from kerasft.errors import KerasftError, UsageError

OPTIONS: dict[str, Any] = {"batch_size": 16, "backbone_options": {"length": 16}}


@pytest.fixture(scope="module")
def found() -> RangeTest:
    return kerasft.find_learning_rate(
        "bert/tiny", "classification", separable(160), phase=kerasft.Phase("all", layer_decay=1.0), **OPTIONS
    )


def test_rates_rise_by_one_factor_and_losses_are_those_of_single_batches(found: RangeTest) -> None:
    assert found.rates[0] == pytest.approx(1e-7)
    ratios = np.diff(np.log(found.rates))
    assert ratios == pytest.approx([np.log(1e7) / 99] * len(ratios), rel=1e-3)
    # Means since the beginning would hardly move; batches of sixteen jump.
    assert np.abs(np.diff(found.losses)).mean() > 3 * np.abs(np.diff(found.smoothed)).mean()


def test_the_suggestion_is_a_tenth_of_where_the_loss_was_lowest(found: RangeTest) -> None:
    first = len(found.smoothed) // 10
    lowest = first + int(np.argmin(found.smoothed[first:]))
    assert found.suggestion == found.rates[lowest] / 10
    assert found.smoothed[lowest] < found.smoothed[0]


def test_the_same_seed_gives_the_same(found: RangeTest) -> None:
    again = kerasft.find_learning_rate(
        "bert/tiny", "classification", separable(160), phase=kerasft.Phase("all", layer_decay=1.0), **OPTIONS
    )
    assert again == found


def test_nothing_trains_that_the_phase_freezes() -> None:
    head = kerasft.find_learning_rate(
        "bert/tiny", "classification", separable(160), phase=kerasft.Phase("head"), **OPTIONS
    )
    assert head.suggestion > 0


def test_the_schedule_reaches_both_ends() -> None:
    schedule = Rising(1e-6, 1e-2, 5)
    assert [float(schedule(i)) for i in range(5)] == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3, 1e-2], rel=1e-5)
    assert Rising.from_config(schedule.get_config())(2) == schedule(2)


def test_a_range_in_which_nothing_is_learned_is_said() -> None:
    with pytest.raises(KerasftError, match="The loss never fell"):
        kerasft.find_learning_rate(
            "bert/tiny", "classification", separable(64), lowest=30.0, highest=1000.0, steps=12, **OPTIONS
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 3}, "steps must be 10 or more. Received: 3"),
        ({"lowest": 0.0}, "must rise from above 0. Received: 0 to 1"),
        ({"lowest": 0.1, "highest": 0.01}, "must rise from above 0"),
        ({"highest": float("inf")}, "must rise from above 0"),
        ({"batch_size": 0}, "batch_size must be 1 or more. Received: 0"),
        ({"phase": kerasft.Phase("top99")}, "so top1 to top3"),
    ],
)
def test_arguments_out_of_range(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        kerasft.find_learning_rate("bert/tiny", "classification", separable(8), **options)
