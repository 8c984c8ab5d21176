"""kerasft predict"""

import json
import sys
from pathlib import Path
from typing import Any

import click

from kerasft.cli.command import Output, command


@command("predict", heavy=True)
@click.argument("run")
@click.argument("text", nargs=-1)
@click.option("--input", "file", type=click.Path(path_type=Path), help="A table, or lines in a .txt file.")
@click.option("--batch-size", default=32, show_default=True, help="Inputs per batch.")
@click.option("--encoding", help="Of text files and standard input.  [default: as in training]")
def predict(run: str, text: tuple[str, ...], file: Path | None, batch_size: int, encoding: str | None) -> Output:
    """Answer for each TEXT, for the rows of a file, or for the lines of standard input."""
    import kerasft
    from kerasft.errors import UsageError

    if text and file:
        raise UsageError("Give either texts or --input, not both.")
    if not text and not file and sys.stdin.isatty():
        raise UsageError("Nothing to predict on: give texts, --input FILE, or lines on standard input.")
    loaded = kerasft.load(run)
    encoding = encoding or loaded.config["encoding"]
    if file and file.suffix == ".txt":
        source: Any = _lines(_content(file), str(file), encoding)
    else:
        source = file or list(text) or _lines(sys.stdin.buffer.read(), "standard input", encoding)
    answers = loaded.predict(source, batch_size=batch_size, encoding=encoding)

    def show() -> None:
        for answer in answers:
            print(json.dumps(answer, ensure_ascii=False))

    return Output({"run": run, "predictions": answers}, show)


def _content(file: Path) -> bytes:
    from kerasft.errors import DataError

    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}.") from error


def _lines(content: bytes, source: str, encoding: str) -> list[str]:
    """The lines of a text; an empty one is kept, since answers are counted like lines."""
    from kerasft.data.text_files import decode, not_decodable

    decoded = decode(content, source, encoding)
    if decoded.problems:
        raise not_decodable(source, encoding, decoded.problems)
    lines = decoded.text.split("\n")
    return [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]


command = predict
