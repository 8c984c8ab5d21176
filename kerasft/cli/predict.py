"""kerasft predict"""

import json
import sys
from collections.abc import Sequence
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
@click.option("--draw", type=click.Path(path_type=Path), help="Folder for images with what was found drawn on them.")
def predict(
    run: str, text: tuple[str, ...], file: Path | None, batch_size: int, encoding: str | None, draw: Path | None
) -> Output:
    """Answer for each TEXT, for the rows of a file, or for the lines of standard input."""
    import kerasft
    from kerasft.errors import UsageError

    if text and file:
        raise UsageError("Give either texts or --input, not both.")
    if not text and not file and sys.stdin.isatty():
        raise UsageError("Nothing to predict on: give texts, --input FILE, or lines on standard input.")
    loaded = kerasft.load(run)
    task = loaded.model.assembly.task
    if draw is not None and not task.placed:
        raise UsageError(f"--draw draws boxes, and {loaded.config['task']} finds none.")
    encoding = encoding or loaded.config["encoding"]
    if file and file.suffix == ".txt":
        source: Any = _lines(_content(file), str(file), encoding)
    else:
        source = file or list(text) or _lines(sys.stdin.buffer.read(), "standard input", encoding)
    inputs = loaded.inputs(source, encoding=encoding)
    answers = loaded.answer(inputs, batch_size=batch_size)
    if draw is not None:
        _draw(draw, inputs, [task.regions(answer) for answer in answers])

    def show() -> None:
        marks = [task.marks(answer) for answer in answers]
        if sys.stdout.isatty() and any(marks):
            show_marked(inputs, marks)
            return
        for answer in answers:
            print(json.dumps(answer, ensure_ascii=False))

    return Output({"run": run, "predictions": answers}, show)


def show_marked(texts: Sequence[str], marks: Sequence[Sequence[Any]]) -> None:
    """Texts with the places that were found in colour, for a terminal."""
    from rich.console import Console

    from kerasft.marks import coloured

    console, labels = Console(), sorted({mark.label for some in marks for mark in some})
    for text, some in zip(texts, marks, strict=True):
        console.print(coloured(text, some, labels), soft_wrap=True)


def _draw(folder: Path, images: Any, regions: Sequence[Sequence[Any]]) -> None:
    from kerasft.files import cannot_write
    from kerasft.pictures import drawn, upright

    taken: set[str] = set()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for i, some in enumerate(regions):
            name = Path(images.name(i)).stem
            if name in taken:  # images of several folders may be called alike
                name = f"{name}-{i + 1}"
            taken.add(name)
            drawn(upright(images[i]), some).save(folder / f"{name}.png")
    except OSError as error:
        raise cannot_write(folder, error) from error


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
