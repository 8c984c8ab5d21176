"""kerasft ls"""

from typing import Any

import click

from kerasft.cli import show
from kerasft.cli.command import Output, command


@command("ls")
@click.argument("kind", type=click.Choice(["backbones", "presets", "tasks", "recipes"]))
def ls(kind: str) -> Output:
    """List backbones, presets, tasks or recipes of the loaded plugins."""
    return listing(kind)


def listing(kind: str) -> Output:
    """What `ls` finds of one kind."""
    from kerasft import host
    from kerasft.specs import describe

    loaded = host.load()
    if kind == "presets":
        rows: list[dict[str, Any]] = [
            {"name": f"{name}/{preset.name}", **{k: v for k, v in describe(preset).items() if k != "name"}}
            for name, spec in loaded.backbones.items()
            for preset in spec.presets
        ]
        columns = ("name", "parameters", "summary")
        cells = [(r["name"], f"{r['parameters']:,}" if r["parameters"] else "-", r["summary"]) for r in rows]
    else:
        rows = [{**describe(spec), "name": name} for name, spec in getattr(loaded, kind).items()]
        detail = {"backbones": "provides", "tasks": "requires", "recipes": "module"}[kind]
        columns = ("name", detail, "summary")
        cells = [
            (r["name"], ", ".join(r[detail]) if isinstance(r[detail], list) else r[detail], r["summary"]) for r in rows
        ]
    return Output({kind: rows}, lambda: show.table(columns, cells))


command = ls
