"""kerasft plugins"""

import click

from kerasft.cli import show
from kerasft.cli.command import Output, command


@command("plugins")
@click.option("--requirements", is_flag=True, help="Print requirement lines of the loaded plugins.")
def plugins(requirements: bool) -> Output:
    """List installed plugins: where they come from, what they bring, and what went wrong."""
    from kerasft import host

    loaded = host.load()
    lines = loaded.requirements()

    def display() -> None:
        if requirements:
            print("\n".join(lines))
            return
        cells = [
            (p.id, p.status, f"{p.distribution} {p.version}", ", ".join((*p.backbones, *p.tasks, *p.recipes)))
            for p in loaded.plugins
        ]
        show.table(("plugin", "status", "from", "brings"), cells)
        for plugin in loaded.plugins:
            if plugin.reason:
                print(plugin)

    data = {"plugins": [plugin.to_dict() for plugin in loaded.plugins], "requirements": lines}
    return Output(data, display)


command = plugins
