import datetime

import pyarrow as pa
import pyarrow.parquet as pq

from kerasft.data import fingerprint, read


def test_same_content_same_fingerprint(write):
    one = fingerprint(read(write("a.csv", "text,label\nx,a\ny é,\n")))
    assert one == fingerprint(read(write("sub/b.tsv", "text\tlabel\nx\ta\ny é\t\n")))
    assert one == fingerprint(read(write("c.jsonl", '{"label": "a", "text": "x"}\n{"text": "y é"}\n')))
    chunked = pa.table({"text": pa.chunked_array([["x"], [], ["y é"]]).cast(pa.large_string()), "label": ["a", None]})
    assert one == fingerprint(read(chunked))
    pq.write_table(chunked, "d.parquet", use_dictionary=True)
    assert one == fingerprint(read("d.parquet"))
    assert one == fingerprint(read([("x", "a"), ("q", "q"), ("y é", None)]).take([0, 2]))
    assert len(one) == 64


def test_any_change_changes_it():
    base = {"text": ["a", "b"], "n": [1, 2]}
    variants = [
        base,
        {"text": ["b", "a"], "n": [1, 2]},
        {"text": ["a", "b"], "n": [2, 1]},
        {"text": ["a", "b"], "m": [1, 2]},
        {"text": ["a", "b"], "n": ["1", "2"]},
        {"text": ["a", "b"], "n": [1, None]},
        {"text": ["a", "b"]},
        {"text": ["ab", ""], "n": [1, 2]},
    ]
    assert len({fingerprint(read(each)) for each in variants}) == len(variants)


def test_more_rows_than_one_slice_in_other_chunks():
    values = [f"row {i}" for i in range(150_000)]
    whole = fingerprint(read({"text": values}))
    parts = pa.chunked_array([values[:7], values[7:70_000], values[70_000:]])
    assert whole == fingerprint(read(pa.table({"text": parts})))


def test_bytes_dates_and_lists():
    columns = {"b": [b"\x00\xff"], "d": [datetime.date(2024, 1, 2)], "l": [[1, 2]], "o": [{"k": 1.5}]}
    assert fingerprint(read(columns)) == fingerprint(read(columns))
