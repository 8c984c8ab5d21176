"""The process that is killed: `kerasft.finetune`, or `kerasft.resume` once there is a run, as a scenario says.

It tells on standard output what callbacks hear, one line each, with every number to the bit.
"""

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

import kerasft


def tell(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def figures(logs: dict[str, Any] | None) -> str:
    return " ".join(f"{name}={float(value).hex()}" for name, value in sorted((logs or {}).items()))


class Telling(keras.callbacks.Callback):
    """Tells every batch and epoch; at the end writes down everything that the training has made."""

    def __init__(self, state: Path):
        super().__init__()
        self.state = state
        self.epoch = -1

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch
        tell("begin", epoch)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        tell("step", self.epoch, batch, figures(logs))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        tell("epoch", epoch, figures(logs))

    def on_train_end(self, logs: dict | None = None) -> None:
        variables = [*self.model.variables, *self.model.optimizer.variables]
        with self.state.open("wb") as file:
            np.savez(file, *(variable.numpy() for variable in variables))
        tell("end")


class Noisy(keras.callbacks.Callback):
    """A user's callback that counts, draws random numbers without a seed of its own, and ends training in an epoch."""

    def __init__(self, stop: int):
        super().__init__()
        self.stop = stop
        self.batches = 0
        self.lowest = float("inf")
        self.noises: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.batches += 1
        self.lowest = min(self.lowest, logs["loss"] if logs else self.lowest)
        if self.batches % 3 == 0:
            draws = [random.gauss(0, 1), np.random.normal(), float(keras.random.normal(()))]
            self.noises.append(sum(draws) * 1e-3)
            weight = self.model.trainable_variables[-1]
            weight.assign_add(np.full(weight.shape, self.noises[-1], np.float32))
        if self.batches == self.stop:
            self.model.stop_training = True

    def on_train_end(self, logs: dict | None = None) -> None:
        tell("noisy", self.batches, self.lowest.hex(), *(noise.hex() for noise in self.noises))


def main(scenario: str) -> None:
    settings = json.loads(Path(scenario).read_text())
    run = Path(settings["out"])
    callbacks: list[keras.callbacks.Callback] = [Telling(run.parent / f"{run.name}.npz")]
    if settings.pop("plateau", False):  # a callback of Keras: takes the rate over from the schedule
        plateau = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1, min_delta=0.05)
        callbacks.insert(0, plateau)
    if stop := settings.pop("noisy", None):
        callbacks.insert(0, Noisy(stop))
    if (run / "config.json").exists():
        kerasft.resume(run, callbacks=callbacks)
    else:
        kerasft.finetune("bert/tiny", "classification", callbacks=callbacks, **settings)
    tell("finished")


if __name__ == "__main__":
    main(sys.argv[1])
