"""Which examples stand in which batch: a pure function of a few numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasft.engine.plan import BatchPlan, round_up, shards

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=150)
settings.load_profile("repeatable")


@st.composite
def plans(draw, balanced=False):
    examples = draw(st.integers(1, 400))
    limit = draw(st.sampled_from([None, 5, 64]))
    longest = limit or draw(st.integers(1, 300))
    lengths = draw(st.sampled_from(["none", "equal", "random"]))
    dice = np.random.default_rng(draw(st.integers(0, 99)))
    return BatchPlan(
        examples=examples,
        batch_size=draw(st.integers(1, 40)),
        seed=draw(st.integers(0, 5)) if balanced else draw(st.sampled_from([None, 0, 1, 12345])),
        lengths={
            "none": None,
            "equal": np.full(examples, longest),
            "random": dice.integers(1, longest + 1, examples),
        }[lengths],
        sort=draw(st.booleans()),
        limit=limit,
        batch_tokens=draw(st.sampled_from([None, 1, 100, 2000])),
        classes=dice.choice(3, examples, p=[0.8, 0.15, 0.05]) if balanced else None,
    )


@given(plans(), st.integers(0, 3))
def test_every_example_exactly_once_in_every_epoch(plan, epoch):
    batches = list(plan.batches(epoch))
    assert sorted(np.concatenate(batches)) == list(range(plan.examples))
    assert len(batches) == plan.steps(epoch)
    assert all(1 <= len(batch) <= plan.batch_size and batch.dtype == np.int64 for batch in batches)


@given(plans(), st.integers(0, 3), st.data())
def test_an_epoch_goes_on_from_any_batch(plan, epoch, data):
    whole = list(plan.batches(epoch))
    start = data.draw(st.integers(0, len(whole)))
    rest = list(plan.batches(epoch, start=start))
    assert [batch.tolist() for batch in rest] == [batch.tolist() for batch in whole[start:]]


@given(plans(), st.integers(1, 9))
def test_shards_are_disjoint_cover_the_batch_and_differ_by_one_example_at_most(plan, replicas):
    for batch in plan.batches(0):
        parts = shards(batch, replicas)
        assert len(parts) == replicas
        assert np.concatenate(parts).tolist() == batch.tolist()
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(plans())
def test_no_batch_is_padded_beyond_its_longest_example_rounded(plan):
    for batch in plan.batches(0):
        length = plan.length(batch)
        if plan.lengths is None:
            assert length == 0
            continue
        longest = plan.lengths[batch].max()
        assert length in (round_up(longest), plan.limit)
        assert longest <= length <= max(longest + 1, longest * 1.0625)


@given(plans())
def test_batches_keep_to_the_limit_of_tokens_unless_one_text_is_longer(plan):
    if plan.batch_tokens is None or plan.lengths is None:
        return
    for batch in plan.batches(0):
        assert len(batch) == 1 or len(batch) * plan.length(batch) <= plan.batch_tokens


@given(plans())
def test_only_a_limit_of_tokens_makes_small_batches(plan):
    if plan.batch_tokens is None:
        sizes = sorted(len(batch) for batch in plan.batches(0))
        assert sizes[1:] == [plan.batch_size] * (len(sizes) - 1)


@given(plans(balanced=True), st.integers(0, 3))
def test_balanced_epochs_draw_equally_often_from_each_class(plan, epoch):
    drawn = np.concatenate(list(plan.batches(epoch)))
    assert len(drawn) == plan.examples
    kinds, counts = np.unique(plan.classes[drawn], return_counts=True)
    assert set(kinds) <= set(plan.classes)
    assert counts.max() - counts.min() <= 1
    for kind in kinds:  # no example of a class a third time before every other has come twice
        own = np.bincount(drawn[plan.classes[drawn] == kind], minlength=plan.examples)[plan.classes == kind]
        assert own.max() - own.min() <= 1


def test_lengths_come_in_few_shapes():
    rounded = round_up(np.arange(1, 513))
    assert (rounded >= np.arange(1, 513)).all()
    assert np.unique(rounded).tolist() == [
        *range(2, 65, 2),
        *range(68, 129, 4),
        *range(136, 257, 8),
        *range(272, 513, 16),
    ]


def test_texts_of_similar_length_stand_together():
    lengths = np.random.default_rng(0).geometric(1 / 23, 20_000).clip(3, 128)
    sorted_ = BatchPlan(examples=20_000, batch_size=32, seed=0, lengths=lengths, limit=128)
    index = np.random.default_rng(1).permutation(20_000).reshape(-1, 32)
    shuffled = 1 - lengths.sum() / (32 * lengths[index].max(axis=1)).sum()
    assert shuffled > 0.7
    assert sorted_.padding() < 0.08
    # What rounding costs by itself; the rest is what the windows cost.
    assert sorted_.padding() - (1 - lengths.sum() / round_up(lengths).sum()) < 0.06


def test_short_and_long_batches_come_in_no_order():
    lengths = np.arange(64_000) % 100 + 1
    plan = BatchPlan(examples=64_000, batch_size=32, seed=0, lengths=lengths)
    padded = [plan.length(batch) for batch in plan.batches(0)]
    assert abs(np.corrcoef(padded, np.arange(len(padded)))[0, 1]) < 0.2
    assert abs(np.corrcoef(padded[:-1], padded[1:])[0, 1]) < 0.2


def order(epoch, seed=7, examples=50, batch_size=8, **options):
    plan = BatchPlan(examples=examples, batch_size=batch_size, seed=seed, **options)
    return np.concatenate(list(plan.batches(epoch))).tolist()


def test_lengths_that_are_all_equal_change_nothing():
    assert order(3, lengths=np.full(50, 17)) == order(3)


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
    assert order(0, seed=0, examples=8, batch_size=2, lengths=np.arange(8) * 8 + 1) == [2, 3, 0, 1, 6, 7, 4, 5]


def test_without_a_seed_and_unsorted_the_order_of_the_data():
    lengths = np.arange(50)[::-1]
    assert order(0, seed=None) == order(4, seed=None, lengths=lengths, sort=False) == list(range(50))
    assert order(0, seed=None, lengths=lengths) != list(range(50))


@pytest.mark.parametrize("lengths", [None, np.array([100_000, 3, 3, 3])])
def test_one_long_text_among_short_ones_pads_its_own_batch_only(lengths):
    plan = BatchPlan(examples=4, batch_size=2, seed=0, lengths=lengths, batch_tokens=1000)
    padded = sorted((len(batch), plan.length(batch)) for batch in plan.batches(0))
    assert padded == ([(1, 4), (1, 102_400), (2, 4)] if lengths is not None else [(2, 0), (2, 0)])
