import random
from collections import Counter

import numpy as np
import pytest

from kerasft.data import duplicates, repeats, split
from kerasft.errors import DataError, UsageError


def assert_partition(result, n):
    assert sorted([*result.train, *result.held_out]) == list(range(n))
    assert list(result.train) == sorted(result.train) and list(result.held_out) == sorted(result.held_out)


@pytest.mark.parametrize("seed", range(30))
def test_stratified_counts_partition_and_determinism(seed):
    dice = random.Random(seed)
    labels = dice.choices(["a", "b", "c", "d"], [50, 10, 3, 1], k=dice.randrange(4, 200))
    fraction = dice.uniform(0.01, 0.99)
    counts = Counter(labels)
    if max(counts.values()) < 2:
        pytest.skip("nothing to hold out")
    result = split(len(labels), fraction, seed=seed, labels=labels)
    assert_partition(result, len(labels))
    held = Counter(labels[i] for i in result.held_out)
    for label, m in counts.items():
        expected = min(max(round(fraction * m), 1), m - 1) if m > 1 else 0
        assert held[label] == expected
    again = split(len(labels), fraction, seed=seed, labels=labels)
    assert np.array_equal(again.held_out, result.held_out)
    assert bool(result.warnings) == (1 in counts.values())


def test_the_same_rows_everywhere():
    # Fixed here: another platform or numpy that drew other rows would change everybody's test sets.
    assert split(20, 0.3, seed=4).held_out.tolist() == [3, 5, 7, 12, 15, 18]
    labels = ["a", "b"] * 10
    assert split(20, 0.3, seed=4, labels=labels).held_out.tolist() == [3, 4, 7, 12, 15, 18]
    assert split(20, 0.3, seed=3).held_out.tolist() == [0, 1, 4, 7, 9, 16]


def test_single_example_stays_in_train_with_a_warning():
    result = split(5, 0.5, seed=0, labels=["a", "a", "b", "a", "c"])
    assert {2, 4} <= set(result.train.tolist())
    assert result.warnings == ("Classes with a single example, which stays in training: 2 ('b', 'c').",)


def test_random_without_labels_and_for_label_lists():
    for labels in (None, [["a"], [], ["a", "b"], ["b"]] * 5, [0.5] * 20):
        result = split(20, 0.25, seed=1, labels=labels)
        assert_partition(result, 20)
        assert len(result.held_out) == 5
        assert result.warnings == ()


@pytest.mark.parametrize("fraction", [0.0001, 0.9999])
def test_neither_side_is_ever_empty(fraction):
    for labels in (None, ["a", "a"]):
        result = split(2, fraction, seed=0, labels=labels)
        assert len(result.train) == len(result.held_out) == 1


def test_bad_splits():
    for fraction in (0, 1, -0.1, 20, float("nan")):
        with pytest.raises(UsageError, match="between 0 and 1"):
            split(10, fraction, seed=0)
    with pytest.raises(DataError, match="1 examples cannot be split"):
        split(1, 0.5, seed=0)
    with pytest.raises(DataError, match=r"No class has two examples \(3 classes\)"):
        split(3, 0.5, seed=0, labels=["a", "b", "c"])
    with pytest.raises(ValueError, match="2 labels for 3 rows"):
        split(3, 0.5, seed=0, labels=["a", "b"])


def test_duplicates_after_normalization():
    a = ["cafe\u0301  au\nlait", "Tea", "water"]
    b = ["wine", " café au lait", "tea", "water", "water\u00a0"]
    assert duplicates(a, b).tolist() == [1, 3, 4]
    assert repeats(b).tolist() == [4]
    assert duplicates([], b).tolist() == repeats([]).tolist() == []
