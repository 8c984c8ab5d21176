"""kerasft resume"""

from typing import Any

import click

from kerasft.cli.command import Emit, Output, command
from kerasft.cli.finetune import trained


@command("resume", heavy=True, stream=True)
@click.argument("run")
@click.option("--force", is_flag=True, help="Go on though software or devices are others than before.")
@click.option("--devices", help="With --force, others than before: auto, cpu, all, or how many.")
@click.option("--train", help="Where the same training data are now, if they have been moved.")
@click.option("--validation", help="As --train.")
@click.option("--test", help="As --train.")
def resume(run: str, force: bool, devices: str | None, emit: Emit | None, **moved: Any) -> Output:
    """Go on with a run that was interrupted, to the same result.

    It goes on from the last undamaged checkpoint, or from the beginning if there is none.
    """
    import kerasft

    return trained(kerasft.resume(run, force=force, devices=devices, **moved, events=emit))


command = resume
