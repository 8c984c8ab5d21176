"""Named entities with MiniLM: from CoNLL columns to a graph that serves raw text.

    python ner_bert.py --train train.conll --validation dev.conll --test test.conll

The files have a word and its tag per line and a blank line between sentences; JSONL with ``text`` and ``entities``
works too.
"""

from dataclasses import dataclass

import tyro

import kerasft


@dataclass
class Config:
    """Options of this recipe."""

    train: str = "train.conll"
    validation: str = "dev.conll"
    test: str = "test.conll"
    backbone: str = "bert/minilm-l6"
    out: str = "runs/ner"
    epochs: int = 5
    learning_rate: float = 1e-4
    warmup: float = 0.1
    batch_size: int = 32
    length: int = 128  # tokens; longer sentences come in overlapping windows
    seed: int = 0


def main(cfg: Config) -> kerasft.Run:
    """Trains, evaluates, exports, and shows what it finds."""
    run = kerasft.finetune(
        cfg.backbone,
        "ner",
        cfg.train,
        validation=cfg.validation,
        test=cfg.test,
        out=cfg.out,
        # The head learns from the start with all layers at one rate, as in BERT's paper.
        phases=[kerasft.Phase("all", cfg.epochs, cfg.learning_rate, warmup=cfg.warmup, layer_decay=1.0)],
        batch_size=cfg.batch_size,
        backbone_options={"length": cfg.length},
        seed=cfg.seed,
    )
    run.report.print()
    for entity in run.predict("Ada Lovelace moved from London to Paris.")[0]["entities"]:
        print(entity)
    print(f"exported to {run.export(f'{cfg.out}/export')}")
    return run


if __name__ == "__main__":
    main(tyro.cli(Config))
