"""Everything that is checked and decided about data before training begins."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerasft import data
from kerasft.data import Columns, Examples
from kerasft.errors import DataError, UsageError
from kerasft.task import Task

_SHOWN = 3  # oddities of a part in its note


@dataclass(kw_only=True)
class Part:
    """The training, validation or test examples.

    Args:
        name: ``"train"``, ``"validation"`` or ``"test"``.
        examples: the rows, with their place in the source.
        columns: which of them are used.
        inputs: raw inputs: strings, or `data.Images`.
        targets: as the task located them.
        oddities: what is odd about the targets, one line each.
        encoded: targets as numbers, once the task has adapted.
    """

    name: str
    examples: Examples
    columns: Columns
    inputs: Sequence[Any]
    targets: Sequence[Any]
    oddities: Sequence[str] = ()
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
        """sha256 of the content of each part, that of its images included."""
        return {part.name: _fingerprint(part) for part in self.parts}


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
    parts = [part_of("train", examples, columns, modality)]
    for name, source in held_out.items():
        if source is not None and not isinstance(source, float):
            read = data.read(source, encoding=encoding)
            own, said = data.columns_of_part(read, columns, modality=modality, target_names=task.target_names)
            notes += [*read.notes, *said]
            parts.append(part_of(name, read, own, modality))
    _raise_all(parts, task)
    notes += [note for part in parts for note in part_notes(part)]

    # A fraction is always one of the whole, whichever part is held out first.
    whole = len(examples)
    for name in ("test", "validation"):
        if isinstance(source := held_out[name], float):
            rest, held = _hold_out(parts[0], name, source * whole / len(parts[0]), task, seed, notes)
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
        seen=seen_before([by_name[name] for name in ("train", "validation", "test") if name in by_name]),
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
    own, said = data.columns_of_part(examples, columns, modality=modality, target_names=task.target_names)
    part = part_of(name, examples, own, modality)
    _raise_all([part], task)
    _encode([part], task)
    return part, [*examples.notes, *said, *part_notes(part)]


def raw_inputs(examples: Examples, column: str, modality: str) -> Sequence[Any]:
    """The raw inputs of a column. Images are read from their files when they are asked for."""
    values = examples.column(column)
    if modality == "image":
        return data.Images(values, examples.folder, examples.where)
    return data.joined(values) if modality == "text" else values


def check_inputs(examples: Examples, column: str, inputs: Sequence[Any]) -> list[str]:
    """Problems of texts and images, one line each."""
    if isinstance(inputs, data.Images):
        return inputs.problems()
    return data.check_text(examples, column)


def input_notes(inputs: Sequence[Any]) -> list[str]:
    """What the user should know about inputs without problems, one line each."""
    return inputs.notes() if isinstance(inputs, data.Images) else []


def part_notes(part: Part) -> list[str]:
    """What the user should know about a part, one line each."""
    notes = input_notes(part.inputs)
    if part.oddities:
        shown = "; ".join(part.oddities[:_SHOWN])
        more = f"; and {len(part.oddities) - _SHOWN} more: kerasft data check" if len(part.oddities) > _SHOWN else ""
        notes.append(f"Odd in the {part.name} data: {shown}{more}")
    return notes


def _check_fractions(held_out: Mapping[str, Any]) -> None:
    fractions = {name: source for name, source in held_out.items() if isinstance(source, float)}
    if not all(0 < fraction < 1 for fraction in fractions.values()) or sum(fractions.values()) >= 1:
        stated = " and ".join(f"{name}={fraction:g}" for name, fraction in fractions.items())
        raise UsageError(f"Fractions to hold out lie between 0 and 1, and together below 1. Received: {stated}")


def part_of(name: str, examples: Examples, columns: Columns, modality: str) -> Part:
    """The columns that a task reads, not yet checked."""
    if columns.target is None:
        raise DataError(f"{examples.source}: no target column to learn from.")
    return Part(
        name=name,
        examples=examples,
        columns=columns,
        inputs=raw_inputs(examples, columns.input, modality),
        targets=examples.column(columns.target),
    )


def problems_of(part: Part, task: Task) -> list[str]:
    """What cannot be learned from, one line each; without any, the targets of the part are located."""
    if not len(part):
        return [f"{part.examples.source}: no examples"]
    problems = check_inputs(part.examples, part.columns.input, part.inputs)
    if part.columns.target and not task.missing_targets:
        problems += data.check_labels(part.examples, part.columns.target)
    return problems or _locate(part, task)


def _raise_all(parts: Sequence[Part], task: Task) -> None:
    problems = [problem for part in parts for problem in problems_of(part, task)]
    if problems:
        raise DataError(f"{len(problems)} problems in the data; nothing was trained.", problems)


def _locate(part: Part, task: Task) -> list[str]:
    """Targets of places in the input, checked against it; problems, one line each."""
    images = isinstance(part.inputs, data.Images)
    inputs = part.inputs if images else part.examples.column(part.columns.input)
    try:
        part.targets, part.oddities = task.locate(inputs, part.targets, part.examples.where)
    except DataError as error:
        return [str(error).splitlines()[0], *(f"  {problem}" for problem in error.problems)]
    return []


def _hold_out(part: Part, name: str, fraction: float, task: Task, seed: int, notes: list[str]) -> tuple[Part, Part]:
    split = data.split(len(part), fraction, seed=seed, labels=task.strata(part.targets))
    notes += split.warnings
    return _take(part, part.name, split.train), _take(part, name, split.held_out)


def _take(part: Part, name: str, rows: np.ndarray) -> Part:
    def of(values: Sequence[Any]) -> Sequence[Any]:
        return values.take(rows) if isinstance(values, data.Images) else [values[i] for i in rows]

    return Part(
        name=name,
        examples=part.examples.take(rows),
        columns=part.columns,
        inputs=of(part.inputs),
        targets=of(part.targets),
    )


def _encode(parts: Sequence[Part], task: Task) -> None:
    problems = [problem for part in parts for problem in encode_part(part, task)]
    if problems:
        raise DataError("The targets do not fit the task; nothing was trained.", problems)


def encode_part(part: Part, task: Task) -> list[str]:
    """Encodes the targets of a part; problems, one line each."""
    try:
        part.encoded = task.encode(part.targets, part.examples.where)
    except DataError as error:
        return [str(error).splitlines()[0], *(f"  {problem}" for problem in error.problems)]
    return []


def seen_before(parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """Positions of inputs that also stand in an earlier part: the same text, or the same image file."""
    found: dict[str, np.ndarray] = {}
    earlier: list[Any] = []
    for part in parts:
        if isinstance(part.inputs, data.Images):
            own: list[Any] = part.inputs.digests()
            known = set(earlier)
            again = np.array([i for i, digest in enumerate(own) if digest in known], np.int64)
        elif isinstance(part.inputs[0], str):
            own, again = list(part.inputs), data.duplicates(earlier, part.inputs)
        else:
            continue
        if earlier:
            found[part.name] = again
        earlier += own
    return found


def _fingerprint(part: Part) -> str:
    found = data.fingerprint(part.examples)
    if isinstance(part.inputs, data.Images):
        found = hashlib.sha256(b"".join([found.encode(), *part.inputs.digests()])).hexdigest()
    return found


def repeated(part: Part) -> np.ndarray:
    """Positions of inputs that stand earlier in the same part."""
    if isinstance(part.inputs, data.Images):
        digests = part.inputs.digests()
        first = {digest: i for i, digest in reversed(list(enumerate(digests)))}
        return np.array([i for i, digest in enumerate(digests) if first[digest] < i], np.int64)
    texts = [text for text in part.inputs if isinstance(text, str)]
    return data.repeats(texts)
