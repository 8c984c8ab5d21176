"""kerasft recipe"""

import contextlib
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import click

from kerasft.cli import ls as ls_module
from kerasft.cli.command import Output, command


@click.group("recipe")
def group() -> None:
    """List, show, copy or run recipes: short scripts to make your own."""


@command("show")
@click.argument("name")
def show(name: str) -> Output:
    """Print a recipe."""
    path = source(name)
    text = path.read_text(encoding="utf-8")
    return Output({"name": name, "path": str(path), "source": text}, lambda: print(text, end=""))


@command("cp")
@click.argument("name")
@click.argument("target", type=click.Path(path_type=Path), default=Path())
def cp(name: str, target: Path) -> Output:
    """Copy a recipe to TARGET, a file or a directory; the copy is yours."""
    from kerasft import files
    from kerasft.errors import UsageError

    path = source(name)
    target = target / path.name if target.is_dir() else target
    if target.exists():
        raise UsageError(f"{target} exists already; nothing was copied.")
    files.write_text(target, path.read_text(encoding="utf-8"))
    return Output({"name": name, "copied_to": str(target)}, lambda: print(f"Copied to {target}"))


@command("run", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(name: str, arguments: tuple[str, ...]) -> Output:
    """Run a recipe with its own options: kerasft recipe run NAME -- --epochs 1."""
    code = _wait(subprocess.Popen([sys.executable, str(source(name)), *arguments]))
    return Output({"name": name, "exit_code": code}, lambda: None, exit_code=code)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process, which is left to save its state when Ctrl-C reaches it too."""
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            code = process.wait()
            return code if code >= 0 else 128 - code  # as a shell says that a signal ended it


def source(name: str) -> Path:
    """The file of a recipe.

    Raises:
        UnknownNameError: no such recipe.
        PluginError: its module is missing from the installation.
    """
    from kerasft import host
    from kerasft.errors import PluginError

    module = host.load().recipe(name).module
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # of the package around it
        found = None
    if found is None or found.origin is None:
        raise PluginError(f"The recipe {name} names the module {module}, which is not installed.")
    return Path(found.origin)


@command("ls")
def ls() -> Output:
    """List recipes."""
    return ls_module.listing("recipes")


for item in (ls, show, cp, run):
    group.add_command(item)
command = group
