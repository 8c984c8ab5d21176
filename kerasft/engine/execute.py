"""A run from its first step to its report, and who hears of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from rich.console import Console

from kerasft import host
from kerasft.engine import memory, record
from kerasft.engine.callbacks import TensorBoard
from kerasft.engine.checkpoint import Checkpoint
from kerasft.engine.html import write_html
from kerasft.engine.prepare import Prepared
from kerasft.engine.progress import Event, Events, ProgressLines
from kerasft.engine.run import Run, load
from kerasft.engine.training import Training
from kerasft.errors import Interrupted, UsageError
from kerasft.model import TrainedModel
from kerasft.quiet import quiet_retracing


class Observers:
    """Who hears of a run: the user's and plugins' callbacks, a person, a program."""

    def __init__(
        self,
        callbacks: Sequence[keras.callbacks.Callback],
        console: Console | None,
        events: Callable[[Event], None] | None,
    ):
        for callback in callbacks:
            if not isinstance(callback, keras.callbacks.Callback):
                raise UsageError(f"callbacks are instances of keras.callbacks.Callback. Received: {callback!r}")
        self._callbacks = callbacks
        self._console = console or Console(stderr=True)
        self._events = events
        self._lines: ProgressLines | None = None

    def tell(self, note: str) -> None:
        """A line for a person."""
        self._console.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)

    def of(self, run: Run, training: Training, config: Mapping[str, Any]) -> list[keras.callbacks.Callback]:
        """All of them, in the order in which they are told."""
        self._lines = ProgressLines(
            phases=training.phases, steps=training.steps, examples=training.examples, console=self._console
        )
        found: list[keras.callbacks.Callback] = [self._lines]
        if self._events:
            found.append(Events(self._events))
        if config["tensorboard"] and run.writes:
            found.append(TensorBoard(run.directory / "logs"))
        return [*found, *host.load().callbacks(run), *self._callbacks]

    def stop(self) -> None:
        """Leaves the terminal as it was, also after an interruption."""
        if self._lines:
            self._lines.stop()


def execute(
    run: Run,
    training: Training,
    prepared: Prepared,
    config: Mapping[str, Any],
    observers: Observers,
    start: Checkpoint | None,
) -> Run:
    """Trains, and then evaluates what was kept.

    Args:
        run: its notes are told first.
        training: of its model.
        prepared: the data.
        config: of the run.
        observers: who hear of it.
        start: where to go on, or None for the beginning.

    Raises:
        KerasftError: as `Training.run`.
        Interrupted: Ctrl-C; the message says what is kept and how to go on.
    """
    directory = training.directory
    directory.write("notes", {"notes": run.notes})
    directory.write("status", {"status": "running"})
    for note in run.notes:
        observers.tell(note)

    def tell(note: str) -> None:
        run.notes.append(note)
        directory.write("notes", {"notes": run.notes})
        observers.tell(note)

    try:
        with quiet_retracing(), memory.kept():
            training.run(observers.of(run, training, config), tell, observers.tell, start)
        if not directory.writes:
            return run
        if config["lora"] or config["precision"] != "float32":
            run = load(run.directory, notes=run.notes)  # what users of the run will have
        seconds, cpu_seconds = training.seconds, training.cpu_seconds
        part = prepared.evaluated
        seen = prepared.seen.get(part.name, np.empty(0, np.int64))
        report = run.evaluate_part(part, run.notes, config["batch_size"], seen)
        history = directory.read("history")
        directory.write(
            "report",
            {
                **report.to_json(),
                "phases": history["phases"],
                "training_seconds": round(seconds, 3),
                "training_cpu_seconds": round(cpu_seconds, 3),
                "padding": training.padding,
                **({"profile": training.profile.records} if training.profile else {}),
            },
        )
        write_html(run.directory / "report.html", report=report, history=history, config=config, seconds=seconds)
    except KeyboardInterrupt as interrupt:
        directory.write("status", {"status": "interrupted"})
        if not directory.writes:
            raise Interrupted("Interrupted. The chief keeps the run.") from interrupt
        raise Interrupted(
            f"Interrupted. Kept in {run.directory}: {training.best.keep()}; evaluate, predict and export work on them."
            f"\nTo go on: kerasft resume {run.directory}"
        ) from interrupt
    except BaseException:
        directory.write("status", {"status": "failed"})
        raise
    finally:
        observers.stop()
        if training.profile:
            training.profile.stop()
    # In this order: without checkpoints a run that is not finished would begin anew.
    directory.write("status", {"status": "finished"})
    directory.remove_checkpoints()
    return run


def first_notes(model: TrainedModel, prepared: Prepared, training: Training) -> list[str]:
    """What the user should know of backbone, data and batches, one line each."""
    of_data = record.data_notes(model, prepared, training.feed.encodings)
    notes = [*model.assembly.backbone.notes, *prepared.notes, *of_data, *training.notes]
    if training.padding >= 0.0005:
        notes.append(f"{100 * training.padding:.1f} % of the tokens in training batches are padding.")
    return notes
