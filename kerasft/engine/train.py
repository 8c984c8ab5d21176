"""`finetune`: from names and data to a finished run. `resume`: the same, from where it was interrupted."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console

import kerasft
from kerasft import files, freezing, host, modeling, pretrained
from kerasft.engine import checkpoint as checkpoints
from kerasft.engine import placement, record
from kerasft.engine.checkpoint import Checkpoint
from kerasft.engine.directory import RunDirectory
from kerasft.engine.html import write_html
from kerasft.engine.prepare import Prepared, prepare
from kerasft.engine.progress import Event, Events, ProgressLines
from kerasft.engine.run import Run, load, pretrained_of
from kerasft.engine.settings import PRECISIONS, Settings
from kerasft.engine.training import Training
from kerasft.errors import Interrupted, RunError, all_at_once
from kerasft.model import TrainedModel
from kerasft.phases import Lora, Phase, lora_from_json, resolve, to_json
from kerasft.pretrained import Pretrained
from kerasft.quiet import quiet_retracing
from kerasft.task import Task

_RESUMED = ("Resumed at phase", "Resumed from the beginning")  # only the last time is of interest


def finetune(
    backbone: str,
    task: str,
    train: Any,
    *,
    validation: Any = 0.1,
    test: Any = None,
    out: str | Path | None = None,
    phases: Sequence[Phase | Mapping[str, Any]] | None = None,
    epochs: int | None = None,
    learning_rate: float | None = None,
    batch_size: int = 32,
    accumulation: int = 1,
    seed: int = 0,
    optimizer: str = "adamw",
    weight_decay: float = 0.01,
    clip_norm: float | None = 1.0,
    ema: float | None = None,
    lora: Lora | Mapping[str, Any] | None = None,
    precision: str = "float32",
    monitor: str | None = None,
    early_stopping: int | None = None,
    checkpoint_steps: int | None = None,
    checkpoint_minutes: float | None = 10.0,
    devices: str | int = "auto",
    strategy: str = "auto",
    input_column: str | None = None,
    target_column: str | None = None,
    encoding: str = "utf-8",
    backbone_options: Mapping[str, Any] | None = None,
    task_options: Mapping[str, Any] | None = None,
    tensorboard: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    console: Console | None = None,
    events: Callable[[Event], None] | None = None,
) -> Run:
    """Fine-tunes a pretrained backbone with a fresh head in phases, by Keras `fit`.

    By default the head trains first, then all layers, shallow ones more slowly, with the rates that the backbone's
    plugin says (`kerasft why` shows them and their source). The epoch with the best validation metric is kept; the
    test data, or else the validation data, are evaluated at the end. Everything is recorded in the run directory, and
    `resume` goes on after an interruption.

    Args:
        backbone: ``bert/minilm-l6``, a checkpoint directory, or a handle.
        task: for example ``"classification"``.
        train: anything `kerasft.data.read` takes: a file, a folder per class, a handle, lists, a DataFrame, `tf.data`.
        validation: another source, a fraction between 0 and 1 to hold out of `train`, or None for none.
        test: as `validation`.
        out: run directory; by default a new one below ``runs``.
        phases: what trains, for how long, how fast.
        epochs: of the last default phase; only without `phases`.
        learning_rate: peak of the last default phase; only without `phases`.
        batch_size: examples per update, over all devices.
        accumulation: micro-batches that the gradient of a batch is added up from: less memory, the same result.
        seed: of splits, order, head weights and dropout.
        optimizer: ``"adamw"``, ``"adam"``, ``"sgd"`` or ``"lion"``.
        weight_decay: of all weights but biases and norms; none with ``"adam"``.
        clip_norm: largest norm of the gradient of all weights together; None for no limit.
        ema: momentum of an exponential moving average of the weights, for example 0.999, which is then what is
            validated and kept. Every phase begins a new one.
        lora: train low-rank adapters instead of the backbone's weights; they are merged in the weights that are kept.
        precision: ``"float32"``, or ``"bfloat16"`` for computing (weights stay float32).
        monitor: metric that chooses the best epoch, for example ``"val_loss"``; by default the task's own.
        early_stopping: end a phase after so many epochs without a better value of it.
        checkpoint_steps: updates between checkpoints for `resume`.
        checkpoint_minutes: minutes between them; None for none by the clock. Several workers, whose clocks differ,
            make one every epoch instead.
        devices: ``"auto"``, ``"cpu"``, ``"all"``, or how many; see `kerasft.strategy`.
        strategy: ``"auto"``, ``"one"``, ``"mirrored"``, ``"multi-worker"`` or ``"tpu"``; see `kerasft.strategy`.
        input_column, target_column: names, if they cannot be recognised.
        encoding: of text files; several are tried in order, separated by commas.
        backbone_options: for example ``{"length": 128}``.
        task_options: for example ``{"mode": "multi-label"}``.
        tensorboard: write logs for TensorBoard into ``logs`` in the run directory.
        overwrite: replace a run in `out`.
        callbacks: your own Keras callbacks.
        console: for progress; stderr by default.
        events: is called with every event of training as plain data.

    Returns:
        The finished run, with the best weights loaded.

    Raises:
        DataError: with every problem of the data, before training begins.
        UsageError: arguments are out of range or do not fit together.
        RunError: `out` exists, or another process trains into it.
        Interrupted: Ctrl-C; `resume` goes on.
    """
    chosen = placement.strategy(devices, strategy)
    found = pretrained.locate(backbone)
    made_task = modeling.create_task(found.spec, task, task_options or {})
    adapters = None if lora is None else lora_from_json(lora)
    config = {
        "kerasft": kerasft.__version__,
        "backbone": record.portable(backbone) if pretrained.is_handle(backbone) else backbone,
        "task": task,
        "train": record.source_name(train),
        "validation": record.source_name(validation),
        "test": record.source_name(test),
        "phases": [],
        "batch_size": batch_size,
        "accumulation": accumulation,
        "seed": seed,
        "optimizer": optimizer,
        "weight_decay": weight_decay,
        "clip_norm": clip_norm,
        "ema": ema,
        "lora": None if adapters is None else to_json(adapters),
        "precision": precision,
        "monitor": monitor,
        "early_stopping": early_stopping,
        "checkpoint_steps": checkpoint_steps,
        "checkpoint_minutes": checkpoint_minutes,
        "devices": devices,
        "strategy": strategy,
        "input_column": input_column,
        "target_column": target_column,
        "encoding": encoding,
        "backbone_options": dict(backbone_options or {}),
        "task_options": dict(task_options or {}),
        "tensorboard": tensorboard,
    }
    lora_used = adapters is not None
    resolved, _ = all_at_once(
        lambda: resolve(phases, found.spec.phases, epochs=epochs, learning_rate=learning_rate, lora=lora_used),
        lambda: Settings.of(config),
    )
    config["phases"] = [to_json(phase) for phase in resolved]
    settings = Settings.of(config)
    path = Path(out) if out else record.new_directory(task, backbone)
    directory = RunDirectory(path, writes=placement.is_chief(chosen))
    directory.check(overwrite)
    prepared = _prepare(made_task, found, config, train=train, validation=validation, test=test)
    config |= {"input_column": prepared.columns.input, "target_column": prepared.columns.target}

    with directory.in_use():
        model = _build(found, made_task, config, chosen, weights=True)
        training = Training(model, prepared, settings, directory, chosen, record.identity(config, prepared, chosen))
        directory.create(overwrite)
        record.write(directory, config, found, model, prepared)
        run = Run(directory, model, _first_notes(model, prepared))
        return _execute(run, training, prepared, config, _Observers(callbacks, console, events), None)


def repeat(config: Mapping[str, Any], **changes: Any) -> Run:
    """`finetune` with the arguments recorded in a ``config.json``, and `changes` to them.

    Raises:
        UsageError: the data were Python objects, which no file can bring back.
    """
    return finetune(**record.arguments(config, changes, finetune))


def resume(
    directory: str | Path,
    *,
    force: bool = False,
    train: Any = None,
    validation: Any = None,
    test: Any = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    console: Console | None = None,
    events: Callable[[Event], None] | None = None,
) -> Run:
    """Goes on with a run that was interrupted, however it was: the result is the same to the bit.

    It goes on from the last undamaged checkpoint, or from the beginning if there is none.

    Args:
        directory: of the run.
        force: go on though versions of software or the number of devices differ: the result is then a good one, but
            not the same to the bit. Other data, or another configuration, are another run.
        train, validation, test: only if these were Python objects: the same once more.
        callbacks: your own Keras callbacks, as before. They get back those of their attributes that are numbers,
            strings, or lists and dicts of them; one with ``get_state()`` and ``set_state(state)`` says itself what it
            needs.
        console: for progress; stderr by default.
        events: is called with every event of training as plain data.

    Returns:
        The finished run, with the best weights loaded.

    Raises:
        RunError: it is not a run, is finished, or something differs; the message says what.
        Interrupted: Ctrl-C; `resume` goes on.
    """
    path = Path(directory)
    config = RunDirectory(path).open().read("config")
    chosen = placement.strategy(config["devices"], config["strategy"])
    records = RunDirectory(path, writes=placement.is_chief(chosen))
    given = {"train": train, "validation": validation, "test": test}
    with records.in_use():
        if (path / "status.json").exists() and records.read("status").get("status") == "finished":
            records.remove_checkpoints()  # it may have been killed before that
            raise RunError(f"{path} is finished: there is nothing to resume.")
        if records.writes:
            files.remove_temporaries(path)
        start, notes = checkpoints.latest(records.checkpoints)
        # Its own files are enough to build it; without a checkpoint the pretrained weights are needed again.
        found = pretrained_of(records) if start else pretrained.locate(config["backbone"])
        made_task = modeling.create_task(found.spec, config["task"], config["task_options"])
        prepared = _prepare(made_task, found, config, **record.sources(config, given))
        identity = record.identity(config, prepared, chosen)
        notes += record.check_same(records, start.state if start else {}, identity, force=force)
        if records.writes:
            checkpoints.remove_after(records.checkpoints, start)
        model = _build(found, made_task, config, chosen, weights=start is None)
        training = Training(model, prepared, Settings.of(config), records, chosen, identity)
        if start:
            where = start.position
            notes.append(f"{_RESUMED[0]} {where.phase + 1}, epoch {where.epoch + 1}, step {where.step + 1}.")
        else:
            record.write(records, config, found, model, prepared)
            notes.append(f"{_RESUMED[1]}: there is no checkpoint yet.")
        earlier = records.read_notes() or _first_notes(model, prepared)
        run = Run(records, model, [*(note for note in earlier if not note.startswith(_RESUMED)), *notes])
        return _execute(run, training, prepared, config, _Observers(callbacks, console, events), start)


class _Observers:
    """Who hears of a run: the user's and plugins' callbacks, a person, a program."""

    def __init__(
        self,
        callbacks: Sequence[keras.callbacks.Callback],
        console: Console | None,
        events: Callable[[Event], None] | None,
    ):
        self.callbacks = callbacks
        self.console = console or Console(stderr=True)
        self.events = events

    def tell(self, note: str) -> None:
        """A line for a person."""
        self.console.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)

    def of(self, run: Run, training: Training, config: Mapping[str, Any]) -> list[keras.callbacks.Callback]:
        """All of them, in the order in which they are told."""
        lines = ProgressLines(
            phases=training.phases, steps=training.steps, examples=training.examples, console=self.console
        )
        found: list[keras.callbacks.Callback] = [lines]
        if self.events:
            found.append(Events(self.events))
        if config["tensorboard"] and run.writes:
            # By step, Keras would leave out the epochs that do not end on a step it writes.
            found.append(keras.callbacks.TensorBoard(run.directory / "logs", write_graph=False, update_freq="epoch"))
        return [*found, *host.load().callbacks(run), *self.callbacks]


def _execute(
    run: Run,
    training: Training,
    prepared: Prepared,
    config: Mapping[str, Any],
    observers: _Observers,
    start: Checkpoint | None,
) -> Run:
    """Trains, and then evaluates what was kept."""
    directory = training.directory
    directory.write("notes", {"notes": run.notes})
    directory.write("status", {"status": "running"})
    for note in run.notes:
        observers.tell(note)
    started = time.monotonic()
    callbacks: list[keras.callbacks.Callback] = []
    try:
        callbacks = observers.of(run, training, config)
        with quiet_retracing():
            run.notes += training.run(callbacks, start)
        if not directory.writes:
            return run
        if config["lora"] or config["precision"] != "float32":
            run = load(run.directory, notes=run.notes)  # what users of the run will have
        seconds = time.monotonic() - started
        part = prepared.evaluated
        seen = prepared.seen.get(part.name, np.empty(0, np.int64))
        report = run.evaluate_part(part, run.notes, config["batch_size"], seen)
        history = directory.read("history")
        directory.write(
            "report", {**report.to_json(), "phases": history["phases"], "training_seconds": round(seconds, 1)}
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
        for callback in callbacks[:1]:
            callback.stop()
    # In this order: without checkpoints a run that is not finished would begin anew.
    directory.write("status", {"status": "finished"})
    directory.remove_checkpoints()
    return run


def _first_notes(model: TrainedModel, prepared: Prepared) -> list[str]:
    return [*model.assembly.backbone.notes, *prepared.notes, *record.data_notes(model, prepared)]


def _prepare(task: Task, found: Pretrained, config: Mapping[str, Any], **sources: Any) -> Prepared:
    return prepare(
        task,
        modality=found.spec.modality,
        input_column=config["input_column"],
        target_column=config["target_column"],
        encoding=config["encoding"],
        seed=config["seed"],
        **sources,
    )


def _build(
    found: Pretrained, task: Task, config: Mapping[str, Any], strategy: tf.distribute.Strategy, *, weights: bool
) -> TrainedModel:
    """The model in the strategy's scope: Keras remembers the scope in which a model was made."""
    keras.utils.set_random_seed(config["seed"])
    with strategy.scope(), _computing_in(config["precision"]):
        backbone = found.create(config["backbone_options"], weights=weights)
        model = modeling.assemble(found.spec, backbone, task, found.source)
        if config["lora"]:
            freezing.add_adapters(model, Lora(**config["lora"]))
    return model


@contextlib.contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(PRECISIONS[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
