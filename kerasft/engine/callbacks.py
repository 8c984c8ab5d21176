"""Keras callbacks of every run."""

import math
from typing import Any

import keras

from kerasft.engine import weights
from kerasft.engine.directory import RunDirectory
from kerasft.errors import KerasftError

_POINTS = 50  # of a training curve


class History(keras.callbacks.Callback):
    """Writes metrics to ``history.json``, atomically, at the end of each epoch.

    ``epochs`` has one record per epoch; ``steps`` has Keras's running means within the epoch, at some fifty steps.
    """

    def __init__(self, directory: RunDirectory):
        super().__init__()
        self._directory = directory
        self._step = 0
        self._epochs: list[dict[str, float]] = []
        self._steps: list[dict[str, float]] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """One more step."""
        self._step += 1
        whole = self.params["steps"] * self.params["epochs"]
        if self._step % max(1, whole // _POINTS) == 0 or self._step == whole:
            self._steps.append({"step": self._step, **_figures(logs)})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """One more epoch."""
        self._epochs.append({"epoch": epoch + 1, "step": self._step, **_figures(logs)})
        self._directory.write("history", {"epochs": self._epochs, "steps": self._steps})


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the best epoch by one metric; of the last epoch when nothing was monitored.

    Keras's ModelCheckpoint writes in place, so that a crash while saving loses the best weights there were.
    """

    def __init__(self, directory: RunDirectory, monitor: str, mode: str):
        super().__init__()
        self._directory = directory
        self._monitor = monitor
        self._sign = 1.0 if mode == "max" else -1.0
        self._best = -math.inf
        self._epoch = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves if this epoch is better than every one before."""
        value = (logs or {}).get(self._monitor)
        score = float(epoch) if value is None else self._sign * float(value)
        if score > self._best:
            weights.save(self.model, self._directory.best_weights)
            self._best, self._epoch = score, epoch + 1

    def keep(self) -> str:
        """Saves the weights as they are if no epoch has ended yet; says in words what is kept."""
        if self._epoch:
            return f"the best weights so far, of epoch {self._epoch}"
        weights.save(self.model, self._directory.best_weights)
        return "the weights as they were in the first epoch"


class StopAtNaN(keras.callbacks.Callback):
    """Raises as soon as the loss is not a number: further steps cannot help."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks the running mean, which stays NaN once it is."""
        self._check({"loss": (logs or {}).get("loss", 0.0)}, f"step {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks the validation figures too, which the last step of the epoch may have spoilt."""
        self._check(logs or {}, f"the end of epoch {epoch + 1}")

    def _check(self, logs: dict[str, Any], when: str) -> None:
        for name, value in logs.items():
            if not math.isfinite(value):
                raise KerasftError(f"The {name} became {float(value)} at {when}. Try a smaller learning rate.")


def _figures(logs: dict[str, Any] | None) -> dict[str, float]:
    return {name: float(value) for name, value in (logs or {}).items()}
