import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kerasft.data import read
from kerasft.errors import DataError


def test_types_missing_keys_and_lines(write):
    examples = read(
        write("a.jsonl", '{"text": "a\\u2028b", "y": 1}\n\n{"y": 2.5, "tags": ["p", "q"]}\n{"text": "\u2028"}')
    )
    assert examples.column("text") == ["a\u2028b", None, "\u2028"]
    assert examples.column("y") == [1.0, 2.5, None]
    assert examples.column("tags") == [None, ["p", "q"], None]
    assert [examples.where(i) for i in range(3)] == ["a.jsonl:1", "a.jsonl:3", "a.jsonl:4"]


def test_ndjson_and_windows_line_ends(write):
    assert read(write("a.ndjson", '{"text": "x"}\r\n{"text": "y"}\r\n')).column("text") == ["x", "y"]


def test_all_bad_lines_are_listed(write):
    content = '{"text": "a"}\n{"text": }\n["a"]\n{"t": 1, "t": 2}\n"x"\n' + "[" * 100_000
    with pytest.raises(DataError) as error:
        read(write("a.jsonl", content))
    problems = error.value.problems
    assert problems[0] == "a.jsonl:2, column 10: Expecting value"
    assert problems[1] == "a.jsonl:3: expected an object {…}, found list"
    assert problems[2] == "a.jsonl:4: a key stands twice in one object: t, t"
    assert problems[3] == "a.jsonl:5: expected an object {…}, found text"
    assert problems[4].startswith("a.jsonl:6: ")


def test_mixed_types_list_the_lines_of_each(write):
    labels = ["a"] * 15 + [1, None, True, 2.5]
    lines = "\n".join(json.dumps({"text": "t", "label": label}) for label in labels)
    with pytest.raises(DataError, match="mix types") as error:
        read(write("a.jsonl", lines))
    assert error.value.problems[0] == "column 'label', true/false: a.jsonl:18"
    assert error.value.problems[1] == "column 'label', number: a.jsonl:16, a.jsonl:19"
    assert error.value.problems[2].startswith("column 'label', text: a.jsonl:1, ")
    assert error.value.problems[2].endswith("a.jsonl:10 and 5 more")


def test_lists_of_mixed_types_and_broken_text_are_refused(write):
    with pytest.raises(DataError, match=r"column 'label', a\.jsonl:2"):
        read(write("a.jsonl", '{"label": ["a"]}\n{"label": ["a", 1]}\n'))
    with pytest.raises(DataError, match=r"column 'text', b\.jsonl:1"):
        read(write("b.jsonl", '{"text": "\\ud800"}\n'))


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_empty_jsonl(write, content):
    with pytest.raises(DataError, match=r"a\.jsonl is empty"):
        read(write("a.jsonl", content))


def test_jsonl_not_utf8(write):
    with pytest.raises(DataError, match=r"a\.jsonl:1: byte 0xe9 at offset 13"):
        read(write("a.jsonl", b'{"text": "caf\xe9"}\n'))


def test_parquet_keeps_types_and_decodes_dictionaries(write):
    table = pa.table(
        {
            "text": pa.array(["a", "b", "a"]).dictionary_encode(),
            "label": pa.array([1, 2, None], pa.int8()),
            "tags": [["x"], [], None],
        }
    )
    write("train.parquet", "")
    pq.write_table(table, "train.parquet")
    examples = read("train.parquet")
    assert examples.arrow("text").type == pa.string()
    assert examples.arrow("label").type == pa.int8()
    assert examples.column("text") == ["a", "b", "a"]
    assert examples.column("tags") == [["x"], [], None]
    assert examples.where(2) == "train.parquet row 3"


def test_bad_parquet(write):
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read(write("a.parquet", "text,label\n"))
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), "b.parquet")
    with pytest.raises(DataError, match="holds no examples"):
        read("b.parquet")
