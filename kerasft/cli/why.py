"""kerasft why"""

import click

from kerasft.cli.command import Output, command


@command("why")
@click.argument("backbone")
@click.argument("task")
def why(backbone: str, task: str) -> Output:
    """Explain how TASK stands on BACKBONE, feature by feature, or why it cannot, and how it is trained by default."""
    from kerasft import features, host, phases

    loaded = host.load()
    spec = loaded.find_backbone(backbone)[0]
    explanation = features.explain(spec, loaded.task(task))
    trained = phases.resolve(None, spec.phases)
    source = spec.phases_source if spec.phases else phases.DEFAULTS_SOURCE
    verdict = "works on" if explanation.works else "cannot stand on"

    def show() -> None:
        print("\n".join([f"{explanation.task} {verdict} {explanation.backbone}:", *explanation.lines]))
        if explanation.works:
            print("\n".join(["trained in phases, unless you say others:", *map(phases.describe, trained)]))
            print(f"source: {source}")

    data = {
        "backbone": explanation.backbone,
        "task": explanation.task,
        "works": explanation.works,
        "features": list(explanation.lines),
        "phases": [phases.to_json(phase) for phase in trained],
        "phases_source": source,
    }
    return Output(data, show, exit_code=0 if explanation.works else 1)


command = why
