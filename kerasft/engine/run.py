"""A run: a trained model with everything that is known about how it came to be."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasft import data, host, modeling
from kerasft.data import Columns, Examples
from kerasft.data.images import image_row
from kerasft.engine import record, weights
from kerasft.engine.directory import RunDirectory
from kerasft.engine.predictor import Predictor
from kerasft.engine.prepare import Part, check_inputs, raw_inputs, read_part
from kerasft.engine.report import Report, make_report
from kerasft.errors import DataError, RunError
from kerasft.model import TrainedModel
from kerasft.pretrained import Pretrained
from kerasft.specs import load_object


class Run:
    """A run directory and its model.

    Args:
        directory: of the run.
        model: with the weights to evaluate, predict with and export.
        notes: what the user should know, one line each.
    """

    def __init__(self, directory: RunDirectory, model: TrainedModel, notes: Sequence[str] = ()):
        self._directory = directory
        self.model = model
        self.notes = list(notes)
        self._answers = Predictor(model)

    @property
    def directory(self) -> Path:
        """Where everything about this run is kept."""
        return self._directory.path

    @property
    def writes(self) -> bool:
        """Whether this process keeps the run: of several workers only the chief."""
        return self._directory.writes

    @property
    def config(self) -> dict[str, Any]:
        """Arguments of `kerasft.finetune` that repeat this run."""
        return self._directory.read("config")

    @property
    def history(self) -> list[dict[str, float]]:
        """Metrics by name, one dict per epoch."""
        return self._directory.read("history")["epochs"]

    @property
    def report(self) -> Report:
        """What the evaluation at the end of training said.

        Raises:
            RunError: training did not finish.
        """
        return Report.from_json(self._directory.read("report"))

    def evaluate(self, source: Any, *, batch_size: int = 32, encoding: str | None = None) -> Report:
        """Metrics, tables and worst mistakes on labelled data.

        Args:
            source: anything `kerasft.data.read` takes. Its columns are named as in training; those of another format
                are recognised.
            batch_size: examples per batch; changes speed and memory only.
            encoding: of text files; by default as in training.

        Raises:
            DataError: with every problem of the data.
        """
        record = self._directory.read("data")
        part, notes = read_part(
            "evaluation",
            source,
            self.model.assembly.task,
            Columns(record["columns"]["input"], record["columns"]["target"]),
            modality=self.model.assembly.spec.modality,
            encoding=encoding or self.config["encoding"],
        )
        return self.evaluate_part(part, notes, batch_size)

    def evaluate_part(
        self, part: Part, notes: Sequence[str], batch_size: int, seen: Sequence[int] | np.ndarray = ()
    ) -> Report:
        """`evaluate` for data that has been read and checked; `seen` are positions of inputs known from training."""
        task = self.model.assembly.task
        answers = self._answers(part.inputs, batch_size)
        unseen = None
        if 0 < len(seen) < len(part):
            rest = np.setdiff1d(np.arange(len(part)), seen)
            evaluation = task.evaluate(part.encoded[rest], {name: values[rest] for name, values in answers.items()})
            unseen = (len(rest), evaluation)

        def answer(example: int) -> dict[str, Any]:
            return self._presented(answers, example, part.inputs[example])

        return make_report(self.model, part, task.evaluate(part.encoded, answers), notes, unseen, answer)

    def predict(self, source: Any, *, batch_size: int = 32, encoding: str | None = None) -> list[dict[str, Any]]:
        """The task's answers for raw inputs, in their order.

        Args:
            source: a raw input (a text; the path of an image, its bytes, or an array), a sequence of them, or anything
                else that `kerasft.data.read` takes (a `Path` for a file: a string is always a raw input).
            batch_size: examples per batch; changes speed and memory only.
            encoding: of text files; by default as in training.

        Returns:
            For single-label classification ``{"label": str, "score": float, "probabilities": {label: float}}``.

        Raises:
            DataError: with every input that is missing or blank.
        """
        return self.answer(self.inputs(source, encoding=encoding), batch_size=batch_size)

    def answer(self, inputs: Sequence[Any], *, batch_size: int = 32) -> list[dict[str, Any]]:
        """`predict` for what `inputs` gave."""
        answers = self._answers(inputs, batch_size)
        return [self._presented(answers, i, inputs[i]) for i in range(len(inputs))]

    def _presented(self, answers: Mapping[str, np.ndarray], i: int, raw: Any) -> dict[str, Any]:
        return self.model.assembly.task.present({name: _plain(values[i]) for name, values in answers.items()}, raw)

    def export(self, out: str | Path, *, overwrite: bool = False) -> Path:
        """Writes a SavedModel that serves raw inputs without kerasft, after comparing it with this model.

        The comparison runs in a fresh process, on the examples of ``samples.json``.

        Args:
            out: directory to write.
            overwrite: replace an earlier export.

        Raises:
            ExportError: it could not be written, or its answers differ.
        """
        from kerasft.export.savedmodel import export_run

        return export_run(self, Path(out), overwrite=overwrite)

    @property
    def samples(self) -> list[Any]:
        """A few real inputs of the evaluation data, kept to check exports with."""
        return record.samples(self._directory.read("samples"))

    def inputs(self, source: Any, *, encoding: str | None = None) -> Sequence[Any]:
        """The raw inputs that `predict` answers for, read and checked; arguments and errors are its own."""
        encoding = encoding or self.config["encoding"]
        modality = self.model.assembly.spec.modality
        raw = [source] if isinstance(source, str | bytes) else source
        if isinstance(raw, (list, tuple)) and all(isinstance(item, str | bytes | np.ndarray) for item in raw):
            if not raw:
                raise DataError("There is no input to predict on.")
            rows = [image_row(item) for item in raw] if modality == "image" else list(raw)
            table = data.read({modality: rows}).table
            source = Examples(table, "input", locate=lambda row: f"input {row + 1}")
        examples = data.read(source, encoding=encoding)
        trained_on = self._directory.read("data")["columns"]["input"]
        columns = data.infer_columns(
            examples,
            modality=modality,
            input_column=trained_on if trained_on in examples.columns else None,
            with_target=False,
        )
        inputs = raw_inputs(examples, columns.input, modality)
        problems = check_inputs(examples, columns.input, inputs)
        if problems:
            raise DataError(f"{len(problems)} inputs cannot be predicted on.", problems)
        return inputs


def _plain(value: Any) -> Any:
    """A value of an array as Python has it, with text for bytes."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value] if value.dtype == object else value.tolist()
    return value.tolist() if isinstance(value, np.generic) else value


def load(directory: str | Path, notes: Sequence[str] = ()) -> Run:
    """Opens a run: builds its model and reads the best weights.

    Needs neither the network nor the cache: a run keeps the files its backbone is built from.

    Args:
        directory: of the run.
        notes: for the reports of this run.

    Raises:
        RunError: not a run, or one that stopped before it kept any weights.
        UnknownNameError: its backbone or task is no longer installed.
    """
    records = RunDirectory(Path(directory)).open()
    try:
        model = _rebuild(records)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise RunError(f"The records of {directory} are damaged, or of another version of kerasft: {reason}") from error
    if not records.best_weights.exists():
        raise RunError(
            f"{directory} has no weights: training stopped before any were written. kerasft resume {directory} goes on."
        )
    weights.load(model, records.best_weights)
    return Run(records, model, notes)


def pretrained_of(records: RunDirectory) -> Pretrained:
    """The backbone of a run, to be built without its weights.

    Raises:
        RunError: its files are damaged.
    """
    backbone = records.read("backbone")
    records.check_backbone_files(backbone["files"])
    return Pretrained(
        spec=host.load().backbone(backbone["name"]),
        name=backbone["reference"],
        source=backbone["source"],
        directory=records.backbone_files if records.backbone_files.exists() else None,
        options=backbone["options"],
    )


def _rebuild(records: RunDirectory) -> TrainedModel:
    """The model as the records describe it, with fresh weights."""
    found, task = pretrained_of(records), records.read("task")
    task_spec = host.load().task(task["name"])
    made_task = load_object(task_spec.factory, f"task {task['name']}")(**task["config"])
    return modeling.assemble(found.spec, found.create(weights=False), made_task, found.source)
