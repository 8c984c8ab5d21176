"""kerasft data"""

import click

from kerasft.cli import parse
from kerasft.cli.command import Output, command


@click.group("data")
def group() -> None:
    """Look at data before they are trained on."""


@command("check", heavy=True)
@click.option("--backbone", required=True, help="For example bert/minilm-l6: says what the inputs are.")
@click.option("--task", required=True, help="For example ner: says what the targets are.")
@click.option("--train", required=True, help="File, folder per class, or handle.")
@click.option("--validation", help="The same.")
@click.option("--test", help="The same.")
@click.option("--task-option", multiple=True, metavar="KEY=VALUE", help="For the task, e.g. mode=multi-label.")
@click.option("--input-column", help="If it cannot be recognised.")
@click.option("--target-column", help="If it cannot be recognised.")
@click.option("--encoding", default="utf-8", show_default=True, help="Of text files.")
def check(
    backbone: str,
    task: str,
    train: str,
    validation: str | None,
    test: str | None,
    task_option: tuple[str, ...],
    input_column: str | None,
    target_column: str | None,
    encoding: str,
) -> Output:
    """Count labels, and name all that is wrong or odd by file and line; exit code 2 if training would refuse."""
    from kerasft.engine import check as checking

    sources = {"train": train, "validation": validation, "test": test}
    found = checking.check(
        backbone,
        task,
        {name: source for name, source in sources.items() if source is not None},
        task_options=parse.pairs(task_option, "--task-option"),
        input_column=input_column,
        target_column=target_column,
        encoding=encoding,
    )
    refused = any(part.problems for part in found.values())
    return Output(checking.to_json(found), lambda: checking.show(found), exit_code=2 if refused else 0)


group.add_command(check)

command = group
