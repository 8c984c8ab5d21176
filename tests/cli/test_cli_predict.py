"""`kerasft predict`: texts from arguments, a file or standard input; answers in their order, nothing dropped."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Answer
from small_runs import Trained, write_csv

Cli = Callable[..., Answer]

TEXTS = ["the a is good", "the b is bad", "good", "the c is bad: 漢字 🙂", "the d is good"]
LABELS = ["kind", "<rude>", "kind", "<rude>", "kind"]


def labels(answer: Answer) -> list[str]:
    """The labels on stdout, one JSON object per line."""
    assert answer.code == 0, answer.stderr
    return [json.loads(line)["label"] for line in answer.stdout.splitlines()]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Puts bytes on standard input."""

    def put(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))

    return put


def test_texts_as_arguments(trained: Trained, cli: Cli) -> None:
    assert labels(cli("predict", trained.directory, *TEXTS)) == LABELS


def test_texts_from_standard_input(trained: Trained, cli: Cli, say: Callable[[bytes], None]) -> None:
    say("\n".join(TEXTS).encode())
    assert labels(cli("predict", trained.directory)) == LABELS
    say("\r\n".join([*TEXTS, ""]).encode())
    assert labels(cli("predict", trained.directory)) == LABELS


def test_texts_from_a_file(trained: Trained, tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "inputs.jsonl"
    path.write_text("".join(json.dumps({"id": i, "text": text, "n": -i}) + "\n" for i, text in enumerate(TEXTS)))
    assert labels(cli("predict", trained.directory, "--input", path, "--batch-size", 2)) == LABELS


def test_texts_from_the_lines_of_a_text_file(trained: Trained, tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "inputs.txt"
    path.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    assert labels(cli("predict", trained.directory, "--input", path)) == LABELS
    missing = cli("predict", trained.directory, "--input", tmp_path / "none.txt")
    assert missing.code == 2
    assert missing.stderr == f"kerasft: {tmp_path}/none.txt: No such file or directory.\n"


def test_a_file_without_the_trained_column_name_is_read_if_there_is_no_doubt(
    trained: Trained, tmp_path: Path, cli: Cli
) -> None:
    path = write_csv(tmp_path / "inputs.csv", [(text,) for text in TEXTS], header=("sentence",))
    assert labels(cli("predict", trained.directory, "--input", path)) == LABELS


def test_another_encoding_is_named(trained: Trained, tmp_path: Path, cli: Cli, say: Callable[[bytes], None]) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("text,label\nthe é is good,kind\nthe è is bad,<rude>\n".encode("latin-1"))
    refused = cli("predict", trained.directory, "--input", path)
    assert refused.code == 2
    assert "say --encoding utf-8,latin-1" in refused.stderr
    assert labels(cli("predict", trained.directory, "--input", path, "--encoding", "utf-8,latin-1")) == LABELS[:2]
    say("the é is good\nthe è is bad".encode("latin-1"))
    assert labels(cli("predict", trained.directory, "--encoding", "latin-1")) == LABELS[:2]

    assert cli("evaluate", trained.directory, "--data", path).code == 2
    answer = cli("evaluate", trained.directory, "--data", path, "--encoding", "utf-8,latin-1", "--json")
    assert answer.json["metrics"]["accuracy"] == 1.0


BAD_INPUT = [
    (["good", " "], b"", "input 2: text is blank"),
    ([""], b"", "input 1: text is blank"),
    ([], b"", "There is no input"),
    ([], b"good\n\nbad\n", "input 2: text is blank"),
    ([], b"good\ncaf\xe9\n", "standard input:2: byte 0xe9 at offset 8 is not UTF-8"),
    (["--input", "{inputs}"], b"", "inputs.csv:3: text is blank"),
    (["--input", "{inputs}", "good"], b"", "either texts or --input, not both"),
    (["--input", "no.csv"], b"", "There is no file or folder 'no.csv'"),
    (["good", "--batch-size", "0"], b"", "batch_size must be 1 or more. Received: 0"),
]


@pytest.mark.parametrize(("arguments", "stdin", "says"), BAD_INPUT)
def test_what_cannot_be_predicted_on_is_refused(
    arguments: list[str],
    stdin: bytes,
    says: str,
    trained: Trained,
    tmp_path: Path,
    cli: Cli,
    say: Callable[[bytes], None],
) -> None:
    inputs = write_csv(tmp_path / "inputs.csv", [("good", "1"), (" ", "2")], header=("text", "number"))
    say(stdin)
    answer = cli("predict", trained.directory, *(word.format(inputs=inputs) for word in arguments))
    assert (answer.code, answer.stdout) == (2, "")
    assert says in answer.stderr
    assert "defect" not in answer.stderr
