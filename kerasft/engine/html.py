"""The report as one HTML page that needs nothing else: no scripts, no fonts, no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

import kerasft
from kerasft import files
from kerasft.engine.progress import clock
from kerasft.engine.report import Report

_WIDTH, _HEIGHT, _LEFT, _TOP = 300, 150, 50, 30  # of the plotting area, in pixels
_COLOURS = {"train": "#1971c2", "validation": "#e8590c"}


def write_html(
    path: Path,
    *,
    report: Report,
    history: Sequence[Mapping[str, float]],
    config: Mapping[str, Any],
    seconds: float,
) -> None:
    """Renders `report` with the curves of `history`.

    Args:
        path: of the file to write; its directory is named in the page.
        report: what to show.
        history: metrics per epoch.
        config: arguments of the run.
        seconds: that training took.
    """
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.get_template("report.html.j2").render(
        title=f"{config['task']} with {config['backbone']}",
        report=report,
        curves=_curves(history),
        config={name: value for name, value in config.items() if value not in (None, {}, [])},
        directory=path.parent,
        seconds=f"{clock(seconds)} min",
        version=kerasft.__version__,
    )
    files.write_text(path, page)


def _curves(history: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """One plot per metric, training and validation in it."""
    names = [name for name in (history[0] if history else ()) if name != "epoch" and not name.startswith("val_")]
    return [_curve(name, history) for name in names]


def _curve(name: str, history: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    keys = {"train": name, "validation": f"val_{name}"}
    series = {label: [epoch[key] for epoch in history if key in epoch] for label, key in keys.items()}
    series = {label: values for label, values in series.items() if values}
    low = min(min(values) for values in series.values())
    high = max(max(values) for values in series.values())
    lines = [
        {"label": label, "colour": _COLOURS[label], **_line(values, low, high)} for label, values in series.items()
    ]
    return {"name": name, "low": f"{low:.3g}", "high": f"{high:.3g}", "epochs": len(history), "lines": lines}


def _line(values: Sequence[float], low: float, high: float) -> dict[str, Any]:
    across = _WIDTH / max(1, len(values) - 1)
    scale = _HEIGHT / (high - low) if high > low else 0.0
    dots = [(round(_LEFT + i * across, 1), round(_TOP + (high - v) * scale, 1)) for i, v in enumerate(values)]
    return {"dots": dots, "points": " ".join(f"{x},{y}" for x, y in dots)}
