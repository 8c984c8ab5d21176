"""`finetune`: from names and data to a finished run."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console

import kerasft
from kerasft import host, modeling, pretrained
from kerasft.engine import callbacks as own
from kerasft.engine import optim, record, weights
from kerasft.engine.directory import RunDirectory
from kerasft.engine.html import write_html
from kerasft.engine.pipeline import training_batches
from kerasft.engine.plan import BatchPlan
from kerasft.engine.prepare import Part, Prepared, prepare
from kerasft.engine.progress import ProgressLines
from kerasft.engine.run import Run
from kerasft.errors import Interrupted, UsageError


def finetune(
    backbone: str,
    task: str,
    train: Any,
    *,
    validation: Any = 0.1,
    test: Any = None,
    out: str | Path | None = None,
    epochs: int = 3,
    batch_size: int = 32,
    learning_rate: float = 5e-5,
    seed: int = 0,
    input_column: str | None = None,
    target_column: str | None = None,
    encoding: str = "utf-8",
    backbone_options: Mapping[str, Any] | None = None,
    task_options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    console: Console | None = None,
) -> Run:
    """Fine-tunes all layers of a pretrained backbone with a fresh head, by Keras `fit`.

    AdamW with warmup and linear decay; the epoch with the best validation metric is kept; the test data, or else the
    validation data, are evaluated at the end. Everything is recorded in the run directory.

    Args:
        backbone: ``bert/minilm-l6``, a checkpoint directory, or a handle.
        task: for example ``"classification"``.
        train: anything `kerasft.data.read` takes: a file, a folder per class, a handle, lists, a DataFrame, `tf.data`.
        validation: another source, a fraction between 0 and 1 to hold out of `train`, or None for none.
        test: as `validation`.
        out: run directory; by default a new one below ``runs``.
        epochs: passes over the training data.
        batch_size: examples per update.
        learning_rate: its peak, after the warmup.
        seed: of splits, order, head weights and dropout.
        input_column, target_column: names, if they cannot be recognised.
        encoding: of text files; several are tried in order, separated by commas.
        backbone_options: for example ``{"length": 128}``.
        task_options: for example ``{"mode": "multi-label"}``.
        overwrite: replace a run in `out`.
        callbacks: your own Keras callbacks.
        console: for progress; stderr by default.

    Returns:
        The finished run, with the best weights loaded.

    Raises:
        DataError: with every problem of the data, before training begins.
        UsageError: arguments are out of range or do not fit together.
        RunError: `out` exists.
        Interrupted: Ctrl-C; the best weights so far are kept in the run directory.
    """
    _check_numbers(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
    console = console or Console(stderr=True)
    found = pretrained.locate(backbone)
    made_task = modeling.create_task(found.spec, task, task_options or {})
    directory = RunDirectory(Path(out) if out else record.new_directory(task, backbone))
    directory.check(overwrite)
    prepared = prepare(
        made_task,
        modality=found.spec.modality,
        train=train,
        validation=validation,
        test=test,
        input_column=input_column,
        target_column=target_column,
        encoding=encoding,
        seed=seed,
    )
    keras.utils.set_random_seed(seed)
    built = found.create(backbone_options)
    model = modeling.assemble(found.spec, built, made_task, found.source)

    directory.create(overwrite)
    config = {
        "kerasft": kerasft.__version__,
        "backbone": record.portable(backbone) if pretrained.is_handle(backbone) else backbone,
        "task": task,
        "train": record.source_name(train),
        "validation": record.source_name(validation),
        "test": record.source_name(test),
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "input_column": prepared.columns.input,
        "target_column": prepared.columns.target,
        "encoding": encoding,
        "backbone_options": dict(backbone_options or {}),
        "task_options": dict(task_options or {}),
    }
    record.write(directory, config, found, model, prepared)
    notes = [*built.notes, *prepared.notes, *record.data_notes(model, prepared)]
    for note in notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)

    run = Run(directory, model, notes)
    best = own.BestWeights(directory, *made_task.monitor)
    best.set_model(model)  # Ctrl-C may come before `fit` does it
    directory.write("status", {"status": "running"})
    try:
        seconds = _fit(run, prepared, config, best, [*host.load().callbacks(run), *callbacks], console)
        _finish(run, prepared, config, seconds)
    except KeyboardInterrupt as interrupt:
        directory.write("status", {"status": "interrupted"})
        raise Interrupted(
            f"Interrupted. Kept in {run.directory}: {best.keep()}; evaluate, predict and export work on them.\n"
            f"To train it from the start: kerasft finetune --config {run.directory}/config.json "
            f"--out {run.directory} --overwrite"
        ) from interrupt
    except BaseException:
        directory.write("status", {"status": "failed"})
        raise
    directory.write("status", {"status": "finished"})
    return run


def repeat(config: Mapping[str, Any], **changes: Any) -> Run:
    """`finetune` with the arguments recorded in a ``config.json``, and `changes` to them.

    Raises:
        UsageError: the data were Python objects, which no file can bring back.
    """
    return finetune(**record.arguments(config, changes, finetune))


def _fit(
    run: Run,
    prepared: Prepared,
    config: Mapping[str, Any],
    best: own.BestWeights,
    extra: Sequence[keras.callbacks.Callback],
    console: Console,
) -> float:
    """Trains, loads the best weights, and returns the seconds it took."""
    model, task, directory = run.model, run.model.assembly.task, RunDirectory(run.directory)
    epochs, batch_size = config["epochs"], config["batch_size"]
    plan = BatchPlan(examples=len(prepared.train), batch_size=batch_size, seed=config["seed"])
    progress = ProgressLines(epochs=epochs, steps=plan.steps, examples=plan.examples, console=console)
    model.compile(
        optimizer=optim.adamw(model, learning_rate=config["learning_rate"], steps=plan.steps * epochs),
        loss=task.loss(),
        metrics=task.metrics(),
        jit_compile=False,  # XLA would compile anew for every length of batch
    )
    started = time.monotonic()
    try:
        model.fit(
            training_batches(model.assembly, prepared.train.inputs, prepared.train.encoded, plan, epochs),
            epochs=epochs,
            steps_per_epoch=plan.steps,
            validation_data=_validation(model, prepared.validation, batch_size),
            # Checked, kept, and only then announced.
            callbacks=[own.StopAtNaN(), best, own.History(directory), progress, *extra],
            shuffle=False,  # the batch plan has shuffled
            verbose=0,
        )
    finally:
        progress.stop()
    weights.load(model, directory.best_weights)
    return time.monotonic() - started


def _validation(model: keras.Model, part: Part | None, batch_size: int) -> tf.data.Dataset | None:
    if part is None:
        return None
    plan = BatchPlan(examples=len(part), batch_size=batch_size)
    return training_batches(model.assembly, part.inputs, part.encoded, plan)


def _finish(run: Run, prepared: Prepared, config: Mapping[str, Any], seconds: float) -> None:
    directory = RunDirectory(run.directory)
    part = prepared.evaluated
    seen = prepared.seen.get(part.name, np.empty(0, np.int64))
    report = run.evaluate_part(part, run.notes, config["batch_size"], seen)
    directory.write("report", {**report.to_json(), "training_seconds": round(seconds, 1)})
    write_html(
        run.directory / "report.html", report=report, history=directory.read("history"), config=config, seconds=seconds
    )


def _check_numbers(*, epochs: int, batch_size: int, learning_rate: float, seed: int) -> None:
    wrong = []
    if epochs < 1:
        wrong.append(f"epochs must be 1 or more. Received: {epochs}")
    if batch_size < 1:
        wrong.append(f"batch_size must be 1 or more. Received: {batch_size}")
    if not 0.0 < learning_rate < float("inf"):
        wrong.append(f"learning_rate must be a finite number above 0. Received: {learning_rate}")
    if not 0 <= seed < 2**32:
        wrong.append(f"seed must be from 0 to {2**32 - 1}. Received: {seed}")
    if wrong:
        raise UsageError("\n".join(wrong))
