"""kerasft matrix"""

from kerasft.cli import show
from kerasft.cli.command import Output, command


@command("matrix")
def matrix() -> Output:
    """Every backbone × task: whether they fit together, and why not."""
    from kerasft import features, host

    loaded = host.load()
    found = [features.explain(b, t) for b in loaded.backbones.values() for t in loaded.tasks.values()]
    rows = [{"backbone": e.backbone, "task": e.task, "works": e.works, "features": list(e.lines)} for e in found]
    cells = [(e.backbone, e.task, "yes" if e.works else "no", "; ".join(e.lines)) for e in found]
    return Output({"matrix": rows}, lambda: show.table(("backbone", "task", "works", "features"), cells))


command = matrix
