"""Ten updates without dropout, for steps_hf.py to repeat in PyTorch from the same head and batches.

Run in the project's environment; MODEL is the directory that hf.py is given.

    .venv/bin/python benchmarks/quality/steps.py --model MODEL --data build/quality/bbc_news --out build/quality/steps
"""

import argparse
import csv
import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np

import kerasft
from kerasft.engine.plan import BatchPlan

STEPS, BATCH, LENGTH, RATE = 10, 16, 64, 1e-4


class Recorder(keras.callbacks.Callback):
    """Begins with given weights of the head and keeps the loss of every batch."""

    def __init__(self, classes: int):
        super().__init__()
        self.classes = classes
        self.means: list[float] = []

    def on_train_begin(self, logs=None) -> None:
        """Normal with deviation 0.02, as `transformers` draws a head."""
        layer = self.model.get_layer("logits")
        self.head = np.random.default_rng(0).normal(0, 0.02, (layer.kernel.shape[0], self.classes)).astype("float32")
        layer.set_weights([self.head, np.zeros(self.classes, "float32")])

    def on_train_batch_end(self, batch: int, logs=None) -> None:
        """Keras gives the mean over the batches so far."""
        self.means.append(float(logs["loss"]))

    @property
    def losses(self) -> np.ndarray:
        """Of each batch."""
        return np.diff(np.array(self.means) * np.arange(1, len(self.means) + 1), prepend=0.0)


def main() -> None:
    """Writes the model, the rows, their order, and what came out of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="checkpoint directory")
    parser.add_argument("--data", type=Path, required=True, help="directory with train.csv")
    parser.add_argument("--out", type=Path, required=True, help="directory to write to, for steps_hf.py")
    args = parser.parse_args()
    shutil.rmtree(args.out, ignore_errors=True)
    model, table = _without_dropout(args.model, args.out / "model"), args.out / "train.csv"
    recorder = Recorder(_some_rows(args.data / "train.csv", table))
    run = kerasft.finetune(
        str(model.resolve()),
        "classification",
        table,
        validation=None,
        test=table,
        out=args.out / "run",
        batch_size=BATCH,
        phases=[kerasft.Phase("all", learning_rate=RATE, layer_decay=1.0, schedule="constant", warmup=0.0)],
        clip_norm=1.0,
        backbone_options={"length": LENGTH, "pooler": True},
        task_options={"dropout": 0.0},
        callbacks=[recorder],
    )
    order = np.concatenate(list(BatchPlan(examples=STEPS * BATCH, batch_size=BATCH, seed=0).batches(0)))
    after = {weight.path: weight.numpy() for weight in run.model.weights}
    tokens = next(value for path, value in after.items() if path.endswith("token_embedding/embeddings"))
    kernel = run.model.get_layer("logits").kernel.numpy()
    np.savez(
        args.out / "ours.npz", head=recorder.head, order=order, losses=recorder.losses, kernel=kernel, tokens=tokens
    )


def _without_dropout(model: Path, copy: Path) -> Path:
    """A copy whose config.json asks for no dropout."""
    shutil.copytree(model.resolve(), copy, ignore=shutil.ignore_patterns("config.json"), copy_function=os.symlink)
    config = json.loads((model / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def _some_rows(source: Path, table: Path) -> int:
    """Writes rows from all over `source`, enough for the updates; gives the number of classes."""
    with source.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    rows = rows[:: len(rows) // (STEPS * BATCH)][: STEPS * BATCH]
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return len({label for _, label in rows})


if __name__ == "__main__":
    main()
