"""What was measured: kept as JSON, read as HTML."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as RichTable

from kerasft.data import Images
from kerasft.engine import heat
from kerasft.engine.prepare import Part
from kerasft.marks import pieces
from kerasft.model import TrainedModel
from kerasft.pictures import drawn, jpeg, upright
from kerasft.task import Curves, Evaluation, Table

_MISTAKES = 20  # kept in a report
_MISTAKES_PRINTED = 5
_CONTEXT = 80  # characters beside a mark in the page
_WIDTH = 90  # characters of an input shown in the terminal
_PLACES = "What was found, in colour, and what should have been, in white below."
_HEAT = "Each as the model reads it, and in red where it looked."


@dataclass(frozen=True, kw_only=True)
class Report:
    """An evaluation with its examples by name.

    Args:
        part: ``"test"``, ``"validation"`` or ``"evaluation"``.
        source: where the examples came from.
        examples: how many.
        metrics: figures by name; rates are fractions of 1.
        intervals: 95 % intervals ``(low, high)`` of some of them.
        tables: of the task.
        curves: of the task.
        confusion: ``{"labels": […], "counts": [[…]]}`` with ``counts[true][predicted]``, or None.
        mistakes: the worst, worst first: ``{"where", "what", "input"}``, and for images ``"picture"``, a JPEG file in
            base64; for marked texts ``"pieces"``, see `kerasft.marks`.
        pictures: what these pictures show.
        unseen: ``{"examples", "metrics"}`` of the examples whose input does not also stand in the training data; None
            when that is all of them, or unknown.
        notes: what the reader should know, one line each.
    """

    part: str
    source: str
    examples: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, Sequence[float]] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    curves: Sequence[Curves] = ()
    confusion: Mapping[str, Any] | None = None
    mistakes: Sequence[Mapping[str, Any]] = ()
    pictures: str = ""
    unseen: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {
            "part": self.part,
            "source": self.source,
            "examples": self.examples,
            "metrics": dict(self.metrics),
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            "tables": [table._asdict() for table in self.tables],
            "curves": [curves._asdict() for curves in self.curves],
            "confusion": self.confusion,
            "mistakes": [dict(mistake) for mistake in self.mistakes],
            "pictures": self.pictures,
            "unseen": self.unseen,
            "notes": list(self.notes),
        }

    def print(self, console: Console | None = None) -> None:
        """Shows metrics, tables and the five worst mistakes in a terminal (stdout by default)."""
        console = console or Console()

        def line(text: str, style: str = "") -> None:
            console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

        line(f"{self.part} data: {self.examples} examples from {self.source}")
        for name, value in self.metrics.items():
            low, high = self.intervals.get(name, (None, None))
            line(f"  {name:<10} {value:.4f}" + ("" if low is None else f"   95 % interval {low:.4f} to {high:.4f}"))
        if self.unseen:
            figures = ", ".join(f"{name} {value:.4f}" for name, value in self.unseen["metrics"].items())
            line(f"  on the {self.unseen['examples']} that do not also stand in the training data: {figures}")
        for table in self.tables:
            console.print(_rich_table(table))
        if self.mistakes:
            line("Most wrong:")
        for mistake in self.mistakes[:_MISTAKES_PRINTED]:
            line(f"  {mistake['where']}: {mistake['what']}")
            if mistake["input"] not in mistake["where"]:
                line(f"    {mistake['input'][:_WIDTH]}", style="dim")

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Report":
        """The inverse of `to_json`; further keys are ignored."""
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        tables = [Table(**table) for table in value.get("tables", ())]
        return cls(**{**known, "tables": tables, "curves": [Curves(**curves) for curves in value.get("curves", ())]})


def make_report(
    model: TrainedModel,
    part: Part,
    evaluation: Evaluation,
    notes: Sequence[str],
    unseen: tuple[int, Evaluation] | None,
    answer: Callable[[int], Mapping[str, Any]],
) -> Report:
    """Joins the task's figures with the examples they are about; `answer` gives the one for an example."""
    worst = evaluation.mistakes[:_MISTAKES]
    pictures: list[dict[str, str]] = [{}] * len(worst)
    shown = ""
    if worst and isinstance(part.inputs, Images):
        shown = _PLACES if model.assembly.task.placed else _HEAT
        if model.assembly.task.placed:
            found = [_drawn(model, part, mistake.example, answer(mistake.example)) for mistake in worst]
        else:
            found = heat.pictures(model, [part.inputs[mistake.example] for mistake in worst])
        pictures = [{"picture": picture} for picture in found]
    confusion = None
    if evaluation.confusion:
        labels, counts = evaluation.confusion
        confusion = {"labels": list(labels), "counts": [list(row) for row in counts]}
    return Report(
        part=part.name,
        source=part.examples.source.partition("#")[0],  # without its pin
        examples=len(part),
        metrics=evaluation.metrics,
        intervals=evaluation.intervals,
        tables=evaluation.tables,
        curves=evaluation.curves,
        confusion=confusion,
        pictures=shown,
        mistakes=[
            {
                "where": part.examples.where(mistake.example),
                "what": mistake.what,
                "input": _shown(part, mistake.example),
                **({"pieces": pieces(part.inputs[mistake.example], mistake.marks, _CONTEXT)} if mistake.marks else {}),
                **picture,
            }
            for mistake, picture in zip(worst, pictures, strict=True)
        ],
        unseen={"examples": unseen[0], "metrics": dict(unseen[1].metrics)} if unseen else None,
        notes=notes,
    )


def _drawn(model: TrainedModel, part: Part, example: int, answer: Mapping[str, Any]) -> str:
    """An image with what was found and what should have been, as a JPEG file in base64."""
    task = model.assembly.task
    picture = drawn(upright(part.inputs[example]), task.regions(answer), task.expected(part.targets[example]))
    return base64.b64encode(jpeg(np.asarray(picture), 2 * heat.SIDE)).decode()


def _shown(part: Part, example: int, limit: int = 300) -> str:
    inputs = part.inputs
    text = inputs.name(example) if isinstance(inputs, Images) else " ".join(str(inputs[example]).split())
    return text if len(text) <= limit else text[:limit] + "…"


def _rich_table(table: Table) -> RichTable:
    shown = RichTable(title=table.title, title_justify="left", box=None, pad_edge=True)
    for i, column in enumerate(table.columns):
        shown.add_column(column, justify="left" if i == 0 else "right")
    for row in table.rows:
        shown.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    return shown
