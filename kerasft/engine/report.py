"""What was measured: kept as JSON, read as HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kerasft.engine.prepare import Part
from kerasft.task import Evaluation, Table

_MISTAKES = 20  # kept in a report; the terminal shows five


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
        confusion: ``{"labels": […], "counts": [[…]]}`` with ``counts[true][predicted]``, or None.
        mistakes: the worst, worst first: ``{"where", "what", "input"}``.
        notes: what the reader should know, one line each.
    """

    part: str
    source: str
    examples: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, Sequence[float]] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    confusion: Mapping[str, Any] | None = None
    mistakes: Sequence[Mapping[str, str]] = ()
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
            "confusion": self.confusion,
            "mistakes": [dict(mistake) for mistake in self.mistakes],
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Report":
        """The inverse of `to_json`; further keys are ignored."""
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        return cls(**{**known, "tables": [Table(**table) for table in value.get("tables", ())]})


def make_report(part: Part, evaluation: Evaluation, notes: Sequence[str]) -> Report:
    """Joins the task's figures with the examples they are about."""
    confusion = None
    if evaluation.confusion:
        labels, counts = evaluation.confusion
        confusion = {"labels": list(labels), "counts": [list(row) for row in counts]}
    return Report(
        part=part.name,
        source=part.examples.source,
        examples=len(part),
        metrics=evaluation.metrics,
        intervals=evaluation.intervals,
        tables=evaluation.tables,
        confusion=confusion,
        mistakes=[
            {
                "where": part.examples.where(mistake.example),
                "what": mistake.what,
                "input": _shown(part.inputs[mistake.example]),
            }
            for mistake in evaluation.mistakes[:_MISTAKES]
        ],
        notes=notes,
    )


def _shown(value: Any, limit: int = 300) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= limit else text[:limit] + "…"
