"""kerasft lr"""

from pathlib import Path
from typing import Any

import click

from kerasft.cli import options, parse
from kerasft.cli.command import Output, command


@command("lr", heavy=True)
@options.sources(required=True)
@click.option("--phase", default="all", show_default=True, help="What trains: head, topN or all.")
@click.option("--steps", type=int, help="Updates.  [default: 100]")
@click.option("--batch-size", type=int, help="Examples per update.  [default: 32]")
@click.option("--optimizer", help="adamw, adam, sgd or lion.  [default: adamw]")
@click.option("--seed", type=int, help="Of order, head and dropout.  [default: 0]")
@options.data
@click.option("--plot", type=click.Path(path_type=Path), default=Path("lr.svg"), show_default=True, help="A picture.")
def lr(
    phase: str,
    plot: Path,
    length: int | None,
    backbone_option: tuple[str, ...],
    task_option: tuple[str, ...],
    **given: Any,
) -> Output:
    """Find a learning rate: train for some updates while it rises, and see where the loss falls.

    Prints a rate to give to --learning-rate or --phase, and writes the curve as a picture.
    """
    import kerasft

    if length is not None:
        backbone_option = (*backbone_option, f"length={length}")
    arguments = {name: value for name, value in given.items() if value is not None}
    found = kerasft.find_learning_rate(
        **arguments,
        phase=kerasft.Phase(phase),
        backbone_options=parse.pairs(backbone_option, "--backbone-option"),
        task_options=parse.pairs(task_option, "--task-option"),
    )
    found.plot(plot)

    def show() -> None:
        print(f"learning rate: {found.suggestion:.1e}   (curve: {plot})")

    return Output({**found.to_json(), "plot": str(plot)}, show)


command = lr
