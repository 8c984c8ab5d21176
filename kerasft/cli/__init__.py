"""The command line: a table of commands that are imported when they are called.

Importing this module costs little more than click, so that ``kerasft --help`` answers at once.
"""

import contextlib
import importlib
import json
from collections.abc import Iterator
from typing import Any

import click

COMMANDS = {
    "demo": "Fine-tune a real BERT on BBC News: train, evaluate, export, serve.",
    "plan": "Say what a run will take before it is made: time, memory, disk.",
    "finetune": "Fine-tune a backbone on your data.",
    "resume": "Go on with an interrupted run.",
    "lr": "Find a learning rate.",
    "data": "Check data: counts, problems, duplicates, by file and line.",
    "grid": "Draw what a model will see of images: a picture.",
    "evaluate": "Measure a run on labelled data.",
    "predict": "Answer for texts, a file, or standard input.",
    "export": "Write a SavedModel that needs nothing of ours.",
    "ls": "List backbones, presets, tasks or recipes.",
    "matrix": "Every backbone × task, and why not.",
    "why": "How a task stands on a backbone.",
    "which": "Which plugin brings a name.",
    "plugins": "Installed plugins and their state.",
    "recipe": "List, show, copy or run recipes.",
    "assets": "List or remove downloaded files.",
    "doctor": "Versions, devices, caches, plugin health.",
}
"""Name and summary of each command; its code is ``kerasft.cli.<name>:command``."""


_JSON = "kerasft.cli.json"  # in the context: whether --json was given


@contextlib.contextmanager
def _mistakes_as_json(ctx: click.Context) -> Iterator[None]:
    """Mistakes in the arguments, which click shows on stderr, become a JSON object on stdout too if that was wanted."""
    try:
        yield
    except click.ClickException as error:
        if ctx.meta[_JSON]:
            about = {"type": type(error).__name__, "message": error.format_message()}
            print(json.dumps({"error": about, "exit_code": error.exit_code}, ensure_ascii=False))
        raise


class _LazyGroup(click.Group):
    """Imports a command's module when the command is used, not to list it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = args[: args.index("--")] if "--" in args else args
        ctx.meta[_JSON] = "--json" in own
        with _mistakes_as_json(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _mistakes_as_json(ctx):
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"kerasft.cli.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from kerasft.errors import UnknownNameError

            raise click.UsageError(str(UnknownNameError("command", args[0], COMMANDS)))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kerasft")
def main() -> None:
    """Fine-tune pretrained models with TensorFlow and Keras 3.

    Every command takes --json (one JSON object on stdout; finetune and resume: one a line), --debug (tracebacks),
    --block PLUGIN and --no-plugins.
    """
