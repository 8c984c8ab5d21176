"""kerasft why"""

import click

from kerasft.cli.command import Output, command


@command("why")
@click.argument("backbone")
@click.argument("task")
def why(backbone: str, task: str) -> Output:
    """Explain how TASK stands on BACKBONE, feature by feature, or why it cannot."""
    from kerasft import features, host

    loaded = host.load()
    explanation = features.explain(loaded.find_backbone(backbone)[0], loaded.task(task))
    verdict = "works on" if explanation.works else "cannot stand on"

    def show() -> None:
        print("\n".join([f"{explanation.task} {verdict} {explanation.backbone}:", *explanation.lines]))

    data = {
        "backbone": explanation.backbone,
        "task": explanation.task,
        "works": explanation.works,
        "features": list(explanation.lines),
    }
    return Output(data, show, exit_code=0 if explanation.works else 1)


command = why
