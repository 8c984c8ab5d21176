"""A process that trains: `python placed_child.py SPEC.json`, with the devices that the specification names.

Of each scenario it writes what callbacks saw, and all weights after the last step, as numbers at full length.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import kerasft


class Recorder(keras.callbacks.Callback):
    """Logs of each step and epoch, and the weights at the end."""

    def __init__(self):
        super().__init__()
        self.seen = {"steps": [], "epochs": []}
        self.weights = {}

    def on_train_batch_end(self, batch, logs=None):
        self.seen["steps"].append({name: float(value) for name, value in logs.items()})

    def on_epoch_end(self, epoch, logs=None):
        self.seen["epochs"].append({name: float(value) for name, value in logs.items()})

    def on_train_end(self, logs=None):
        self.weights = {weight.path: weight.numpy() for weight in self.model.weights}


def main(path: str) -> None:
    spec = json.loads(Path(path).read_text())
    for name, arguments in spec["scenarios"].items():
        recorder = Recorder()
        out = Path(spec["out"]) / name
        run = kerasft.finetune(
            "placed/tiny", "classification", out=out / "run", callbacks=[recorder], devices=spec["devices"], **arguments
        )
        result = Path(spec["results"]) / name
        result.mkdir(parents=True)
        kept = {weight.path: weight.numpy() for weight in run.model.weights}
        np.savez(result / "last.npz", **recorder.weights)
        np.savez(result / "kept.npz", **kept)
        (result / "seen.json").write_text(json.dumps(recorder.seen))
    print("done")


if __name__ == "__main__":
    main(sys.argv[1])
