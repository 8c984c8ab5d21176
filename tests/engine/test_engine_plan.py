"""Which examples stand in which batch: a pure function of a few numbers."""

import numpy as np
import pytest

from kerasft.engine.plan import BatchPlan


@pytest.mark.parametrize("seed", [None, 0, 1, 12345])
@pytest.mark.parametrize("batch_size", [1, 3, 7, 10, 100])
@pytest.mark.parametrize("examples", [1, 9, 10, 11, 64])
def test_every_example_exactly_once_in_every_epoch(examples, batch_size, seed):
    plan = BatchPlan(examples=examples, batch_size=batch_size, seed=seed)
    for epoch in range(3):
        batches = list(plan.batches(epoch))
        assert len(batches) == plan.steps
        assert [len(batch) for batch in batches[:-1]] == [batch_size] * (plan.steps - 1)
        assert 1 <= len(batches[-1]) <= batch_size
        assert sorted(np.concatenate(batches)) == list(range(examples))
        assert all(batch.dtype == np.int64 for batch in batches)


def order(epoch, seed=7, examples=50, batch_size=8):
    plan = BatchPlan(examples=examples, batch_size=batch_size, seed=seed)
    return np.concatenate(list(plan.batches(epoch))).tolist()


def test_an_order_depends_on_seed_and_epoch_and_on_nothing_else():
    assert order(3) == order(3)
    np.random.seed(0)
    assert order(3) == order(3, batch_size=50)
    assert len({tuple(order(epoch, seed)) for epoch in range(5) for seed in range(5)}) == 25


def test_an_epoch_does_not_depend_on_which_were_drawn_before():
    """So that training resumes at any epoch."""
    plan = BatchPlan(examples=50, batch_size=8, seed=7)
    for epoch in (0, 1, 2):
        list(plan.batches(epoch))
    assert np.concatenate(list(plan.batches(3))).tolist() == order(3)


def test_the_same_order_on_every_machine():
    assert order(0, seed=0, examples=8) == [3, 2, 1, 6, 0, 7, 4, 5]
    assert order(1, seed=0, examples=8) == [7, 4, 5, 1, 6, 2, 0, 3]


def test_without_a_seed_the_order_of_the_data():
    assert order(0, seed=None) == order(4, seed=None) == list(range(50))


@pytest.mark.parametrize("start", [0, 1, 6, 7])
def test_an_epoch_goes_on_from_any_batch(start):
    plan = BatchPlan(examples=50, batch_size=8, seed=7)
    whole, rest = list(plan.batches(2)), list(plan.batches(2, start=start))
    assert [batch.tolist() for batch in rest] == [batch.tolist() for batch in whole[start:]]
