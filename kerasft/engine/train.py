"""`finetune`: from names and data to a finished run. `resume`: the same, from where it was interrupted."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
from rich.console import Console

from kerasft import files, modeling, pretrained
from kerasft.engine import checkpoint as checkpoints
from kerasft.engine import placement, record
from kerasft.engine.directory import RunDirectory
from kerasft.engine.execute import Observers, execute, first_notes
from kerasft.engine.progress import Event
from kerasft.engine.run import Run, load, pretrained_of
from kerasft.engine.settings import Settings
from kerasft.engine.setup import NOT_RECORDED, Setup
from kerasft.engine.training import Training
from kerasft.errors import RunError
from kerasft.phases import Lora, Phase

_RESUMED = ("Resumed at phase", "Resumed from the beginning")  # only the last time is of interest


def finetune(
    backbone: str,
    task: str,
    train: Any,
    *,
    validation: Any = 0.1,
    test: Any = None,
    out: str | Path | None = None,
    phases: Sequence[Phase | Mapping[str, Any] | str] | None = None,
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
    batch_tokens: int | None = None,
    balance: bool = False,
    cache_gigabytes: float = 8.0,
    augment: Mapping[str, float] | Sequence[str] | None = None,
    views: int = 0,
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
    profile: bool = False,
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
        phases: what trains, for how long, how fast; as objects, mappings, or text such as ``"head:1:1e-3"``.
        epochs: of the last default phase; only without `phases`.
        learning_rate: peak of the last default phase; only without `phases`.
        batch_size: examples per update, over all devices.
        accumulation: micro-batches that the gradient of a batch is added up from: less memory, and the same result but
            for the draws of dropout, and for BatchNormalization where that trains.
        seed: of splits, order, head weights and dropout.
        optimizer: ``"adamw"``, ``"adam"``, ``"sgd"`` (with momentum 0.9) or ``"lion"``.
        weight_decay: of all weights but biases and norms; none with ``"adam"``.
        clip_norm: largest norm of the gradient of all weights together; None for no limit.
        ema: momentum of an exponential moving average of the weights, for example 0.999, which is then what is
            validated and kept. Every phase begins a new one.
        lora: train low-rank adapters instead of the backbone's weights; they are merged in the weights that are kept.
        precision: ``"float32"``, or ``"bfloat16"`` for computing (weights stay float32).
        batch_tokens: most tokens of a batch, padding included; batches of long texts then have fewer examples.
        balance: draw equally often from each class in every epoch, from a rare one repeatedly.
        cache_gigabytes: most disk space for the outputs of frozen layers, of all runs together; they are computed once
            instead of in every epoch. 0 keeps none.
        augment: random changes to training images: names, as in ``["flip", "crop=0.3"]``, or strengths by name; see
            `kerasft.augmentations.KINDS`. Frozen layers are then computed in every epoch, unless there are `views`.
        views: keep the outputs of frozen layers for so many augmented copies of each training image, of which every
            epoch takes the next, instead of augmenting and computing anew in every epoch.
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
        profile: measure where the time of a step goes, for the report, and write a trace of some steps of each phase
            into ``profile`` in the run directory.
        callbacks: your own Keras callbacks.
        console: for progress; stderr by default.
        events: is called with every event of training as plain data.

    Returns:
        The finished run, with the best weights loaded.

    Raises:
        DataError: with every problem of the data, before training begins.
        UsageError: arguments are out of range or do not fit together.
        RunError: `out` exists, or another process trains into it.
        KerasftError: the loss is not a number, memory is not enough, or frozen weights have changed.
        Interrupted: Ctrl-C; `resume` goes on.
    """
    given = dict(locals())
    observers = Observers(callbacks, console, events)
    setup = Setup.of(given)
    config, chosen = setup.config, setup.strategy
    path = Path(out) if out else record.new_directory(task, backbone)
    directory = RunDirectory(path, writes=placement.is_chief(chosen))
    directory.check(overwrite)
    prepared = setup.prepare(train=train, validation=validation, test=test)

    with directory.in_use():
        model = setup.build()
        state = record.identity(config, prepared, chosen)
        training = Training(model, prepared, setup.settings, directory, chosen, state, profile=profile)
        directory.create(overwrite)
        record.write(directory, config, setup.found, model, prepared)
        run = Run(directory, model, first_notes(model, prepared, training))
        return execute(run, training, prepared, config, observers, None)


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
    devices: str | int | None = None,
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
        devices: others than before, with `force`; see `kerasft.strategy`.
        train, validation, test: the same data once more: needed if they were Python objects, or have been moved.
        callbacks: your own Keras callbacks, as before. They get back those of their attributes that are numbers,
            strings, or lists and dicts of them; one with ``get_state()`` and ``set_state(state)`` says itself what it
            needs.
        console: for progress; stderr by default.
        events: is called with every event of training as plain data.

    Returns:
        The finished run, with the best weights loaded; at once if it was finished already.

    Raises:
        RunError: it is not a run, its records are damaged, or something differs; the message says what.
        KerasftError: the loss is not a number, memory is not enough, or frozen weights have changed.
        Interrupted: Ctrl-C; `resume` goes on.
    """
    path = Path(directory)
    observers = Observers(callbacks, console, events)
    config = RunDirectory(path).open().read("config")
    _check_config(path, config)
    chosen = placement.strategy(devices or config["devices"], config["strategy"])
    records = RunDirectory(path, writes=placement.is_chief(chosen))
    given = {"train": train, "validation": validation, "test": test}
    with records.in_use():
        if records.is_finished():
            records.remove_checkpoints()  # it may have been killed before that
            observers.tell(f"{path} is finished already: there is nothing to resume.")
            return load(path)
        if records.writes:
            files.remove_temporaries(path)
        start, notes = checkpoints.latest(records.checkpoints)
        # Its own files are enough to build it; without a checkpoint the pretrained weights are needed again.
        found = pretrained_of(records) if start else pretrained.locate(config["backbone"])
        made_task = modeling.create_task(found.spec, config["task"], config["task_options"])
        settings = Settings.of(config)
        setup = Setup(config=config, settings=settings, found=found, task=made_task, strategy=chosen)
        prepared = setup.prepare(**record.sources(config, given))
        identity = record.identity(config, prepared, chosen)
        notes += record.check_same(records, start.state if start else {}, identity, force=force)
        if records.writes:
            checkpoints.remove_after(records.checkpoints, start)
        model = setup.build(weights=start is None)
        training = Training(model, prepared, settings, records, chosen, identity)
        # Derived again from the same data: it may have been damaged.
        records.write("task", {"name": config["task"], "config": made_task.get_config()})
        if start:
            where = start.position
            notes.append(f"{_RESUMED[0]} {where.phase + 1}, epoch {where.epoch + 1}, step {where.step + 1}.")
        else:
            record.write(records, config, found, model, prepared)
            notes.append(f"{_RESUMED[1]}: there is no {'undamaged ' if notes else ''}checkpoint.")
        earlier = records.read_notes() or first_notes(model, prepared, training)
        run = Run(records, model, [*(note for note in earlier if not note.startswith(_RESUMED)), *notes])
        return execute(run, training, prepared, config, observers, start)


def _check_config(path: Path, config: Mapping[str, Any]) -> None:
    missing = [name for name in inspect.signature(finetune).parameters if name not in {*config, *NOT_RECORDED}]
    if missing:
        raise RunError(
            f"{path}/config.json is damaged, or of another version of kerasft: it has no {', '.join(missing)}. "
            f"kerasft finetune --config {path}/config.json begins a new run."
        )
