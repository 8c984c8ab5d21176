"""kerasft demo"""

import click

from kerasft.cli.command import Output, command

_RECIPE = "bbc_news_bert"


@command("demo", heavy=True)
@click.option("--out", help="Run directory.  [default: a new one below runs/]")
def demo(out: str | None) -> Output:
    """Fine-tune a real BERT on BBC News: train, evaluate, export, serve.

    This is the recipe bbc_news_bert; `kerasft recipe cp bbc_news_bert` makes it yours.
    """
    import importlib

    from kerasft import host

    recipe = importlib.import_module(host.load().recipe(_RECIPE).module)
    run = recipe.main(recipe.Config(out=out))
    data = {"run": str(run.directory), "export": str(run.directory / "export"), **run.report.to_json()}
    return Output(data, lambda: None)


command = demo
