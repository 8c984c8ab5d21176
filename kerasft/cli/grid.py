"""kerasft grid"""

from pathlib import Path

import click

from kerasft.cli import parse
from kerasft.cli.command import Output, command


@command("grid", heavy=True)
@click.option("--backbone", required=True, help="For example vgg/vgg16-hed: its size and crop are the picture's.")
@click.option("--train", required=True, help="File, folder per class, or handle.")
@click.option("--augment", multiple=True, metavar="NAME[=STRENGTH]", help="As for finetune; repeatable.")
@click.option("--out", type=click.Path(path_type=Path), default="grid.png", show_default=True, help="To be written.")
@click.option("--images", default=8, show_default=True, help="Rows.")
@click.option("--draws", default=5, show_default=True, help="Augmented columns.")
@click.option("--seed", default=0, show_default=True, help="Of the draws.")
@click.option("--input-column", help="If it cannot be recognised.")
@click.option("--backbone-option", multiple=True, metavar="KEY=VALUE", help="For the backbone (repeatable).")
def grid(
    backbone: str,
    train: str,
    augment: tuple[str, ...],
    out: Path,
    images: int,
    draws: int,
    seed: int,
    input_column: str | None,
    backbone_option: tuple[str, ...],
) -> Output:
    """Draw what the model will see of images: as they are, and augmented."""
    from kerasft.engine.grid import draw

    path = draw(
        backbone,
        train,
        out,
        augment=augment,
        images=images,
        draws=draws,
        seed=seed,
        input_column=input_column,
        backbone_options=parse.pairs(backbone_option, "--backbone-option"),
    )
    return Output({"picture": str(path)}, lambda: print(path))


command = grid
