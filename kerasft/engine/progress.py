"""Progress of training: for a person on stderr, one moving line, or plain lines when it is not a terminal; for a
program as events."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from kerasft import phases as phases_module
from kerasft.engine.callbacks import Steps, figures
from kerasft.freezing import Frozen
from kerasft.phases import Phase

_PLAIN_EVERY = 10.0  # seconds between lines when stderr is not a terminal

Event = Mapping[str, Any]


class ProgressLines(keras.callbacks.Callback):
    """Phase, epoch, step, time left, loss, metrics and examples per second.

    Args:
        phases: of the run.
        steps: per epoch.
        examples: per epoch.
        console: where to write.
    """

    def __init__(self, *, phases: Sequence[Phase], steps: int, examples: int, console: Console):
        super().__init__()
        self._phases = phases
        self._epochs = sum(phase.epochs for phase in phases)
        self._steps = steps
        self._examples = examples
        self._console = console
        self._bar: Progress | None = None
        self._epoch = 0
        self._counted = Steps()
        self._whole = steps * self._epochs
        self._paced: tuple[int, float] | None = None  # steps done and time, from which on speed is measured
        self._started = self._printed = time.monotonic()  # frozen layers are computed before training begins
        self._where = ""

    def get_state(self) -> dict[str, Any]:
        """How far it is; time starts anew."""
        return {"epoch": self._epoch, "steps": asdict(self._counted), "where": self._where}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """The inverse of `get_state`."""
        self._epoch, self._counted, self._where = state["epoch"], Steps(**state["steps"]), state["where"]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._started = self._printed = time.monotonic()
        if self._console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[text]}"),
            )
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.start()
            self._bar.add_task("", total=self._steps * self._epochs, text="")

    def on_phase_begin(self, index: int, phase: Phase, frozen: Frozen) -> None:
        """One line per phase; its speed is another one."""
        self._paced = None
        # Phases that ended early have left some out.
        self._whole = self._counted.done + self._steps * sum(phase.epochs for phase in self._phases[index:])
        if self._bar:
            self._bar.update(self._bar.task_ids[0], total=self._whole)
        self._where = f"{phase.label} " if len(self._phases) > 1 else ""
        self._print(f"phase {index + 1}/{len(self._phases)}  {phases_module.describe(phase)}")
        self._print(f"  {frozen}")

    def on_features(self, done: int, examples: int) -> None:
        """How far the frozen layers are computed."""
        text = f"frozen layers: {done:,}/{examples:,} examples"
        now = time.monotonic()
        if self._bar:
            self._bar.update(self._bar.task_ids[0], description=text, text="")
        elif now - self._printed >= _PLAIN_EVERY:
            self._printed = now
            self._print(text)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remembers which it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the line."""
        self._counted.advance(batch)
        now = time.monotonic()
        where = f"{self._where}epoch {self._epoch + 1}/{self._epochs} step {batch + 1}/{self.params['steps']}"
        if self._bar:
            text = self._describe(logs, now)
            self._bar.update(self._bar.task_ids[0], completed=self._counted.done, description=where, text=text)
        elif now - self._printed >= _PLAIN_EVERY:
            self._printed = now
            self._print(f"{where}  {self._describe(logs, now)}")
        if self._paced is None:
            self._paced = self._counted.done, now  # the first step traces the graph: it says nothing about the others

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """One line per epoch that stays."""
        self._counted.end_epoch()
        seconds = time.monotonic() - self._started
        self._print(f"{self._where}epoch {epoch + 1}/{self._epochs}  {_figures(logs or {})}  ({seconds:.0f} s)")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leaves the terminal as it was."""
        self.stop()

    def stop(self) -> None:
        """Also after an interruption, when Keras does not say that training ended."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    def _describe(self, logs: Mapping[str, Any] | None, now: float) -> str:
        if self._paced is None or self._counted.done == self._paced[0]:
            return _figures(logs or {})
        done, since = self._paced
        step = (now - since) / (self._counted.done - done)
        left = step * (self._whole - self._counted.done)
        speed = self._examples / self._steps / max(step, 1e-9)
        return f"{clock(left)} left  {_figures(logs or {})}  {speed:.0f} examples/s"


class Events(keras.callbacks.Callback):
    """Tells a program what happens: ``phase``, ``step`` (at most one a second), ``epoch``.

    Args:
        emit: takes one JSON-ready object per event.
    """

    def __init__(self, emit: Callable[[Event], None]):
        super().__init__()
        self._emit = emit
        self._told = 0.0
        self._epoch = 0

    def get_state(self) -> dict[str, Any]:
        """The epoch, whose beginning is not told again."""
        return {"epoch": self._epoch}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """The inverse of `get_state`."""
        self._epoch = state["epoch"]

    def on_phase_begin(self, index: int, phase: Phase, frozen: Frozen) -> None:
        """``{"event": "phase", "phase": 1, "train": …}``."""
        about = {**phases_module.to_json(phase), "trained_weights": frozen.trained, "total_weights": frozen.total}
        self._emit({"event": "phase", "phase": index + 1, **about})

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remembers which it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """``{"event": "step", "epoch": 1, "step": 12, "loss": …}``."""
        if time.monotonic() - self._told >= 1.0:
            self._told = time.monotonic()
            self._emit({"event": "step", "epoch": self._epoch + 1, "step": batch + 1, **figures(logs)})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """``{"event": "epoch", "epoch": 1, "loss": …, "val_loss": …}``."""
        self._emit({"event": "epoch", "epoch": epoch + 1, **figures(logs)})


def clock(seconds: float) -> str:
    """Minutes and seconds: ``2:05``."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def _figures(logs: Mapping[str, Any]) -> str:
    return "  ".join(f"{name} {float(value):.4f}" for name, value in logs.items())
