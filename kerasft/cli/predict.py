"""kerasft predict"""

import json
import sys
from pathlib import Path

import click

from kerasft.cli.command import Output, command


@command("predict", heavy=True)
@click.argument("run")
@click.argument("text", nargs=-1)
@click.option("--input", "file", type=click.Path(path_type=Path), help="A file with one input per row.")
@click.option("--batch-size", default=32, show_default=True, help="Inputs per batch.")
def predict(run: str, text: tuple[str, ...], file: Path | None, batch_size: int) -> Output:
    """Answer for each TEXT, for the rows of a file, or for the lines of standard input."""
    import kerasft
    from kerasft.errors import UsageError

    if text and file:
        raise UsageError("Give either texts or --input, not both.")
    if not text and not file and sys.stdin.isatty():
        raise UsageError("Nothing to predict on: give texts, --input FILE, or lines on standard input.")
    source = file or list(text) or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    answers = kerasft.load(run).predict(source, batch_size=batch_size)

    def show() -> None:
        for answer in answers:
            print(json.dumps(answer, ensure_ascii=False))

    return Output({"run": run, "predictions": answers}, show)


command = predict
