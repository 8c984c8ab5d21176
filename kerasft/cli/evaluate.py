"""kerasft evaluate"""

import click

from kerasft.cli.command import Output, command


@command("evaluate", heavy=True)
@click.argument("run")
@click.option("--data", required=True, help="Labelled data: file, folder per class, or handle.")
@click.option("--batch-size", default=32, show_default=True, help="Examples per batch.")
@click.option("--encoding", help="Of text files.  [default: as in training]")
def evaluate(run: str, data: str, batch_size: int, encoding: str | None) -> Output:
    """Measure RUN on labelled data whose columns are named as in training."""
    import kerasft

    report = kerasft.load(run).evaluate(data, batch_size=batch_size, encoding=encoding)
    return Output({"run": run, **report.to_json()}, report.print)


command = evaluate
