"""kerasft assets"""

from typing import Any

import click

from kerasft.cli import show
from kerasft.cli.command import Output, command


@click.group("assets")
def group() -> None:
    """List or remove downloaded checkpoints and datasets."""


@command("ls")
def ls() -> Output:
    """List what the cache holds."""
    from kerasft import assets

    entries = assets.entries()
    rows: list[dict[str, Any]] = [
        {"handle": e.handle, "bytes": e.bytes, "date": str(e.date), "path": str(e.path)} for e in entries
    ]

    def display() -> None:
        show.table(("size", "date", "handle"), [(size(r["bytes"]), r["date"][:10], r["handle"]) for r in rows])
        print(f"{size(sum(e.bytes for e in entries))} in {assets.cache_dir()}")

    return Output({"cache": str(assets.cache_dir()), "assets": rows}, display)


@command("rm")
@click.argument("handle")
def rm(handle: str) -> Output:
    """Remove entries by HANDLE or pattern ("pypi://*")."""
    from kerasft import assets

    removed = assets.remove(handle)

    def display() -> None:
        for entry in removed:
            print(f"removed {entry.handle} ({size(entry.bytes)})")

    return Output({"removed": [entry.handle for entry in removed]}, display)


def size(count: int) -> str:
    """Bytes for a reader."""
    return f"{count / 1e6:.1f} MB"


group.add_command(ls)
group.add_command(rm)
command = group
