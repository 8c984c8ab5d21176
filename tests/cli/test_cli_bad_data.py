"""Data that cannot be trained on: exit code 2, a message that says which file and where, and no run directory."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_line import Answer
from small_runs import TINY

Cli = Callable[..., Answer]

GOOD = "text,label\n" + "".join(f"good {i},pos\nbad {i},neg\n" for i in range(4))


@dataclass(frozen=True)
class Case:
    """A file, what the message must say of it, and options besides."""

    name: str
    content: str | bytes
    says: tuple[str, ...]
    options: tuple[str, ...] = ()

    def write(self, folder: Path) -> Path:
        content = self.content if isinstance(self.content, bytes) else self.content.encode()
        (folder / self.name).write_bytes(content)
        return folder / self.name


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def row(text: object, label: object) -> dict[str, object]:
    return {"text": text, "label": label}


TRAIN = [
    Case("empty.csv", "", ("empty.csv is empty",)),
    Case("header.csv", "text,label\n", ("header.csv has a header (text, label) but no examples",)),
    Case("no-target.csv", "text\na\nb\n", ("no-target.csv", "--target-column", "for example 'a'")),
    Case("doubt.csv", "text,one,two\na,b,c\n", ("doubt.csv", "--target-column", "  one ", "  two ")),
    Case("missing.csv", GOOD, ("no column named 'topic'", "missing.csv"), ("--target-column", "topic")),
    Case(
        "nulls.csv",
        "text,label\ngood,pos\nbad,\n,neg\n\" \t\",neg\n",
        ("nulls.csv:3: label is missing", "nulls.csv:4: text is missing", "nulls.csv:5: text is blank: ' \\t'"),
    ),
    Case(
        "nulls.jsonl",
        lines(row("good", "pos"), row("bad", None), row(None, "neg"), row("", "neg")),
        ("nulls.jsonl:2: label is missing", "nulls.jsonl:3: text is missing", "nulls.jsonl:4: text is blank: ''"),
    ),
    Case(
        "mixed.jsonl",
        lines(row("good", "pos"), row("bad", 3)),
        ("mixed.jsonl", "column 'label', text: ", "column 'label', number: ", "mixed.jsonl:2"),
    ),
    Case("one-class.csv", "text,label\na,pos\nb,pos\n", ("one-class.csv", "at least two labels", "'pos'")),
    Case(
        "latin.csv",
        "text,label\ngood,pos\ncafé,neg\n".encode("latin-1"),
        ("latin.csv:3: byte 0xe9 at offset 23 is not UTF-8", "--encoding utf-8,latin-1"),
    ),
    Case("ragged.csv", "text,label\na,pos\nb,neg,more\n", ("ragged.csv:3",)),
    Case("broken.jsonl", '{"text": "a", "label": "b"}\n{"text": \n', ("broken.jsonl:2",)),
    Case("broken.parquet", b"PAR1 and nothing else", ("broken.parquet",)),
    Case("data.xlsx", b"PK", ("data.xlsx", "unknown format '.xlsx'", ".csv")),
    Case(
        "words.csv",
        "text,label\na,1.5\nb,much\n",
        ("words.csv:3: 'much'", "not finite numbers"),
        ("--task-option", "mode=regression", "--validation", "none"),
    ),
    Case(
        "constant.csv",
        "text,label\na,3\nb,3\n",
        ("constant.csv", "nothing to learn"),
        ("--task-option", "mode=regression", "--validation", "none"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", TRAIN, ids=lambda case: case.name)
def test_training_data_that_cannot_be_used(case: Case, tmp_path: Path, cli: Cli) -> None:
    train = case.write(tmp_path)
    answer = cli("finetune", *TINY, "--train", train, "--out", tmp_path / "run", *case.options)
    assert_refused(answer, case.says, tmp_path)


VALIDATION = [
    Case("unseen.csv", "text,label\ngood,pos\nwell,maybe\n", ("unseen.csv:3: 'maybe'", "it has: neg, pos")),
    Case("null.csv", "text,label\ngood,\n", ("null.csv:2: label is missing",)),
    Case("blank.csv", 'text,label\n" ",pos\n', ("blank.csv:2: text is blank",)),
    Case("other.csv", "sentence,label\ngood,pos\n", ("no column named 'text'", "other.csv")),
    Case("empty.csv", "", ("empty.csv is empty",)),
    Case("latin.csv", b"text,label\n\xff,pos\n", ("latin.csv:2: byte 0xff at offset 11 is not UTF-8",)),
]


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("case", VALIDATION, ids=lambda case: case.name)
def test_held_out_data_that_cannot_be_used(case: Case, part: str, tmp_path: Path, cli: Cli) -> None:
    train = Case("train.csv", GOOD, ()).write(tmp_path)
    answer = cli(
        "finetune", *TINY, "--train", train, f"--{part}", case.write(tmp_path), "--out", tmp_path / "run"
    )  # fmt: skip
    assert_refused(answer, case.says, tmp_path)


def test_problems_of_all_files_are_listed_at_once(tmp_path: Path, cli: Cli) -> None:
    train = Case("train.csv", GOOD + " ,pos\n", ()).write(tmp_path)
    test = Case("test.csv", "text,label\ngood,\n", ()).write(tmp_path)
    answer = cli("finetune", *TINY, "--train", train, "--test", test, "--out", tmp_path / "run")
    assert_refused(answer, ("2 problems", "train.csv:10: text is blank", "test.csv:2: label is missing"), tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path, cli: Cli) -> None:
    answer = cli("finetune", *TINY, "--train", tmp_path / "no.csv", "--out", tmp_path / "run")
    assert_refused(answer, ("There is no file or folder", "no.csv"), tmp_path)


def test_an_empty_folder(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "data").mkdir()
    answer = cli("finetune", *TINY, "--train", tmp_path / "data", "--out", tmp_path / "run")
    assert_refused(answer, ("without class folders",), tmp_path)


def assert_refused(answer: Answer, says: tuple[str, ...], folder: Path) -> None:
    """Exit code 2, a message with all of `says` and no traceback, and nothing left behind."""
    assert answer.code == 2, answer
    assert answer.stdout == ""
    assert answer.stderr.startswith("kerasft: ")
    assert [said for said in says if said not in answer.stderr] == [], answer.stderr
    assert "Traceback" not in answer.stderr
    assert "defect" not in answer.stderr
    assert not (folder / "run").exists()
