"""Linear probe of images, and what pretraining and fine-tuning bring: VGG16 whose weights come in a package, no hub.

Trains a head on frozen features, once with pretrained and once with random weights, and then the top of the network.
Features are computed once and kept: the 40 epochs of a head take seconds.

    python image_probe_vgg.py --train photos/train --test photos/test
"""

from dataclasses import dataclass
from pathlib import Path

import tyro

import kerasft


@dataclass
class Config:
    """Options of this recipe."""

    train: str = "photos/train"  # a folder per class, or a table with paths
    test: str = "photos/test"
    backbone: str = "vgg/vgg16-hed"
    random: str = "vgg/vgg16-random"  # the same architecture, to compare with; empty to leave it out
    out: str = "runs/image_probe"
    epochs: int = 40
    learning_rate: float = 3e-3
    top: str = "top3"  # the deepest convolutions
    top_epochs: int = 6
    top_learning_rate: float = 2e-4
    batch_size: int = 32
    seed: int = 0


def main(cfg: Config) -> kerasft.Run:
    """Trains all, and prints their accuracies beside each other."""
    head = kerasft.Phase("head", cfg.epochs, cfg.learning_rate)
    top = kerasft.Phase(cfg.top, cfg.top_epochs, cfg.top_learning_rate)
    plans = {"head, random weights": (cfg.random, [head])} if cfg.random else {}
    plans |= {"head": (cfg.backbone, [head]), f"head, then {cfg.top}": (cfg.backbone, [head, top])}
    runs = {
        name: kerasft.finetune(
            backbone,
            "classification",
            cfg.train,
            validation=None,
            test=cfg.test,
            out=Path(cfg.out) / name.replace(", ", "_").replace(" ", "_"),
            phases=phases,
            batch_size=cfg.batch_size,
            weight_decay=0.0,
            seed=cfg.seed,
        )
        for name, (backbone, phases) in plans.items()
    }
    for name, run in runs.items():
        low, high = run.report.intervals["accuracy"]
        print(f"{name:<24} accuracy {run.report.metrics['accuracy']:.4f}   95 % interval {low:.4f} to {high:.4f}")
    return list(runs.values())[-1]


if __name__ == "__main__":
    main(tyro.cli(Config))
