"""What is in data and what is wrong with them, without training."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from kerasft import data, modeling, pretrained
from kerasft.engine import prepare
from kerasft.errors import DataError

_SHOWN = 20  # lines of each kind that a terminal gets; JSON has all of them


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One part of the data.

    Args:
        source: as the user wrote it.
        examples: how many.
        counts: how often each label stands in it.
        problems: what cannot be learned from, one line each: training would refuse.
        oddities: what is read all the same, one line each.
        seen: places of inputs that also stand in an earlier part.
        repeated: how many inputs stand in this part more than once.
    """

    source: str
    examples: int
    counts: Mapping[str, int]
    problems: Sequence[str]
    oddities: Sequence[str]
    seen: Sequence[str]
    repeated: int


def check(
    backbone: str,
    task: str,
    sources: Mapping[str, Any],
    *,
    task_options: Mapping[str, Any] | None = None,
    input_column: str | None = None,
    target_column: str | None = None,
    encoding: str = "utf-8",
) -> dict[str, Checked]:
    """Reads and checks data as a run would.

    Args:
        backbone: says what the inputs are; its weights are not read.
        task: says what the targets are.
        sources: by the name of the part, ``train`` first.
        task_options: for the task.
        input_column, target_column: names, or None to recognise them.
        encoding: of text files.

    Raises:
        UsageError: columns are in doubt.
        DataError: a file cannot be read at all.
    """
    spec = pretrained.locate(backbone).spec
    made = modeling.create_task(spec, task, task_options or {})
    read = {name: data.read(source, encoding=encoding) for name, source in sources.items()}
    columns = data.infer_columns(
        read["train"],
        modality=spec.modality,
        input_column=input_column,
        target_column=target_column,
        target_names=made.target_names,
    )
    parts, said = [], {}
    for name, examples in read.items():
        own, said[name] = data.columns_of_part(
            examples, columns, modality=spec.modality, target_names=made.target_names
        )
        parts.append(prepare.part_of(name, examples, own, spec.modality))
    problems = {part.name: prepare.problems_of(part, made) for part in parts}
    sound = [part for part in parts if not problems[part.name]]
    if parts[0] in sound:
        try:
            made.adapt(parts[0].targets, parts[0].examples.where)
            for part in sound:
                problems[part.name] += prepare.encode_part(part, made)
        except DataError as error:
            problems[parts[0].name] += [str(error).splitlines()[0], *error.problems]
    seen = prepare.seen_before(parts) if all(map(len, parts)) else {}
    return {
        part.name: Checked(
            source=part.examples.source,
            examples=len(part),
            counts=dict(made.counts(part.targets)) if part in sound else {},
            problems=problems[part.name],
            oddities=[*said[part.name], *part.oddities],
            seen=[part.examples.where(int(i)) for i in seen.get(part.name, ())],
            repeated=len(prepare.repeated(part)),
        )
        for part in parts
    }


def to_json(found: Mapping[str, Checked]) -> dict[str, Any]:
    """JSON-ready data."""
    return {name: asdict(part) for name, part in found.items()}


def show(found: Mapping[str, Checked]) -> None:
    """Prints all of it, long lists cut short."""
    console = Console()

    def line(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    for name, part in found.items():
        line(f"{name}: {part.examples:,} examples from {part.source}")
        if part.repeated:
            line(f"  {part.repeated} of them stand in it more than once")
        for title, lines in (
            ("problems: training would refuse", part.problems),
            ("odd, but read", part.oddities),
            ("also in an earlier part", part.seen),
        ):
            if lines:
                line(f"  {len(lines)} {title}")
            for text in lines[:_SHOWN]:
                line(f"    {text}")
            if len(lines) > _SHOWN:
                line(f"    and {len(lines) - _SHOWN} more: --json")
    labels = dict.fromkeys(label for part in found.values() for label in part.counts)
    if labels:
        table = Table("label", box=None)
        for name in found:
            table.add_column(name, justify="right")
        for label in labels:
            table.add_row(label, *(f"{part.counts.get(label, 0):,}" for part in found.values()))
        console.print(table)
