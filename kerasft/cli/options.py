"""Options that several commands have, and what they become."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from kerasft.cli import parse

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _group(*options: Decorator) -> Decorator:
    """Several options as one, in their order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def sources(*, required: bool = False) -> Decorator:
    """Backbone, task and training data."""
    return _group(
        click.option("--backbone", required=required, help="For example bert/minilm-l6, ./checkpoint, hf://org/repo."),
        click.option("--task", required=required, help="For example classification."),
        click.option("--train", required=required, help="File, folder per class, or handle."),
    )


held_out = _group(
    click.option("--validation", help="Fraction of --train to hold out, a source, or none.  [default: 0.1]"),
    click.option("--test", help="As --validation.  [default: none]"),
)

training = _group(
    click.option(
        "--phase",
        multiple=True,
        metavar="TRAIN:EPOCHS[:RATE][:NAME=VALUE,…]",
        help="What trains (head, topN, all), for how long, how fast; repeatable.  [default: the backbone's, see why]",
    ),
    click.option("--epochs", type=int, help="Of the last default phase."),
    click.option("--learning-rate", type=float, help="Of the last default phase: its peak, after the warmup."),
    click.option("--batch-size", type=int, help="Examples per update.  [default: 32]"),
    click.option(
        "--accumulation", type=int, help="Micro-batches that a batch is computed in: less memory.  [default: 1]"
    ),
    click.option("--seed", type=int, help="Of splits, order, head and dropout.  [default: 0]"),
    click.option("--optimizer", help="adamw, adam, sgd or lion.  [default: adamw]"),
    click.option("--weight-decay", type=float, help="Of all weights but biases and norms.  [default: 0.01]"),
    click.option("--clip-norm", help="Largest norm of the gradient, or none.  [default: 1]"),
    click.option("--ema", type=float, help="Momentum of a moving average of the weights, e.g. 0.999.  [default: none]"),
    click.option("--lora-rank", type=int, help="Train low-rank adapters instead of the backbone.  [default: none]"),
    click.option("--lora-groups", help="Groups of layers that get them, separated by commas.  [default: all]"),
    click.option("--precision", help="float32 or bfloat16.  [default: float32]"),
    click.option(
        "--batch-tokens", type=int, help="Most tokens of a batch; fewer long texts then.  [default: no limit]"
    ),
    click.option("--balance", is_flag=True, default=None, help="Draw equally often from each class."),
    click.option(
        "--augment",
        multiple=True,
        metavar="NAME[=STRENGTH]",
        help="Random changes to training images: crop, flip, colour, randaugment, erasing, mixup, cutmix; for boxes "
        "mosaic, crop, flip, colour; repeatable.",
    ),
    click.option(
        "--views",
        type=int,
        help="Augmented copies of each image for which outputs of frozen layers are kept.  [default: 0]",
    ),
    click.option("--cache-gigabytes", type=float, help="Disk for outputs of frozen layers; 0 for none.  [default: 8]"),
)

placement = _group(
    click.option("--devices", help="auto, cpu, all, or how many.  [default: auto]"),
    click.option("--strategy", help="auto, one, mirrored, multi-worker or tpu.  [default: auto]"),
)

data = _group(
    click.option("--length", type=int, help="Most tokens per text; same as --backbone-option length=N."),
    click.option("--input-column", help="If it cannot be recognised."),
    click.option("--target-column", help="If it cannot be recognised."),
    click.option("--encoding", help="Of text files; several are tried in order: utf-8,latin-1.  [default: utf-8]"),
    click.option("--backbone-option", multiple=True, metavar="KEY=VALUE", help="For the backbone (repeatable)."),
    click.option("--task-option", multiple=True, metavar="KEY=VALUE", help="For the task, e.g. mode=multi-label."),
)

config = click.option("--config", type=click.Path(path_type=Path), help="config.json of a run, to repeat it.")


def arguments(
    *,
    length: int | None,
    backbone_option: tuple[str, ...],
    task_option: tuple[str, ...],
    phase: tuple[str, ...],
    lora_rank: int | None,
    lora_groups: str | None,
    **options: Any,
) -> dict[str, Any]:
    """Arguments of `kerasft.finetune`, those that were given.

    Raises:
        UsageError: a value does not read as it should.
    """
    from kerasft import phases
    from kerasft.errors import UsageError

    found = {name: value for name, value in options.items() if value not in (None, ())}
    for name in ("validation", "test"):
        if name in found:
            found[name] = parse.part(found[name])
    for name in ("clip_norm", "checkpoint_minutes"):
        if name in found:
            found[name] = parse.number(found[name], f"--{name.replace('_', '-')}")
    backbone_options = parse.pairs(backbone_option, "--backbone-option")
    if length is not None:
        backbone_options["length"] = length
    if backbone_options:
        found["backbone_options"] = backbone_options
    if task_option:
        found["task_options"] = parse.pairs(task_option, "--task-option")
    if phase:
        found["phases"] = [phases.parse(text) for text in phase]
    if lora_groups and lora_rank is None:
        raise UsageError("--lora-groups needs --lora-rank.")
    if lora_rank is not None:
        found["lora"] = {"rank": lora_rank, "groups": lora_groups.split(",") if lora_groups else []}
    return found


def recorded(path: Path | None, given: Mapping[str, Any], command: str) -> dict[str, Any]:
    """What ``--config`` names, or nothing.

    Raises:
        UsageError: it is not the config.json of a run, or what is needed stands neither there nor in `given`.
    """
    from kerasft.errors import UsageError

    found = _read(path) if path else {}
    missing = [f"--{name}" for name in ("backbone", "task", "train") if name not in {**found, **given}]
    if missing:
        raise UsageError(f"Missing {', '.join(missing)}. `kerasft {command} --help` shows all options.")
    return found


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
