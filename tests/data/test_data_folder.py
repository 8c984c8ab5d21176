from pathlib import Path

import pytest

from kerasft.data import read
from kerasft.errors import DataError


def test_folder_per_class(write):
    write("bbc/tech/b.txt", "Two\r\nlines")
    write("bbc/tech/a.txt", b"\xef\xbb\xbfOne")
    write("bbc/art & größe/x.TXT", "Three")
    write("bbc/tech/.hidden", "no")
    examples = read("bbc")
    assert examples.column("text") == ["Three", "One", "Two\r\nlines"]
    assert examples.column("label") == ["art & größe", "tech", "tech"]
    assert [examples.where(i) for i in range(3)] == ["art & größe/x.TXT", "tech/a.txt", "tech/b.txt"]
    assert examples.notes == ()


def test_other_files_are_noted(write):
    for name in ("README.md", "stray.txt", "a/1.txt", "a/1.pdf"):
        write(f"d/{name}", "x")
    examples = read("d")
    assert len(examples) == 1
    assert examples.notes == ("d: 3 files were not read: README.md, stray.txt, a/1.pdf.",)


def test_all_badly_shaped_classes_are_listed(write):
    write("d/good/1.txt", "x")
    write("d/images/1.jpg", "x")
    write("d/deep/2004/1.txt", "x")
    Path("d/void").mkdir()
    with pytest.raises(DataError, match="one folder per class") as error:
        read("d")
    assert error.value.problems == [
        "deep: no .txt file",
        "images: no .txt file",
        "void: no .txt file",
        "deep/2004: a folder inside a class",
    ]


def test_folder_without_classes(write):
    write("d/train.csv", "text\nx\n")
    with pytest.raises(DataError, match=r"without class folders.*It holds train\.csv"):
        read("d")
    Path("e").mkdir()
    with pytest.raises(DataError, match="It is empty"):
        read("e")


def test_every_file_that_is_not_utf8_is_named(write):
    write("d/a/1.txt", "fine")
    write("d/a/2.txt", b"line\ncaf\xe9")
    write("d/b/1.txt", b"\xa3 5")
    with pytest.raises(DataError) as error:
        read("d")
    assert error.value.problems == [
        "a/2.txt:2: byte 0xe9 at offset 8 is not UTF-8",
        "b/1.txt:1: byte 0xa3 at offset 0 is not UTF-8",
    ]
    assert "d: the text of 2 of 3 files is not UTF-8" in str(error.value)
    examples = read("d", encoding="utf-8,latin-1")
    assert examples.column("text") == ["fine", "line\ncafé", "£ 5"]
    assert examples.notes == ("Not UTF-8, so read a/2.txt as Latin-1, b/1.txt as Latin-1.",)
