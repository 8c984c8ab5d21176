import pyarrow as pa
import pytest

from kerasft.data import check_labels, check_text, read
from kerasft.errors import UnknownNameError


def test_null_and_blank_texts_are_listed_in_order(write):
    examples = read(write("a.csv", 'text,label\n,a\nfine,b\n"",c\n"\u3000 \n\t",d\n,e\n'))
    assert check_text(examples, "text") == [
        "a.csv:2: text is missing",
        "a.csv:4: text is blank: ''",
        "a.csv:5: text is blank: '\\u3000 \\n\\t'",
        "a.csv:7: text is missing",
    ]
    assert check_text(examples.take([4, 1]), "text") == ["a.csv:7: text is missing"]
    assert check_text(examples, "label") == []


def test_columns_that_are_not_text():
    examples = read(pa.table({"number": [3, 4], "none": pa.nulls(2), "large": pa.array(["a", " "], pa.large_string())}))
    assert check_text(examples, "number") == ["column 'number' of pyarrow Table holds int64, not text: 3"]
    assert len(check_text(examples, "none")) == 2
    assert check_text(examples, "large") == ["pyarrow Table row 2: large is blank: ' '"]
    with pytest.raises(UnknownNameError):
        check_text(examples, "text")


def test_missing_labels_of_every_type(write):
    examples = read(write("a.csv", 'text,label\nx,\ny,b\nz," "\n'))
    assert check_labels(examples, "label") == ["a.csv:2: label is missing", "a.csv:4: label is blank: ' '"]
    for values in ([1.0, float("nan"), 2.0], [1, None, 2], [["a"], None, []]):
        assert check_labels(read({"label": values}), "label") == ["dict of columns row 2: label is missing"]
    assert check_labels(read({"label": [True, False]}), "label") == []
