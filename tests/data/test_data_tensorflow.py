import numpy as np
import pytest
import tensorflow as tf

from kerasft.data import read
from kerasft.errors import DataError, UsageError

PAIRS = (["a", "é", "c"], [0, 1, 0])


@pytest.mark.parametrize("batch", [None, 2, 5])
def test_pairs_and_dicts_batched_or_not(batch):
    for dataset in (
        tf.data.Dataset.from_tensor_slices(PAIRS),
        tf.data.Dataset.from_tensor_slices(dict(zip(("text", "label"), PAIRS, strict=True))),
    ):
        examples = read(dataset.batch(batch) if batch else dataset)
        assert examples.column("text") == PAIRS[0]
        assert examples.column("label") == PAIRS[1]
        assert examples.where(2) == "tf.data.Dataset example 3"


@pytest.mark.parametrize("batch", [None, 2])
def test_vectors_stay_lists(batch):
    dataset = tf.data.Dataset.from_tensor_slices((["a", "b", "c"], np.eye(3, dtype="float32")))
    examples = read(dataset.batch(batch) if batch else dataset)
    assert examples.column("label") == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_ragged_tags():
    tags = tf.ragged.constant([["x"], [], ["y", "z"]])
    dataset = tf.data.Dataset.from_tensor_slices({"text": ["a", "b", "c"], "tags": tags})
    for each in (dataset, dataset.batch(2)):
        assert read(each).column("tags") == [["x"], [], ["y", "z"]]
    numbers = tf.ragged.constant([[[1], []], [], [[2, 3]]])
    dataset = tf.data.Dataset.from_tensor_slices({"text": ["a", "b", "c"], "spans": numbers})
    for each in (dataset, dataset.batch(2)):
        assert read(each).column("spans") == [[[1], []], [], [[2, 3]]]


def test_text_alone():
    assert read(tf.data.Dataset.from_tensor_slices(["a", "b"])).columns == ["text"]


def test_infinite_and_odd_datasets_are_refused():
    dataset = tf.data.Dataset.from_tensor_slices(PAIRS)
    with pytest.raises(UsageError, match=r"infinite: remove \.repeat"):
        read(dataset.repeat())
    assert len(read(dataset.repeat(2))) == 6
    with pytest.raises(UsageError, match=r"must be \(text, label\), \(image, label\) or dicts"):
        read(dataset.map(lambda text, label: (text, label, 1.0)))
    with pytest.raises(UsageError, match="must be dense or ragged"):
        read(dataset.map(lambda text, label: (text, tf.sparse.from_dense([label]))))
    with pytest.raises(DataError, match="holds no examples"):
        read(dataset.take(0))


def test_bytes_that_are_not_utf8():
    with pytest.raises(DataError, match=r"tf\.data\.Dataset example 2: text is not UTF-8 at byte 1"):
        read(tf.data.Dataset.from_tensor_slices(([b"a", b"b\xff"], [0, 1])))
