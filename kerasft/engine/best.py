"""The weights that a run keeps: those of its best epoch, or their moving average."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasft import freezing
from kerasft.engine import weights
from kerasft.engine.directory import RunDirectory
from kerasft.errors import KerasftError
from kerasft.freezing import Frozen
from kerasft.phases import Phase


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the best epoch by one metric; of the last epoch when nothing was monitored.

    Keras's ModelCheckpoint writes in place, so that a crash while saving loses the best weights there were.

    Args:
        directory: of the run.
        monitor: name of the metric.
        mode: ``"max"`` or ``"min"``.
        every: seconds that must have passed since weights were last written, or since this was made; until then the
            best are held in memory. Epochs of a head last milliseconds, and files of a whole model half a second.
    """

    def __init__(self, directory: RunDirectory, monitor: str, mode: str, every: float = 0.0):
        super().__init__()
        self._directory = directory
        self._every = every
        self._written = time.monotonic()
        self._held: list[np.ndarray] = []  # of the best epoch, if it is one of this phase and not written at once
        self._found: list[keras.Variable] = []
        self._on_disk = 0  # the epoch whose weights are; 0 for none
        self._monitor = monitor
        self._sign = 1.0 if mode == "max" else -1.0
        self._best: float | None = None
        self._epoch = 0

    def get_state(self) -> dict[str, Any]:
        """The best there was."""
        return {"best": self._best, "epoch": self._epoch}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """The inverse of `get_state`."""
        self._best, self._epoch = state["best"], state["epoch"]
        self._on_disk = self._epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves if this epoch is better than every one before."""
        value = (logs or {}).get(self._monitor)
        score = float(epoch) if value is None else self._sign * float(value)
        if self._best is None or score > self._best:
            # Without validation nothing else would notice what the last update of an epoch did.
            variables = self._variables()
            values = _values(variables)
            spoilt = [v.path for v, value in zip(variables, values, strict=True) if not np.isfinite(value).all()]
            if spoilt:
                raise KerasftError(
                    f"{spoilt[0]} became infinite or not a number by the end of epoch {epoch + 1}; nothing of this "
                    "epoch was kept. Try a smaller learning rate."
                )
            if time.monotonic() - self._written >= self._every:
                self._save()
                self._held, self._on_disk = [], epoch + 1
            elif _averages(self.model):
                with averaged(self.model):
                    self._held = _values(variables)
            else:
                self._held = values
            self._best, self._epoch = score, epoch + 1

    def on_phase_begin(self, index: int, phase: Phase, frozen: Frozen) -> None:
        """Other weights change from here on."""
        self._held, self._found = [], []

    def flush(self) -> None:
        """Writes what is only held in memory. Call it before other weights may change, and before a checkpoint."""
        if not self._held or self._on_disk == self._epoch:
            return
        variables = self._variables()
        now = _values(variables)
        _assign(variables, self._held)
        try:
            self._write()
            self._on_disk = self._epoch
        finally:
            _assign(variables, now)

    def restore(self) -> None:
        """Gives the model the weights that are kept. Call it when training is over, after `flush`."""
        if self._held:
            _assign(self._variables(), self._held)
        elif self._directory.writes:
            weights.load(self.model, self._directory.best_weights)

    def keep(self) -> str:
        """Writes the best weights, or those of now if no epoch has ended yet; says in words what is kept."""
        self.flush()  # an interruption may have come while it wrote
        if self._on_disk:
            return f"the best weights so far, of epoch {self._on_disk}"
        self._save()
        return "the weights as they were in the first epoch"

    def _variables(self) -> list[keras.Variable]:
        """What may change in this phase. To find it takes as long as some updates of a small head."""
        self._found = self._found or freezing.changing(self.model)
        return self._found

    def _save(self) -> None:
        with averaged(self.model):
            self._write()

    def _write(self) -> None:
        if self._directory.writes:
            weights.save(self.model, self._directory.best_weights)
            weights.save_adapters(self.model, self._directory.adapters)
        self._written = time.monotonic()


class Average(keras.callbacks.Callback):
    """Validates the moving average of the weights in place of the weights."""

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Takes the average."""
        _swap(self.model)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Takes the weights back."""
        _swap(self.model)


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """The model with the moving average of its weights, if its optimizer keeps one."""
    _swap(model)
    try:
        yield
    finally:
        _swap(model)


def _values(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """As they are now, on the host: TensorFlow copies what is read here only when the variable changes."""
    return [np.asarray(tf.convert_to_tensor(variable)) for variable in variables]


def _assign(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _averages(model: keras.Model) -> Sequence[keras.Variable]:
    return getattr(getattr(model, "optimizer", None), "averages", ())


def _swap(model: keras.Model) -> None:
    averages = _averages(model)
    for variable, average in zip(model.trainable_variables if averages else (), averages, strict=True):
        value = variable.numpy()
        variable.assign(average)
        average.assign(value)
