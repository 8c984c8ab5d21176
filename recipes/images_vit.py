"""Fine-tune a vision transformer as the papers do: mixed images, small rates, and less for shallow blocks.

python images_vit.py --train photos --backbone hf://google/vit-base-patch16-224-in21k --size 160
"""

from dataclasses import dataclass, field

import tyro

import kerasft


@dataclass
class Config:
    """Options of this recipe."""

    train: str = "photos"  # a folder per class, or a table with paths
    test: float = 0.2  # of it, held out
    backbone: str = "vit/vit_base_patch16_224_imagenet"  # from Kaggle; or hf://…, or a directory
    size: int | None = None  # pixels; position embeddings are interpolated. By default as it was trained
    out: str | None = None  # by default a new directory below runs/
    augment: list[str] = field(default_factory=lambda: ["flip", "randaugment", "mixup=0.8", "cutmix"])
    label_smoothing: float = 0.1
    epochs: int = 10
    learning_rate: float = 5e-5
    layer_decay: float = 0.75
    precision: str = "float32"  # bfloat16 is faster where the processor computes it
    batch_size: int = 32
    seed: int = 0


def main(cfg: Config) -> kerasft.Run:
    """Trains and evaluates."""
    run = kerasft.finetune(
        cfg.backbone,
        "classification",
        cfg.train,
        test=cfg.test,
        out=cfg.out,
        phases=[kerasft.Phase("all", cfg.epochs, cfg.learning_rate, layer_decay=cfg.layer_decay)],
        augment=cfg.augment,
        precision=cfg.precision,
        batch_size=cfg.batch_size,
        seed=cfg.seed,
        backbone_options={} if cfg.size is None else {"size": cfg.size},
        task_options={"label_smoothing": cfg.label_smoothing},
    )
    run.report.print()
    print(f"Which patches it attended to: {run.directory / 'report.html'}")
    return run


if __name__ == "__main__":
    main(tyro.cli(Config))
