"""kerasft finetune"""

import json
from pathlib import Path
from typing import Any

import click

from kerasft.cli import parse
from kerasft.cli.command import Output, command


@command("finetune", heavy=True)
@click.option("--backbone", help="For example bert/minilm-l6, ./checkpoint, hf://org/repo.")
@click.option("--task", help="For example classification.")
@click.option("--train", help="File, folder per class, or handle.")
@click.option("--validation", help="Fraction of --train to hold out, a source, or none.  [default: 0.1]")
@click.option("--test", help="As --validation.  [default: none]")
@click.option("--out", help="Run directory.  [default: a new one below runs/]")
@click.option("--epochs", type=int, help="Passes over the training data.  [default: 3]")
@click.option("--batch-size", type=int, help="Examples per update.  [default: 32]")
@click.option("--learning-rate", type=float, help="Peak, after the warmup.  [default: 5e-05]")
@click.option("--seed", type=int, help="Of splits, order, head and dropout.  [default: 0]")
@click.option("--length", type=int, help="Most tokens per text; same as --backbone-option length=N.")
@click.option("--input-column", help="If it cannot be recognised.")
@click.option("--target-column", help="If it cannot be recognised.")
@click.option("--encoding", help="Of text files; several are tried in order: utf-8,latin-1.  [default: utf-8]")
@click.option("--backbone-option", multiple=True, metavar="KEY=VALUE", help="For the backbone (repeatable).")
@click.option("--task-option", multiple=True, metavar="KEY=VALUE", help="For the task, e.g. mode=multi-label.")
@click.option("--config", type=click.Path(path_type=Path), help="config.json of a run, to repeat it.")
@click.option("--overwrite", is_flag=True, help="Replace the run in --out.")
def finetune(
    config: Path | None,
    length: int | None,
    backbone_option: tuple[str, ...],
    task_option: tuple[str, ...],
    **options: Any,
) -> Output:
    """Fine-tune a backbone on your data.

    Shows progress on stderr; at the end prints metrics on the test data (or else the validation data).
    """
    from kerasft.engine.train import repeat
    from kerasft.errors import UsageError

    arguments = {name: value for name, value in options.items() if value is not None}
    for name in ("validation", "test"):
        if name in arguments:
            arguments[name] = parse.part(arguments[name])
    backbone_options = parse.pairs(backbone_option, "--backbone-option")
    if length is not None:
        backbone_options["length"] = length
    if backbone_options:
        arguments["backbone_options"] = backbone_options
    if task_option:
        arguments["task_options"] = parse.pairs(task_option, "--task-option")
    recorded = _read(config) if config else {}
    missing = [f"--{name}" for name in ("backbone", "task", "train") if name not in {**recorded, **arguments}]
    if missing:
        raise UsageError(f"Missing {', '.join(missing)}. `kerasft finetune --help` shows all options.")
    run = repeat(recorded, **arguments)

    def show() -> None:
        run.report.print()
        print(f"\nRun: {run.directory}   Report: {run.directory / 'report.html'}")

    return Output({"run": str(run.directory), **run.report.to_json()}, show)


def _read(path: Path) -> dict[str, Any]:
    from kerasft.errors import UsageError

    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"--config {path} is not JSON: {error}") from error
    if not isinstance(value, dict) or "kerasft" not in value:
        raise UsageError(f"--config {path} is not the config.json of a run.")
    return value


command = finetune
