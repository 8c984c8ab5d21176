"""kerasft which"""

import click

from kerasft.cli import show
from kerasft.cli.command import Output, command


@command("which")
@click.argument("name")
def which(name: str) -> Output:
    """Say which plugin, distribution and version bring a backbone, task or recipe."""
    from kerasft import host

    rows = [
        {
            "kind": item.kind,
            "name": item.name,
            "qualified": item.qualified,
            "plugin": item.plugin.id,
            "distribution": item.plugin.distribution,
            "version": item.plugin.version,
            "module": item.plugin.module,
        }
        for item in host.load().which(name)
    ]
    columns = ("kind", "qualified", "plugin", "distribution", "version", "module")
    return Output({"found": rows}, lambda: show.table(columns, [[row[c] for c in columns] for row in rows]))


command = which
