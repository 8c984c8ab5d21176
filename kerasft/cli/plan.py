"""kerasft plan"""

from pathlib import Path
from typing import Any

from kerasft.cli import options
from kerasft.cli.command import Output, command


@command("plan", heavy=True)
@options.sources()
@options.held_out
@options.training
@options.placement
@options.data
@options.config
def plan(config: Path | None, **given: Any) -> Output:
    """Say what a fine-tuning run will take, from a few of its steps: time, memory, disk.

    Takes the options of `kerasft finetune`. Nothing is trained and nothing is written.
    """
    import kerasft
    from kerasft.engine import record
    from kerasft.engine.train import finetune

    arguments = options.arguments(**given)
    before = options.recorded(config, arguments, "plan")
    found = kerasft.plan(**record.arguments(before, arguments, finetune))
    return Output(found.to_json(), found.print)


command = plan
