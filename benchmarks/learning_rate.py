"""Is the rate that `kerasft lr` suggests better than ten times more and ten times less? On the demo's task.

    python benchmarks/learning_rate.py

Prints the suggestion, then test accuracy and loss of the demo's recipe at each of the three rates.
"""

import tempfile
from pathlib import Path

from kerasft_recipes.bbc_news_bert import BBC_NEWS, Config

import kerasft


def main() -> None:
    """One range test, three trainings."""
    cfg = Config(batch_size=16)
    phase = kerasft.Phase("all", cfg.epochs, layer_decay=1.0)
    common = {
        "encoding": "utf-8,latin-1",
        "batch_size": cfg.batch_size,
        "seed": cfg.seed,
        "backbone_options": {"length": cfg.length},
    }
    found = kerasft.find_learning_rate(cfg.backbone, "classification", BBC_NEWS, phase=phase, **common)
    found.plot("lr.svg")
    print(f"suggestion: {found.suggestion:.2e}   (curve: lr.svg)", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, factor in (("suggested", 1.0), ("ten times more", 10.0), ("ten times less", 0.1)):
            run = kerasft.finetune(
                cfg.backbone,
                "classification",
                BBC_NEWS,
                validation=None,
                test=0.2,
                out=Path(folder) / name.replace(" ", "-"),
                phases=[kerasft.Phase("all", cfg.epochs, found.suggestion * factor, layer_decay=1.0)],
                **common,
            )
            metrics = run.report.metrics
            rate = found.suggestion * factor
            print(f"{name:<15} {rate:.1e}  accuracy {metrics['accuracy']:.4f}  loss {metrics['loss']:.4f}", flush=True)


if __name__ == "__main__":
    main()
