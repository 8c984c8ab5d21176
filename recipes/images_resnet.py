"""Fine-tune a ResNet on a folder of images, with augmentation: head first, then all layers, shallow ones more slowly.

python images_resnet.py --train photos --backbone hf://microsoft/resnet-18 --epochs 10
"""

from dataclasses import dataclass, field

import tyro

import kerasft


@dataclass
class Config:
    """Options of this recipe."""

    train: str = "photos"  # a folder per class, or a table with paths
    test: float = 0.2  # of it, held out
    backbone: str = "resnet/resnet_18_imagenet"  # from Kaggle; or hf://…, or a directory
    out: str | None = None  # by default a new directory below runs/
    augment: list[str] = field(default_factory=lambda: ["flip", "crop", "colour"])  # see `kerasft grid`
    head_epochs: int = 2
    epochs: int = 5
    learning_rate: float = 3e-4
    layer_decay: float = 0.9
    batch_size: int = 32
    seed: int = 0


def main(cfg: Config) -> kerasft.Run:
    """Trains, evaluates, exports."""
    run = kerasft.finetune(
        cfg.backbone,
        "classification",
        cfg.train,
        test=cfg.test,
        out=cfg.out,
        phases=[
            kerasft.Phase("head", cfg.head_epochs, 1e-3),
            kerasft.Phase("all", cfg.epochs, cfg.learning_rate, layer_decay=cfg.layer_decay),
        ],
        augment=cfg.augment,
        batch_size=cfg.batch_size,
        seed=cfg.seed,
    )
    run.report.print()
    print(f"\nExported to {run.export(run.directory / 'export')}")
    print(f"Where it looked when it was most wrong: {run.directory / 'report.html'}")
    return run


if __name__ == "__main__":
    main(tyro.cli(Config))
