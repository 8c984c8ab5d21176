import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kerasft.data import Examples, read
from kerasft.errors import DataError, UnknownNameError, UsageError


@pytest.mark.parametrize(
    "source",
    [
        [{"text": "a", "label": 1}, {"text": "b", "label": 2}],
        [("a", 1), ["b", 2]],
        (("a", np.int64(1)), ("b", np.int64(2))),
        {"text": ["a", "b"], "label": np.array([1, 2])},
        {"text": np.array(["a", "b"]), "label": (1, 2)},
        pd.DataFrame({"text": ["a", "b"], "label": [1, 2]}, index=[7, 7]),
        pa.table({"text": pa.chunked_array([["a"], ["b"]]), "label": [1, 2]}),
    ],
)
def test_every_kind_gives_the_same_columns(source):
    examples = read(source)
    assert examples.columns == ["text", "label"]
    assert examples.column("text") == ["a", "b"]
    assert examples.column("label") == [1, 2]
    assert "2" in examples.where(1)


def test_texts_alone_and_examples_as_they_are():
    examples = read(["a", "b"])
    assert examples.columns == ["text"]
    assert read(examples) is examples


def test_dicts_with_missing_keys():
    examples = read([{"text": "a"}, {"label": "x"}])
    assert examples.column("text") == ["a", None]
    assert examples.where(1) == "list item 2"


def test_bad_lists():
    with pytest.raises(DataError, match="The list holds no examples"):
        read([])
    with pytest.raises(DataError, match=r"pair; these are not:\n  list item 2: \('b',\)"):
        read([("a", 1), ("b",), ("c", 2)])
    with pytest.raises(DataError, match="list item 1: 5"):
        read([5])
    with pytest.raises(DataError, match="must be a dict; these are not:\n  list item 2: 'b'"):
        read([{"text": "a"}, "b"])
    with pytest.raises(DataError, match=r"column 'label', number: list item 2\n.*text: list item 1, list item 3"):
        read([("a", "x"), ("b", 3), ("c", "y")])


def test_bad_dicts_of_columns():
    with pytest.raises(DataError, match=r"differ in length: \{'text': 2, 'label': 1\}"):
        read({"text": ["a", "b"], "label": [1]})
    with pytest.raises(UsageError, match="'text' must be a sequence of values, not text"):
        read({"text": "abc"})
    with pytest.raises(DataError, match="holds no examples"):
        read({"text": []})


def test_other_objects_are_refused_with_what_is_accepted():
    with pytest.raises(UsageError, match=r"Cannot read examples from int.*pandas DataFrame"):
        read(5)


def test_data_frame_missing_values_and_types():
    frame = pd.DataFrame(
        {
            "text": pd.Series(["a", None, "c"], dtype=object),
            "kind": pd.Categorical(["x", "y", None]),
            "score": [0.5, float("nan"), 1.5],
            3: [1, 2, 3],
        }
    )
    examples = read(frame)
    assert examples.columns == ["text", "kind", "score", "3"]
    assert examples.column("text") == ["a", None, "c"]
    assert examples.column("kind") == ["x", "y", None]
    assert examples.column("score") == [0.5, None, 1.5]
    assert examples.where(2) == "DataFrame row 3"


def test_bad_data_frames():
    with pytest.raises(DataError, match="column 'label', number: DataFrame row 2"):
        read(pd.DataFrame({"label": ["a", 2, "b"]}))
    with pytest.raises(DataError, match="'a': columns 1, 2"):
        read(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(DataError, match="holds no examples"):
        read(pd.DataFrame({"text": []}))


def test_take_column_and_where():
    examples = read([(str(i), i) for i in range(10)])
    taken = examples.take(np.array([7, 3, 5])).take([2, 0])
    assert isinstance(taken, Examples)
    assert taken.column("label") == [5, 7]
    assert [taken.where(i) for i in range(2)] == ["list item 6", "list item 8"]
    assert len(examples.take([])) == 0
    with pytest.raises(UnknownNameError, match=r"no column named 'lable'\.\nDid you mean label"):
        examples.column("lable")
