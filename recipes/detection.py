"""Boxes with VGG16: a detector on its frozen features, which are computed once, so that an epoch takes seconds.

The data are a folder of Pascal VOC or YOLO, a COCO file, or a table of boxes. `#split=` names a part of a folder.

    python detection.py --train BCCD#split=train --validation BCCD#split=val --test BCCD#split=test
"""

from dataclasses import dataclass

import tyro

import kerasft


@dataclass
class Config:
    """Options of this recipe."""

    train: str = "BCCD#split=train"
    validation: str = "BCCD#split=val"
    test: str = "BCCD#split=test"
    backbone: str = "vgg/vgg16-hed"
    size: tuple[int, int] = (256, 320)  # height and width that all images are resized to
    out: str = "runs/detection"
    epochs: int = 16
    learning_rate: float = 1e-3
    train_groups: str = "head"  # or top2, all: what trains
    batch_size: int = 8
    augment: tuple[str, ...] = ()  # such as flip, crop and colour; then features are computed in every epoch,
    views: int = 0  # unless so many augmented copies of each image are kept
    seed: int = 0


def main(cfg: Config) -> kerasft.Run:
    """Trains, evaluates and exports."""
    run = kerasft.finetune(
        cfg.backbone,
        "detection",
        cfg.train,
        validation=cfg.validation,
        test=cfg.test,
        out=cfg.out,
        backbone_options={"size": cfg.size},
        phases=[kerasft.Phase(cfg.train_groups, cfg.epochs, cfg.learning_rate)],
        batch_size=cfg.batch_size,
        augment=cfg.augment,
        views=cfg.views,
        seed=cfg.seed,
    )
    run.report.print()
    print(f"exported to {run.export(f'{cfg.out}/export')}")
    return run


if __name__ == "__main__":
    main(tyro.cli(Config))
