"""kerasft demo"""

import click

from kerasft.cli.command import Output, command

_RECIPE = "bbc_news_bert"


@command("demo", heavy=True)
@click.option("--out", default="runs/bbc-news", show_default=True, help="Run directory.")
@click.option("--overwrite", is_flag=True, help="Replace the run in --out.")
def demo(out: str, overwrite: bool) -> Output:
    """Fine-tune a real BERT on BBC News: train, evaluate, export, serve.

    This is the recipe bbc_news_bert; `kerasft recipe cp bbc_news_bert` makes it yours.
    """
    import importlib

    from kerasft import host

    recipe = importlib.import_module(host.load().recipe(_RECIPE).module)
    run = recipe.main(recipe.Config(out=out, overwrite=overwrite))
    data = {"run": str(run.directory), "export": f"{out}/export", **run.report.to_json()}
    return Output(data, lambda: None)


command = demo
