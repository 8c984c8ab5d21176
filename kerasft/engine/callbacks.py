"""Keras callbacks of every run. They hear of all its phases as one training; see `relay`."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras

from kerasft import phases
from kerasft.engine.directory import RunDirectory
from kerasft.errors import KerasftError
from kerasft.freezing import Frozen
from kerasft.phases import Phase

_POINTS = 50  # of a training curve
_WRITE_HISTORY_EVERY = 1.0  # seconds


@dataclass
class Steps:
    """Counts the batches of a run, of which Keras tells the last of every call.

    Args:
        done: of the whole run.
        of_epoch: of the epoch.
    """

    done: int = 0
    of_epoch: int = 0

    def advance(self, batch: int) -> None:
        """To the batch of this index in the epoch."""
        self.done += batch + 1 - self.of_epoch
        self.of_epoch = batch + 1

    def end_epoch(self) -> None:
        """The next batch is one of another epoch."""
        self.of_epoch = 0


class History(keras.callbacks.Callback):
    """Writes metrics to ``history.json``, atomically, at the end of an epoch; at most once a second.

    ``phases`` has one record per phase; ``epochs`` one per epoch; ``steps`` has Keras's running means within the
    epoch, at some fifty steps.
    """

    def __init__(self, directory: RunDirectory):
        super().__init__()
        self._directory = directory
        self._steps = Steps()
        self._records: dict[str, list[dict[str, Any]]] = {"phases": [], "epochs": [], "steps": []}
        self._written = -math.inf

    def get_state(self) -> dict[str, Any]:
        """Everything but the directory."""
        return {"steps": asdict(self._steps), "records": self._records}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """The inverse of `get_state`."""
        self._steps, self._records = Steps(**state["steps"]), state["records"]

    @property
    def phases(self) -> list[dict[str, Any]]:
        """What trained in each phase so far."""
        return self._records["phases"]

    def on_phase_begin(self, index: int, phase: Phase, frozen: Frozen) -> None:
        """One more phase, unless it had begun before an interruption."""
        record = {
            **phases.to_json(phase),
            "trained_weights": frozen.trained,
            "total_weights": frozen.total,
            "groups": list(frozen.groups),
        }
        self._records["phases"][index:] = [record]

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """One more step."""
        before = self._steps.done
        self._steps.advance(batch)
        whole = self.params["steps"] * self.params["epochs"]
        every = max(1, whole // _POINTS)
        if self._steps.done // every > before // every or self._steps.done == whole:
            self._records["steps"].append({"step": self._steps.done, **figures(logs)})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """One more epoch."""
        self._steps.end_epoch()
        self._records["epochs"].append({"epoch": epoch + 1, "step": self._steps.done, **figures(logs)})
        if time.monotonic() - self._written >= _WRITE_HISTORY_EVERY:
            self.flush()

    def flush(self) -> None:
        """Writes what there is. Call it before somebody reads the file: epochs of a head last milliseconds."""
        self._directory.write("history", self._records)
        self._written = time.monotonic()


class EarlyStopping(keras.callbacks.Callback):
    """Ends a phase in which the metric has not become better for some epochs; the next phase begins then.

    Args:
        monitor: name of the metric.
        mode: ``"max"`` or ``"min"``.
        patience: epochs without a better value.
    """

    def __init__(self, monitor: str, mode: str, patience: int):
        super().__init__()
        self._monitor = monitor
        self._sign = 1.0 if mode == "max" else -1.0
        self._patience = patience
        self._best: float | None = None
        self._waited = 0
        self.stopped = False

    def get_state(self) -> dict[str, Any]:
        """The best of this phase, and for how long there was no better."""
        return {"best": self._best, "waited": self._waited}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """The inverse of `get_state`."""
        self._best, self._waited = state["best"], state["waited"]

    def on_phase_begin(self, index: int, phase: Phase, frozen: Frozen) -> None:
        """Begins anew."""
        self._best, self._waited, self.stopped = None, 0, False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts."""
        score = self._sign * float((logs or {})[self._monitor])
        if self._best is None or score > self._best:
            self._best, self._waited = score, 0
            return
        self._waited += 1
        if self._waited >= self._patience:
            self.stopped = self.model.stop_training = True


class StopAtNaN(keras.callbacks.Callback):
    """Raises as soon as the loss is not a number: further steps cannot help.

    Args:
        examples: names those of a batch, by epoch and batch counted from 0.
        monitor: the metric that chooses the best epoch. Others may have no value.
        first: the batch with the first such loss, of those up to a batch that one call of TensorFlow trained on.
    """

    def __init__(
        self, examples: Callable[[int, int], str], monitor: str = "", first: Callable[[int], int] = lambda batch: batch
    ):
        super().__init__()
        self._checked = ("loss", "val_loss", monitor)
        self._examples = examples
        self._first = first
        self._epoch = 0

    def get_state(self) -> dict[str, Any]:
        """The epoch, whose beginning is not told again."""
        return {"epoch": self._epoch}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """The inverse of `get_state`."""
        self._epoch = state["epoch"]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remembers which it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks the running mean, which stays NaN once it is."""
        value = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(value):
            epoch, batch = self._epoch, self._first(batch)
            error = not_finite(
                f"The loss became {value} at step {batch + 1} of epoch {epoch + 1}.", self._examples, epoch, batch
            )
            before = (epoch, batch - 1) if batch else (epoch - 1, (self.params or {}).get("steps", 1) - 1)
            if before[0] >= 0:
                error = KerasftError(f"{error} If the update before spoilt the weights: {self._examples(*before)}.")
            raise error

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks the validation figures too, which the last step of the epoch may have spoilt."""
        for name, value in (logs or {}).items():
            if name in self._checked and not math.isfinite(value):
                what = f"The {name} became {float(value)} at the end of epoch {epoch + 1}."
                raise not_finite(what, self._examples, epoch, (self.params or {}).get("steps", 1) - 1)


def not_finite(what: str, examples: Callable[[int, int], str], epoch: int, batch: int) -> KerasftError:
    """`what` happened after a batch, with its examples named."""
    return KerasftError(f"{what} Try a smaller learning rate. The batch: {examples(epoch, batch)}.")


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras's own, by epoch: by step it would leave out the epochs that do not end on a step it writes."""

    def __init__(self, directory: Path):
        super().__init__(directory, write_graph=False, update_freq="epoch")


def figures(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """Metrics as plain numbers."""
    # A metric may have no value yet, and JSON has no such number.
    return {name: float(value) for name, value in (logs or {}).items() if math.isfinite(value)}
