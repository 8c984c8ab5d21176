"""Everything that is checked and decided about data before training begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerasft import data
from kerasft.data import Columns, Examples
from kerasft.errors import DataError, UsageError
from kerasft.task import Task


@dataclass(kw_only=True)
class Part:
    """The training, validation or test examples.

    Args:
        name: ``"train"``, ``"validation"`` or ``"test"``.
        examples: the rows, with their place in the source.
        inputs: raw inputs, for example strings.
        targets: as they stand in the data.
        encoded: targets as numbers, once the task has adapted.
    """

    name: str
    examples: Examples
    inputs: Sequence[Any]
    targets: Sequence[Any]
    encoded: np.ndarray = field(default_factory=lambda: np.empty(0))

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(kw_only=True)
class Prepared:
    """Checked data, and what the user should know about it.

    Args:
        columns: which columns are used.
        train, validation, test: the parts; the last two may be None.
        seen: for validation and test, positions of the inputs that also stand in an earlier part.
        notes: one line each.
    """

    columns: Columns
    train: Part
    validation: Part | None
    test: Part | None
    seen: dict[str, np.ndarray]
    notes: list[str]

    @property
    def parts(self) -> list[Part]:
        """Those that are there, in order."""
        return [part for part in (self.train, self.validation, self.test) if part is not None]

    @property
    def evaluated(self) -> Part:
        """The part that the report is about: the last one there is."""
        return self.parts[-1]

    def fingerprints(self) -> dict[str, str]:
        """sha256 of the content of each part."""
        return {part.name: data.fingerprint(part.examples) for part in self.parts}


def prepare(
    task: Task,
    *,
    modality: str,
    train: Any,
    validation: Any,
    test: Any,
    input_column: str | None,
    target_column: str | None,
    encoding: str,
    seed: int,
) -> Prepared:
    """Reads, checks and splits the data; the task learns its label space from the training part.

    Args:
        task: adapted in place.
        modality: of the backbone.
        train: a source for `kerasft.data.read`.
        validation, test: a source; or a fraction between 0 and 1 to hold out of `train`; or None.
        input_column, target_column: names, or None to recognise them.
        encoding: of text files, or several to try, separated by commas.
        seed: of the splits.

    Raises:
        DataError: with every problem of every part.
        UsageError: columns are in doubt, or fractions out of range.
    """
    held_out = {"validation": validation, "test": test}
    _check_fractions(held_out)
    examples = data.read(train, encoding=encoding)
    columns = data.infer_columns(
        examples,
        modality=modality,
        input_column=input_column,
        target_column=target_column,
        target_names=task.target_names,
    )
    notes: list[str] = list(examples.notes)
    parts = [_part("train", examples, columns)]
    for name, source in held_out.items():
        if source is not None and not isinstance(source, float):
            read = data.read(source, encoding=encoding)
            notes += read.notes
            parts.append(_part(name, read, columns))
    _raise_all(parts, columns, modality, task)

    # A fraction is always one of the whole, whichever part is held out first.
    whole = len(examples)
    for name in ("test", "validation"):
        if isinstance(source := held_out[name], float):
            rest, held = _hold_out(parts[0], name, source * whole / len(parts[0]), columns, task, seed, notes)
            parts = [rest, *parts[1:], held]

    try:
        task.adapt(parts[0].targets, parts[0].examples.where)
    except DataError as error:
        raise DataError(f"{examples.source}: {str(error).splitlines()[0]}", error.problems) from error
    _encode(parts, task)
    by_name = {part.name: part for part in parts}
    return Prepared(
        columns=columns,
        train=parts[0],
        validation=by_name.get("validation"),
        test=by_name.get("test"),
        seen=_seen([by_name[name] for name in ("train", "validation", "test") if name in by_name]),
        notes=notes,
    )


def read_part(
    name: str, source: Any, task: Task, columns: Columns, *, modality: str, encoding: str
) -> tuple[Part, list[str]]:
    """One more labelled part for a task that has adapted already, and its notes.

    Raises:
        DataError: with every problem.
    """
    examples = data.read(source, encoding=encoding)
    part = _part(name, examples, columns)
    _raise_all([part], columns, modality, task)
    _encode([part], task)
    return part, list(examples.notes)


def check_inputs(examples: Examples, column: str, modality: str) -> list[str]:
    """Problems of an input column, one line each. Other modalities are checked by what reads them."""
    return data.check_text(examples, column) if modality == "text" else []


def _check_fractions(held_out: Mapping[str, Any]) -> None:
    fractions = {name: source for name, source in held_out.items() if isinstance(source, float)}
    if not all(0 < fraction < 1 for fraction in fractions.values()) or sum(fractions.values()) >= 1:
        stated = " and ".join(f"{name}={fraction:g}" for name, fraction in fractions.items())
        raise UsageError(f"Fractions to hold out lie between 0 and 1, and together below 1. Received: {stated}")


def _part(name: str, examples: Examples, columns: Columns) -> Part:
    if columns.target is None:
        raise DataError(f"{examples.source}: no target column to learn from.")
    return Part(
        name=name,
        examples=examples,
        inputs=examples.column(columns.input),
        targets=examples.column(columns.target),
    )


def _raise_all(parts: Sequence[Part], columns: Columns, modality: str, task: Task) -> None:
    problems: list[str] = []
    for part in parts:
        if not len(part):
            problems.append(f"{part.examples.source}: no examples")
            continue
        problems += check_inputs(part.examples, columns.input, modality)
        if columns.target and not task.missing_targets:
            problems += data.check_labels(part.examples, columns.target)
    if problems:
        raise DataError(f"{len(problems)} problems in the data; nothing was trained.", problems)


def _hold_out(
    part: Part, name: str, fraction: float, columns: Columns, task: Task, seed: int, notes: list[str]
) -> tuple[Part, Part]:
    split = data.split(len(part), fraction, seed=seed, labels=task.strata(part.targets))
    notes += split.warnings
    rest = _part(part.name, part.examples.take(split.train), columns)
    return rest, _part(name, part.examples.take(split.held_out), columns)


def _encode(parts: Sequence[Part], task: Task) -> None:
    problems: list[str] = []
    for part in parts:
        try:
            part.encoded = task.encode(part.targets, part.examples.where)
        except DataError as error:
            problems += [str(error).splitlines()[0], *(f"  {problem}" for problem in error.problems)]
    if problems:
        raise DataError("The targets do not fit the task; nothing was trained.", problems)


def _seen(parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """Only for text: other inputs are compared by what reads them."""
    found: dict[str, np.ndarray] = {}
    earlier = list(parts[0].inputs)
    for part in parts[1:]:
        if isinstance(earlier[0], str):
            found[part.name] = data.duplicates(earlier, part.inputs)
        earlier += part.inputs
    return found
