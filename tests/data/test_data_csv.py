import csv
import io
import random
from pathlib import Path

import pytest

from kerasft.data import delimited, read
from kerasft.data.delimited_lines import scan
from kerasft.errors import DataError, UsageError


def rows(examples):
    return list(zip(*(examples.column(name) for name in examples.columns), strict=True))


def test_every_value_stays_text(write):
    examples = read(write("a.csv", "text,label\n007,001\n1e5,True\nNA,null\n"))
    assert rows(examples) == [("007", "001"), ("1e5", "True"), ("NA", "null")]


def test_empty_cell_is_null_and_quoted_empty_cell_is_not(write):
    assert rows(read(write("a.csv", 'text,label\n,a\n"",b\n'))) == [(None, "a"), ("", "b")]


def test_true_line_numbers_after_quoted_newlines_and_blank_lines(write):
    examples = read(write("a.csv", 'text,label\n"one\ntwo\n\nthree",a\n\nfour,b\r\n"f""i,ve",c\n'))
    assert examples.column("text") == ["one\ntwo\n\nthree", "four", 'f"i,ve']
    assert [examples.where(i) for i in range(3)] == ["a.csv:2", "a.csv:7", "a.csv:8"]
    assert examples.take([2, 0]).where(0) == "a.csv:8"


def test_byte_order_mark_and_blanks_around_names(write):
    examples = read(write("a.csv", b"\xef\xbb\xbftext, label\nx, y\n"))
    assert examples.columns == ["text", "label"]
    assert rows(examples) == [("x", " y")]


def test_old_mac_line_ends(write):
    examples = read(write("a.csv", "text,label\rx,a\ry,b"))
    assert rows(examples) == [("x", "a"), ("y", "b")]
    assert examples.where(1) == "a.csv:3"


def test_quoted_newline_in_header(write):
    examples = read(write("a.csv", '"the\ntext",label\nx,a\n'))
    assert examples.columns == ["the\ntext", "label"]
    assert examples.where(0) == "a.csv:3"


@pytest.mark.parametrize("content", ["", "\n \n", b"\xef\xbb\xbf"])
def test_empty_file(write, content):
    with pytest.raises(DataError, match=r"a\.csv is empty: expected a header line"):
        read(write("a.csv", content))


@pytest.mark.parametrize("content", ["text,label", "text,label\n", "text,label\n\n\n"])
def test_header_only(write, content):
    with pytest.raises(DataError, match=r"a\.csv has a header \(text, label\) but no examples"):
        read(write("a.csv", content))


def test_all_ragged_rows_are_listed_with_their_lines(write):
    with pytest.raises(DataError) as error:
        read(write("a.csv", 'text,label\n"x\ny",a\nalone\n\n1,2,3\nfine,b\n'))
    assert error.value.problems == ["a.csv:4: found 1: 'alone'", "a.csv:6: found 3: '1,2,3'"]
    assert "expected 2 cells per row (text, label)" in str(error.value)


def test_lines_and_values_across_blocks(write, monkeypatch):
    monkeypatch.setattr(delimited, "_BLOCK", 64)
    lines = "".join(f'"row\n{i}",{i % 3}\n' for i in range(100))
    examples = read(write("a.csv", f"text,label\n{lines}"))
    assert examples.column("text") == [f"row\n{i}" for i in range(100)]
    assert examples.where(99) == "a.csv:200"
    with pytest.raises(DataError) as error:
        read(write("b.csv", f"text,label\n{lines}alone\n{lines}1,2,3\n"))
    assert error.value.problems == ["b.csv:202: found 1: 'alone'", "b.csv:403: found 3: '1,2,3'"]


def test_index_column_without_a_name(write):
    assert rows(read(write("a.csv", ",text\n0,x\n"))) == [("0", "x")]


def test_duplicate_column_names(write):
    with pytest.raises(DataError, match=r"'text': columns 1, 3"):
        read(write("a.csv", "text,label,text\n1,2,3\n"))


def test_unclosed_quote_and_text_after_a_quote(write):
    with pytest.raises(DataError, match="quotes do not pair up") as error:
        read(write("a.csv", 'text,label\n"He said "hi" twice",a\nfine,b\n"never closed,c\nmore,d\n'))
    assert error.value.problems == ["a.csv:2", "a.csv:4"]


def test_quote_inside_an_unquoted_cell_is_a_character(write):
    assert read(write("a.csv", 'text,label\n5" disk,a\n')).column("text") == ['5" disk']


def test_wrong_separator_is_named(write):
    with pytest.raises(DataError, match="must be separated by ',', not ';'"):
        read(write("a.csv", "text;label\nx;a\n"))


def test_tsv_with_quoting(write):
    examples = read(write("a.tsv", 'text\tlabel\n"a ""b""\tc\nd"\t001\nx\ty\n'))
    assert rows(examples) == [('a "b"\tc\nd', "001"), ("x", "y")]
    assert examples.where(1) == "a.tsv:4"


def test_tsv_without_quoting_keeps_its_quotes_and_says_so(write):
    examples = read(write("a.tsv", 'text\tlabel\nplain\ta\n"Hi" she said\tb\n"open\tc\n'))
    assert examples.column("text") == ["plain", '"Hi" she said', '"open']
    assert examples.where(2) == "a.tsv:4"
    assert len(examples.notes) == 1 and "a.tsv:3" in examples.notes[0]


def test_not_utf8_names_line_and_byte_of_every_place(write):
    name = write("a.csv", b"text,label\ncaf\xe9,a\nfine,b\nna\xefve,c\n")
    with pytest.raises(DataError) as error:
        read(name)
    assert error.value.problems == [
        "a.csv:2: byte 0xe9 at offset 14 is not UTF-8",
        "a.csv:4: byte 0xef at offset 27 is not UTF-8",
    ]
    assert "--encoding utf-8,latin-1" in str(error.value)


def test_latin_1_on_request_is_noted(write):
    name = write("a.csv", b"text,label\ncaf\xe9,a\n")
    examples = read(name, encoding="utf-8,latin-1")
    assert examples.column("text") == ["café"]
    assert examples.notes == ("Not UTF-8, so read a.csv as Latin-1.",)
    assert read(name, encoding="latin-1").notes == ()
    assert examples.where(0) == "a.csv:2"


def test_utf_16_is_recognized_and_read_on_request(write):
    name = write("a.tsv", "text\tlabel\nzwölf\ta\n".encode("utf-16"))
    with pytest.raises(DataError, match="--encoding utf-16"):
        read(name)
    assert read(name, encoding="utf-16").column("text") == ["zwölf"]


def test_unknown_encoding(write):
    with pytest.raises(UsageError, match="no text encoding named 'latin-11'"):
        read(write("a.csv", "text\nx\n"), encoding="utf-8, latin-11")
    with pytest.raises(UsageError, match="'base64'"):
        read(write("a.csv", "text\nx\n"), encoding="base64")


def test_missing_file_suggests_the_nearest(write):
    write("data/news.csv", "text\nx\n")
    with pytest.raises(UsageError, match=r"no file or folder 'data/new.csv'.*Did you mean data.news\.csv"):
        read("data/new.csv")


def test_unreadable_file(write, monkeypatch):
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    name = write("a.csv", "text\nx\n")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"a\.csv cannot be read: Permission denied"):
        read(name)


def test_unreadable_folder(write, monkeypatch):
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    write("d/a/1.txt", "x")
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match=r"d cannot be read: Permission denied"):
        read("d")


def test_unknown_format(write):
    with pytest.raises(UsageError, match=r"unknown format '\.xlsx'.*\.csv"):
        read(write("a.xlsx", "x"))


def test_split_of_what_has_none(write):
    with pytest.raises(UsageError, match="no split 'train'"):
        read(write("a.csv", "text\nx\n") + "#split=train")


@pytest.mark.parametrize("seed", range(20))
def test_lines_and_values_agree_with_the_csv_module(write, seed):
    dice = random.Random(seed)
    alphabet = ["a", "é", " ", ",", '"', "\n", "\r\n", "\t"]
    table = [["".join(dice.choices(alphabet, k=dice.randrange(6))) for _ in range(3)] for _ in range(50)]
    buffer = io.StringIO(newline="")
    csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator=dice.choice(["\n", "\r\n"])).writerows(
        [["x", "y", "z"], *table]
    )
    examples = read(write("a.csv", buffer.getvalue()))
    assert rows(examples) == [tuple(row) for row in table]
    reader, starts = csv.reader(io.StringIO(buffer.getvalue(), newline="")), [1]
    for _ in reader:
        starts.append(reader.line_num + 1)
    assert scan(buffer.getvalue(), ",").lines.tolist() == starts[:-1]
