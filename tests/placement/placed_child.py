"""A process that trains: `python placed_child.py SPEC.json`, with the devices that the specification names.

Of each scenario it writes what callbacks saw, and all weights after the last step, as numbers at full length.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import kerasft
from kerasft.errors import Interrupted


class Recorder(keras.callbacks.Callback):
    """Logs of each step and epoch, and the weights at the end; Ctrl-C comes after the step `interrupt`."""

    def __init__(self, interrupt=None):
        super().__init__()
        self.interrupt = interrupt
        self.seen = {"steps": [], "epochs": []}
        self.weights = {}

    def on_train_batch_end(self, batch, logs=None):
        self.seen["steps"].append({name: float(value) for name, value in logs.items()})
        if len(self.seen["steps"]) == self.interrupt:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        self.seen["epochs"].append({name: float(value) for name, value in logs.items()})

    def on_train_end(self, logs=None):
        self.weights = {weight.path: weight.numpy() for weight in self.model.weights}


def main(path: str) -> None:
    spec = json.loads(Path(path).read_text())
    for name, arguments in spec["scenarios"].items():
        interrupt = arguments.pop("interrupt", None)
        # All workers must read what is resumed.
        out = Path(spec["shared" if interrupt else "out"]) / name / "run"
        recorder = Recorder(interrupt)
        try:
            run = kerasft.finetune(
                "placed/tiny", "classification", out=out, callbacks=[recorder], devices=spec["devices"], **arguments
            )
        except Interrupted:
            recorder = Recorder()
            sources = {name: arguments[name] for name in ("train", "validation")}
            run = kerasft.resume(out, callbacks=[recorder], **sources)
        result = Path(spec["results"]) / name
        result.mkdir(parents=True)
        kept = {weight.path: weight.numpy() for weight in run.model.weights}
        np.savez(result / "last.npz", **recorder.weights)
        np.savez(result / "kept.npz", **kept)
        (result / "seen.json").write_text(json.dumps(recorder.seen))
    print("done")


if __name__ == "__main__":
    main(sys.argv[1])
