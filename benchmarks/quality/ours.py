"""kerasft on the files of split.py, with the hyper-parameters of hf.py. Prints one JSON line per run.

Run in the project's environment; MODEL is the same directory that hf.py is given.

    .venv/bin/python benchmarks/quality/ours.py --model MODEL --data build/quality/bbc_news --epochs 1 --seeds 0 1 2
"""

import argparse
import json
import tempfile
from importlib.metadata import version
from pathlib import Path

import kerasft

BATCH = 16


def main() -> None:
    """One run per seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="checkpoint directory")
    parser.add_argument("--data", type=Path, required=True, help="directory with train.csv and test.csv")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--length", type=int, default=128, help="most tokens of a text")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for seed in args.seeds:
            out = Path(scratch) / str(seed)
            print(json.dumps(run(args.model, args.data, args.epochs, args.length, seed, out)), flush=True)


def run(model: Path, directory: Path, epochs: int, length: int, seed: int, out: Path) -> dict[str, object]:
    """Trains with one seed (of head, order and dropout) and evaluates the last weights on the test data."""
    done = kerasft.finetune(
        str(model.resolve()),
        "classification",
        directory / "train.csv",
        validation=None,
        test=directory / "test.csv",
        out=out,
        batch_size=BATCH,
        seed=seed,
        phases=[kerasft.Phase("all", epochs=epochs, learning_rate=1e-4, layer_decay=1.0)],  # one rate for all layers
        clip_norm=1.0,
        backbone_options={"length": length, "pooler": True},  # as hf.py; by default kerasft averages its tokens
    )
    report = json.loads((out / "report.json").read_text())
    return {
        "side": "kerasft",
        "data": directory.name,
        "epochs": epochs,
        "length": length,
        "seed": seed,
        "accuracy": round(done.report.metrics["accuracy"], 6),
        "seconds": report["training_seconds"],
        "kerasft": kerasft.__version__,
        "tensorflow": version("tensorflow"),
        "keras": version("keras"),
    }


if __name__ == "__main__":
    main()
