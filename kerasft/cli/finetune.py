"""kerasft finetune"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasft.cli import parse
from kerasft.cli.command import Emit, Output, command

if TYPE_CHECKING:
    from kerasft import Run


@command("finetune", heavy=True, stream=True)
@click.option("--backbone", help="For example bert/minilm-l6, ./checkpoint, hf://org/repo.")
@click.option("--task", help="For example classification.")
@click.option("--train", help="File, folder per class, or handle.")
@click.option("--validation", help="Fraction of --train to hold out, a source, or none.  [default: 0.1]")
@click.option("--test", help="As --validation.  [default: none]")
@click.option("--out", help="Run directory.  [default: a new one below runs/]")
@click.option(
    "--phase",
    multiple=True,
    metavar="TRAIN:EPOCHS[:RATE][:NAME=VALUE,…]",
    help="What trains (head, topN, all), for how long, how fast; repeatable.  [default: the backbone's, see why]",
)
@click.option("--epochs", type=int, help="Of the last default phase.")
@click.option("--learning-rate", type=float, help="Of the last default phase: its peak, after the warmup.")
@click.option("--batch-size", type=int, help="Examples per update.  [default: 32]")
@click.option("--accumulation", type=int, help="Micro-batches that a batch is computed in: less memory.  [default: 1]")
@click.option("--seed", type=int, help="Of splits, order, head and dropout.  [default: 0]")
@click.option("--optimizer", help="adamw, adam, sgd or lion.  [default: adamw]")
@click.option("--weight-decay", type=float, help="Of all weights but biases and norms.  [default: 0.01]")
@click.option("--clip-norm", help="Largest norm of the gradient, or none.  [default: 1]")
@click.option("--ema", type=float, help="Momentum of a moving average of the weights, e.g. 0.999.  [default: none]")
@click.option("--lora-rank", type=int, help="Train low-rank adapters instead of the backbone.  [default: none]")
@click.option("--lora-groups", help="Groups of layers that get them, separated by commas.  [default: all]")
@click.option("--precision", help="float32 or bfloat16.  [default: float32]")
@click.option("--batch-tokens", type=int, help="Most tokens of a batch; fewer long texts then.  [default: no limit]")
@click.option("--balance", is_flag=True, default=None, help="Draw equally often from each class.")
@click.option("--cache-gigabytes", type=float, help="Disk for outputs of frozen layers; 0 for none.  [default: 8]")
@click.option("--monitor", help="Metric that chooses the best epoch, e.g. val_loss.  [default: the task's]")
@click.option("--early-stopping", type=int, metavar="EPOCHS", help="End a phase after so many without a better one.")
@click.option("--checkpoint-steps", type=int, help="Updates between checkpoints.  [default: by the clock only]")
@click.option("--checkpoint-minutes", help="Minutes between checkpoints, or none.  [default: 10]")
@click.option("--devices", help="auto, cpu, all, or how many.  [default: auto]")
@click.option("--strategy", help="auto, one, mirrored, multi-worker or tpu.  [default: auto]")
@click.option("--tensorboard", is_flag=True, default=None, help="Write logs for TensorBoard into the run directory.")
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
    phase: tuple[str, ...],
    lora_rank: int | None,
    lora_groups: str | None,
    emit: Emit | None,
    **options: Any,
) -> Output:
    """Fine-tune a backbone on your data.

    Shows progress on stderr; at the end prints metrics on the test data (or else the validation data). With --json,
    stdout has one JSON object per event of training, and the result as the last line.
    """
    from kerasft import phases
    from kerasft.engine.train import repeat
    from kerasft.errors import UsageError

    arguments = {name: value for name, value in options.items() if value is not None}
    for name in ("validation", "test"):
        if name in arguments:
            arguments[name] = parse.part(arguments[name])
    for name in ("clip_norm", "checkpoint_minutes"):
        if name in arguments:
            arguments[name] = parse.number(arguments[name], f"--{name.replace('_', '-')}")
    backbone_options = parse.pairs(backbone_option, "--backbone-option")
    if length is not None:
        backbone_options["length"] = length
    if backbone_options:
        arguments["backbone_options"] = backbone_options
    if task_option:
        arguments["task_options"] = parse.pairs(task_option, "--task-option")
    if phase:
        arguments["phases"] = [phases.parse(text) for text in phase]
    if lora_groups and lora_rank is None:
        raise UsageError("--lora-groups needs --lora-rank.")
    if lora_rank is not None:
        arguments["lora"] = {"rank": lora_rank, "groups": lora_groups.split(",") if lora_groups else []}
    recorded = _read(config) if config else {}
    missing = [f"--{name}" for name in ("backbone", "task", "train") if name not in {**recorded, **arguments}]
    if missing:
        raise UsageError(f"Missing {', '.join(missing)}. `kerasft finetune --help` shows all options.")
    return trained(repeat(recorded, **arguments, events=emit))


def trained(run: "Run") -> Output:
    """What is shown of a run that has just ended."""
    if not run.writes:
        about = "This worker has done its part; the chief writes the run and evaluates it."
        return Output({"run": str(run.directory), "worker": True}, lambda: print(about))

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
