"""Batches of a call of TensorFlow as one element of `tf.data`: the same batches."""

import numpy as np
import pytest
import tensorflow as tf

from kerasft.backbone import Encoded
from kerasft.engine import pipeline
from kerasft.engine.encode import Encodings
from kerasft.engine.pipeline import Batches
from kerasft.engine.plan import BatchPlan
from kerasft.engine.table import Table
from kerasft.model import Together
from kerasft_classification.single_label import SingleLabel

EXAMPLES = 23
LENGTHS = np.random.default_rng(0).integers(1, 9, EXAMPLES)


def batches(plan: BatchPlan, ragged: bool = False) -> Batches:
    encodings = Encodings(lambda raw: Encoded({"numbers": raw}, {}), np.ones((EXAMPLES, 2), np.float32))
    rows = np.arange(EXAMPLES, dtype=np.float32)
    features = Table({"pooled": np.repeat(rows[:, None], 3, axis=1)})
    if ragged:
        features = Table({"tokens": np.repeat(rows, LENGTHS)[:, None]}, LENGTHS, frozenset(["tokens"]))
    return Batches(encodings, SingleLabel(labels=["ham", "spam"]), np.arange(EXAMPLES, dtype=np.int32), plan, features)


def apart(data: tf.data.Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
    """Features and targets of each batch."""
    found = []
    for element in data.as_numpy_iterator():
        if not isinstance(element, Together):
            found.append((element[0][0], element[1]))
            continue
        ends = np.cumsum(element.sizes)
        assert ends[-1] == len(element.examples[1])
        for end, size in zip(ends, element.sizes, strict=True):
            if size:
                found.append((element.examples[0][0][end - size : end], element.examples[1][end - size : end]))
    return found


@pytest.mark.parametrize("batch_tokens", [None, 20])
@pytest.mark.parametrize("step", [0, 1, 4, 6])  # without a limit of tokens an epoch has six
@pytest.mark.parametrize("each", [2, 5, 64])
def test_they_are_those_that_come_one_by_one(each: int, step: int, batch_tokens: int | None) -> None:
    plan = BatchPlan(examples=EXAMPLES, batch_size=4, seed=3, lengths=LENGTHS, limit=8, batch_tokens=batch_tokens)
    made = batches(plan)
    expected = apart(made.dataset(range(3), step))
    data = made.dataset(range(3), step, each)
    assert isinstance(data.element_spec, Together)
    found = apart(data)
    assert len(found) == sum(plan.steps(epoch) for epoch in range(3)) - step
    for (features, targets), (expected_features, expected_targets) in zip(found, expected, strict=True):
        assert np.array_equal(features, expected_features) and np.array_equal(targets, expected_targets)
        assert np.array_equal(features[:, 0], targets)


def test_an_element_has_no_batches_of_two_epochs() -> None:
    plan = BatchPlan(examples=EXAMPLES, batch_size=4, seed=3)
    sizes = [element.sizes.tolist() for element in batches(plan).dataset(range(2), 0, 4).as_numpy_iterator()]
    assert sizes == 2 * [[4, 4, 4, 4], [4, 3, 0, 0]]


def test_examples_that_differ_in_length_or_are_large_come_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = BatchPlan(examples=EXAMPLES, batch_size=4, seed=3, lengths=LENGTHS, limit=8)
    assert not isinstance(batches(plan, ragged=True).dataset(range(1), 0, 2).element_spec, Together)
    monkeypatch.setattr(pipeline, "_TOGETHER", 2 * 4 * 3 * 4)  # two batches of four examples of three float32
    assert isinstance(batches(plan).dataset(range(1), 0, 2).element_spec, Together)
    assert not isinstance(batches(plan).dataset(range(1), 0, 3).element_spec, Together)
