"""Which examples stand in which batch, and how fast the model moves: pure functions of a few numbers."""

import keras
import numpy as np
import pytest

import kerasft
from kerasft.engine.optim import WarmupThenLinear, adamw
from kerasft.engine.plan import BatchPlan


@pytest.mark.parametrize(("examples", "batch_size", "sizes"), [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 5, [2])])
def test_an_epoch_has_every_example_once(examples: int, batch_size: int, sizes: list[int]) -> None:
    for seed in (None, 0, 1):
        plan = BatchPlan(examples=examples, batch_size=batch_size, seed=seed)
        batches = list(plan.batches(epoch=4))
        assert [len(batch) for batch in batches] == sizes
        assert plan.steps == len(sizes)
        assert sorted(np.concatenate(batches)) == list(range(examples))


def order(seed: int | None, epoch: int) -> list[int]:
    return np.concatenate(list(BatchPlan(examples=100, batch_size=8, seed=seed).batches(epoch))).tolist()


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    assert order(3, 7) == order(3, 7)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_without_a_seed_the_order_is_that_of_the_data() -> None:
    assert order(None, 0) == order(None, 5) == list(range(100))


def test_the_learning_rate_rises_for_a_tenth_of_the_steps_and_then_falls_to_zero() -> None:
    schedule = WarmupThenLinear(peak=2.0, steps=100)
    rates = [float(schedule(step)) for step in range(101)]
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) * 0.2, rtol=1e-6)
    assert max(rates) == pytest.approx(2.0)
    np.testing.assert_allclose(np.diff(rates[10:]), -2.0 / 90, rtol=1e-3)
    assert rates[100] == 0.0


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_a_run_of_a_few_steps_has_a_rate_above_zero_at_each(steps: int) -> None:
    schedule = WarmupThenLinear(peak=1.0, steps=steps)
    assert all(0.0 < float(schedule(step)) <= 1.0 for step in range(steps))


def test_the_schedule_is_saved_with_the_optimizer() -> None:
    schedule = WarmupThenLinear(peak=0.5, steps=7)
    restored = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert restored.get_config() == {"peak": 0.5, "steps": 7}


def test_biases_and_normalization_weights_do_not_decay() -> None:
    model = kerasft.build("bert/tiny", "classification", labels=["a", "b"], backbone_options={"length": 16})
    optimizer = adamw(model, learning_rate=0.1, steps=10)
    before = {weight.path: weight.numpy() for weight in model.trainable_variables}
    optimizer.apply([np.zeros(weight.shape, "float32") for weight in model.trainable_variables])
    unchanged = {path for weight in model.trainable_variables if (before[path := weight.path] == weight.numpy()).all()}
    assert {path.rpartition("/")[2] for path in unchanged} <= {"bias", "beta", "gamma"}
    decayed = set(before) - unchanged
    assert {path.rpartition("/")[2] for path in decayed} == {"kernel", "embeddings"}
