"""Progress of training for a person to read, on stderr: one moving line, or plain lines when it is not a terminal."""

import time
from collections.abc import Mapping
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

_PLAIN_EVERY = 10.0  # seconds between lines when stderr is not a terminal


class ProgressLines(keras.callbacks.Callback):
    """Epoch, step, time left, loss, metrics and examples per second.

    Args:
        epochs: of the whole run.
        steps: per epoch.
        examples: per epoch.
        console: where to write.
    """

    def __init__(self, *, epochs: int, steps: int, examples: int, console: Console):
        super().__init__()
        self._epochs = epochs
        self._steps = steps
        self._examples = examples
        self._console = console
        self._bar: Progress | None = None
        self._done = 0
        self._started = self._printed = self._warm = 0.0

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

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the line."""
        self._done += 1
        now = time.monotonic()
        if self._done == 1:
            self._warm = now  # the first step traces the graph: it says nothing about the speed of the others
        epoch = (self._done - 1) // self._steps + 1
        where = f"epoch {epoch}/{self._epochs} step {batch + 1}/{self._steps}"
        if self._bar:
            text = self._describe(logs, now)
            self._bar.update(self._bar.task_ids[0], completed=self._done, description=where, text=text)
        elif now - self._printed >= _PLAIN_EVERY:
            self._printed = now
            self._console.print(f"{where}  {self._describe(logs, now)}", highlight=False, soft_wrap=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """One line per epoch that stays."""
        seconds = time.monotonic() - self._started
        figures = _figures(logs or {})
        self._console.print(
            f"epoch {epoch + 1}/{self._epochs}  {figures}  ({seconds:.0f} s)", highlight=False, soft_wrap=True
        )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leaves the terminal as it was."""
        self.stop()

    def stop(self) -> None:
        """Also after an interruption, when Keras does not say that training ended."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def _describe(self, logs: Mapping[str, Any] | None, now: float) -> str:
        if self._done == 1:
            return _figures(logs or {})
        step = (now - self._warm) / (self._done - 1)
        left = step * (self._steps * self._epochs - self._done)
        speed = self._examples / self._steps / max(step, 1e-9)
        return f"{clock(left)} left  {_figures(logs or {})}  {speed:.0f} examples/s"


def clock(seconds: float) -> str:
    """Minutes and seconds: ``2:05``."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def _figures(logs: Mapping[str, Any]) -> str:
    return "  ".join(f"{name} {float(value):.4f}" for name, value in logs.items())
