"""kerasft finetune"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasft.cli import options
from kerasft.cli.command import Emit, Output, command

if TYPE_CHECKING:
    from kerasft import Run


@command("finetune", heavy=True, stream=True)
@options.sources()
@options.held_out
@click.option("--out", help="Run directory.  [default: a new one below runs/]")
@options.training
@click.option("--monitor", help="Metric that chooses the best epoch, e.g. val_loss.  [default: the task's]")
@click.option("--early-stopping", type=int, metavar="EPOCHS", help="End a phase after so many without a better one.")
@click.option("--checkpoint-steps", type=int, help="Updates between checkpoints.  [default: by the clock only]")
@click.option("--checkpoint-minutes", help="Minutes between checkpoints, or none.  [default: 10]")
@options.placement
@click.option("--tensorboard", is_flag=True, default=None, help="Write logs for TensorBoard into the run directory.")
@options.data
@options.config
@click.option("--overwrite", is_flag=True, help="Replace the run in --out.")
@click.option("--profile", is_flag=True, help="Say where the time of a step goes, and write a trace into the run.")
def finetune(config: Path | None, emit: Emit | None, **given: Any) -> Output:
    """Fine-tune a backbone on your data.

    Shows progress on stderr; at the end prints metrics on the test data (or else the validation data). With --json,
    stdout has one JSON object per event of training, and the result as the last line.
    """
    from kerasft.engine.train import repeat

    arguments = options.arguments(**given)
    return trained(repeat(options.recorded(config, arguments, "finetune"), **arguments, events=emit))


def trained(run: "Run") -> Output:
    """What is shown of a run that has just ended."""
    if not run.writes:
        about = "This worker has done its part; the chief writes the run and evaluates it."
        return Output({"run": str(run.directory), "worker": True}, lambda: print(about))

    def show() -> None:
        run.report.print()
        print(f"\nRun: {run.directory}   Report: {run.directory / 'report.html'}")

    return Output({"run": str(run.directory), **run.report.to_json()}, show)


command = finetune
