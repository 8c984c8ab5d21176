"""The report as one HTML page that needs nothing else: no scripts, no fonts, no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

import kerasft
from kerasft import files
from kerasft.engine.progress import clock
from kerasft.engine.report import Report
from kerasft.pictures import COLOURS
from kerasft.task import Curves

_WIDTH, _HEIGHT, _LEFT, _TOP = 300, 150, 50, 30  # of the plotting area, in pixels
_COLOURS = {"train": "#1971c2", "validation": "#e8590c"}
_MOST = 8  # lines in a plot


def write_html(
    path: Path,
    *,
    report: Report,
    history: Mapping[str, Sequence[Mapping[str, Any]]],
    config: Mapping[str, Any],
    seconds: float,
) -> None:
    """Renders `report` with the curves of `history`.

    Args:
        path: of the file to write; its directory is named in the page.
        report: what to show.
        history: what ``history.json`` holds.
        config: arguments of the run.
        seconds: that training took.
    """
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.get_template("report.html.j2").render(
        title=f"{config['task']} with {config['backbone']}",
        report=report,
        training=_training(history),
        curves=[_plot(curves) for curves in report.curves],
        phases=history["phases"],
        config={name: value for name, value in config.items() if value not in (None, {}, []) and name != "phases"},
        directory=path.parent,
        seconds=f"{clock(seconds)} min",
        version=kerasft.__version__,
    )
    files.write_text(path, page)


def _training(history: Mapping[str, Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    """One plot per metric, over steps: training as a line, validation as points at the ends of epochs."""
    names = [name for name in (history["steps"][0] if history["steps"] else ()) if name != "step"]
    return [_metric(name, history) for name in names]


def _metric(name: str, history: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    series = {
        "train": [(record["step"], record[name]) for record in history["steps"]],
        "validation": [(r["step"], r[f"val_{name}"]) for r in history["epochs"] if f"val_{name}" in r],
    }
    values = [value for points in series.values() for _, value in points]
    low, high, last = min(values), max(values), history["steps"][-1]["step"]
    lines = [_line(label, points, low, high, last, _COLOURS[label]) for label, points in series.items() if points]
    for line in lines:
        line["dots"] = line["places"] if line["label"] == "validation" or len(line["places"]) == 1 else []
    return {"name": name, "low": f"{low:.3g}", "high": f"{high:.3g}", "last": f"step {int(last)}", "lines": lines}


def _plot(curves: Curves) -> dict[str, Any]:
    """From 0 to 1 both ways."""
    lines = [
        _line(label, points, 0.0, 1.0, 1.0, colour)
        for (label, points), colour in zip(list(curves.lines.items())[:_MOST], COLOURS, strict=False)
    ]
    return {"title": curves.title, "name": curves.y, "low": "0", "high": "1", "last": f"{curves.x} 1", "lines": lines}


def _line(
    label: str, points: Sequence[Sequence[float]], low: float, high: float, last: float, colour: str
) -> dict[str, Any]:
    scale = _HEIGHT / (high - low) if high > low else 0.0
    places = [(round(_LEFT + _WIDTH * x / last, 1), round(_TOP + (high - y) * scale, 1)) for x, y in points]
    return {
        "label": label,
        "colour": colour,
        "places": places,
        "points": " ".join(f"{x},{y}" for x, y in places),
        "dots": [],
    }
