"""results.json to results.md and plots: nothing but the results goes in."""

import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from scenarios import OURS, PLOTS, SCENARIOS, Floor, Plot, Scenario

_BATCH = 32
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).resolve().parent),
    autoescape=jinja2.select_autoescape(["svg.j2"]),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 640, 60, 330  # of a plot's area, in pixels

Results = dict[str, Any]


def write(results: Results, out: Path) -> None:
    """Writes all files below `out`."""
    for name, content in files(results).items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")


def files(results: Results) -> dict[str, str]:
    """Content by relative path."""
    plots = {plot.name: points for plot in PLOTS if (points := _points(results, plot))}
    return {"results.md": _markdown(results, plots)} | {
        f"plots/{plot.name}.svg": _svg(results, plot, plots[plot.name]) for plot in PLOTS if plot.name in plots
    }


def brief(record: dict[str, Any]) -> str:
    """One measurement in a few words."""
    if "error" in record:
        return f"failed: {record['error']}"
    result = record["result"]
    if "wall_seconds" in result:
        return f"{_cost(result):.3f} ms/example, {record['process_seconds']:.0f} s in all"
    return f"{record['process_seconds']:.0f} s in all"


class Row(NamedTuple):
    """A comparison, ready to print."""

    scenario: str
    other: str
    ours: str
    theirs: str
    ratio: str
    floor: str
    verdict: str
    traced: str
    cpu: str
    memory: str
    share: str


def comparisons(results: Results) -> list[Row]:
    """One row per floor."""
    return [_compare(results, scenario, floor) for scenario in SCENARIOS for floor in scenario.floors]


def peak(results: Results, precision: str) -> float:
    """Fastest matrix product of the session, in FLOP/s; 0 if it was not measured."""
    found = [run["result"][precision]["best"] for run in _runs(results, kind="matmul")]
    return max(found, default=0.0) * 1e9


def _compare(results: Results, scenario: Scenario, floor: Floor) -> Row:
    ours, theirs = (_of_side(results, scenario, name) for name in (floor.ours, floor.other))
    title, other = scenario.title, scenario.side(floor.other).label
    if floor.ours != OURS:
        title += f" ({scenario.side(floor.ours).label})"
    promised = "" if floor.ratio is None else f"{floor.ratio:g}"
    if not ours or not theirs:
        return Row(title, other, "–", "–", "–", promised, "not measured", "–", "–", "–", "–")
    ratio = _middle(theirs, _cost) / _middle(ours, _cost)
    pairs = [_cost(theirs[k]) / _cost(ours[k]) for k in ours.keys() & theirs.keys()]
    verdict = "" if floor.ratio is None else "met" if ratio >= floor.ratio else "**missed**"
    return Row(
        title,
        other,
        *(_time(_middle(side, _cost), scenario.unit) for side in (ours, theirs)),
        f"**{_figure(ratio)}** ({_figure(min(pairs))}–{_figure(max(pairs))})" if pairs else f"**{_figure(ratio)}**",
        promised,
        verdict,
        _figure(_middle(theirs, _untraced) / _middle(ours, _untraced)),
        _cpu_ratio(ours, theirs),
        " / ".join(_memory(side) for side in (ours, theirs)),
        " / ".join(_percent(_useful_share(results, ours, theirs, side)) for side in (ours, theirs)),
    )


def _useful_share(results: Results, ours: dict[int, Any], theirs: dict[int, Any], side: dict[int, Any]) -> float | None:
    """FLOP/s that were needed, over the peak. Of plain Keras's head the same count as of ours."""
    any_result = next(iter(side.values()))
    if "flops_needed" not in any_result or not peak(results, any_result["precision"]):
        return None
    return _middle(side, lambda r: r["flops_needed"] * r["epochs"] / r["wall_seconds"]) / peak(
        results, any_result["precision"]
    )


class Spent(NamedTuple):
    """Where the time of a side went, ready to print."""

    scenario: str
    side: str
    timed: str
    needed: str
    padding: str
    recomputed: str
    tracing: str
    rest: str
    tokenizing: str
    busy: str
    padded: str


def spent(results: Results) -> list[Spent]:
    """One row per side."""
    rows = []
    for scenario in SCENARIOS:
        for side in scenario.sides:
            measured = _of_side(results, scenario, side.name)
            if measured and scenario.unit == "example":
                rows.append(_spent(results, scenario, side.label, measured))
    return rows


def _spent(results: Results, scenario: Scenario, label: str, measured: dict[int, Any]) -> Spent:
    first = next(iter(measured.values()))
    speed = peak(results, first["precision"])
    shares: list[float | None] = [None] * 3
    if speed:
        shares = [
            _middle(measured, lambda r, n=name: r[f"flops_{n}"] * r["epochs"] / speed / r["wall_seconds"])
            for name in ("needed", "padding", "recomputed")
        ]
    tracing = _middle(measured, lambda r: (r["tracing_seconds"] or 0.0) / r["wall_seconds"])
    # KerasHub tokenizes in every epoch; the others once.
    passes = first["epochs"] if label.startswith("KerasHub") else 1
    tokenizing = [
        passes * r["tokenize_seconds"] / r["wall_seconds"] for r in measured.values() if _has(r, "tokenize_seconds")
    ]
    busy = [r["cpu_seconds"] / r["wall_seconds"] for r in measured.values() if _has(r, "cpu_seconds")]
    rest = None if None in shares else 1 - sum(shares) - tracing
    return Spent(
        scenario.title,
        label,
        f"{first['examples']:,} × {first['epochs']}",
        *map(_percent, shares),
        _percent(tracing),
        _percent(rest),
        _percent(passes * statistics.median(tokenizing) if tokenizing else None),
        f"{statistics.median(busy):.1f}" if busy else "–",
        _percent(_middle(measured, lambda r: 1 - r["useful_tokens"] / r["padded_tokens"])),
    )


def _markdown(results: Results, plots: dict[str, Sequence["Point"]]) -> str:
    runs = results["runs"]
    others = [run["others_cores"] for run in runs if run.get("others_cores") is not None]
    versions: dict[str, str] = {}
    for run in runs:
        versions |= run.get("result", {}).get("versions", {})
    matmul = [run["result"] for run in _runs(results, kind="matmul")]
    return _TEMPLATES.get_template("results.md.j2").render(
        results=results,
        rows=comparisons(results),
        spent=spent(results),
        plots=[plot for plot in PLOTS if plot.name in plots],
        versions=versions,
        matmul={name: _speeds(matmul, name) for name in ("float32", "bfloat16")} if matmul else {},
        others={"median": statistics.median(others), "most": max(others)} if others else None,
        failures=[f"{_name(run)}: {run['error']}" for run in runs if "error" in run],
        commands=_commands(results),
        differing=_differing(results),
        overhead=_overhead(results),
        measured=sum("error" not in run for run in runs),
        minutes=sum(run.get("process_seconds", 0.0) for run in runs) / 60,
    )


def _name(run: dict[str, Any]) -> str:
    return "/".join(str(run[part]) for part in ("kind", "scenario", "plot", "side", "repetition") if part in run)


def _speeds(matmul: Sequence[dict[str, Any]], name: str) -> dict[str, float]:
    return {
        "best": max(found[name]["best"] for found in matmul),
        "median": statistics.median(found[name]["median"] for found in matmul),
    }


def _overhead(results: Results) -> dict[str, float] | None:
    """What a step costs whatever it computes, ours and Keras's, beside a step of the full fine-tune: milliseconds."""
    found = {scenario.name: scenario for scenario in SCENARIOS}
    ours, keras = (_of_side(results, found["step"], side) for side in (OURS, "keras"))
    full = _of_side(results, found["full"], OURS)
    if not (ours and keras and full):
        return None
    step = _middle(full, lambda r: 1000 * (r["wall_seconds"] - (r["tracing_seconds"] or 0.0)) / r["steps"])
    return {"ours": _BATCH * _middle(ours, _cost), "keras": _BATCH * _middle(keras, _cost), "full": step}


def _differing(results: Results) -> list[str]:
    """Scenarios in which not all sides trained as many weights."""
    found = []
    for scenario in SCENARIOS:
        measured = {s.label: _of_side(results, scenario, s.name) for s in scenario.sides}
        trained = {label: next(iter(runs.values()))["trained_weights"] for label, runs in measured.items() if runs}
        if len({*trained.values()}) > 1:
            found.append(f"{scenario.title}: " + ", ".join(f"{label} {count:,}" for label, count in trained.items()))
    return found


def _commands(results: Results) -> list[str]:
    """Of one measurement per side."""
    found = {}
    for run in _runs(results, kind="scenario"):
        found.setdefault((run["scenario"], run["side"]), f"run_{run['runner']}.py … '{_json(run['spec'])}'")
    return list(found.values())


def _json(spec: dict[str, Any]) -> str:
    shown = (f'"{name}": ' + (f'"{v}"' if isinstance(v, str) else str(v).lower()) for name, v in spec.items())
    return "{" + ", ".join(shown) + "}"


class Point(NamedTuple):
    """Of a plot.

    Args:
        at: value of what is varied.
        seconds: measured.
        without_tracing: the same, less the seconds in which TensorFlow traced.
        flops: that were needed.
    """

    at: Any
    seconds: float
    without_tracing: float
    flops: float


def _points(results: Results, plot: Plot) -> list[Point]:
    found = []
    for run in _runs(results, kind="plot", plot=plot.name):
        for spec, result in zip(run["specs"], run["result"]["runs"], strict=True):
            seconds, epochs = result["wall_seconds"], result["epochs"]
            found.append(
                Point(
                    spec[plot.setting],
                    seconds,
                    max(0.0, seconds - (result["tracing_seconds"] or 0.0)),
                    result["flops_needed"] * epochs,
                )
            )
    return found


def _svg(results: Results, plot: Plot, points: Sequence[Point]) -> str:
    numeric = all(isinstance(point.at, int) for point in points)
    count = _runs(results, kind="plot", plot=plot.name)[0]["result"]["runs"][0]["examples"]
    places = [float(point.at) if numeric else float(i) for i, point in enumerate(points)]
    low, high = (0.0, max(places)) if numeric else (-0.3, len(points) - 0.7)
    top = _round_up(max(point.seconds for point in points))
    rate = points[-1].flops / max(points[-1].without_tracing, 1e-9)
    speed = peak(results, "float32")

    def x(place: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * (place - low) / (high - low), 1)

    def y(seconds: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * min(1.0, seconds / top), 1)

    def line(values: Iterable[float]) -> list[tuple[float, float]]:
        return [(x(place), y(value)) for place, value in zip(places, values, strict=True)]

    series = [
        ("measured", "#1971c2", "", line(p.seconds for p in points)),
        ("less tracing", "#74c0fc", "", line(p.without_tracing for p in points)),
        ("theory at the last point's rate", "#e8590c", "6 4", line(p.flops / rate for p in points)),
    ]
    if speed:
        series.append(("theory at matmul peak", "#868e96", "2 3", line(p.flops / speed for p in points)))
    labels = [str(point.at).replace("top", "top ") for point in points]
    return _TEMPLATES.get_template("plot.svg.j2").render(
        title=f"{plot.title}, {count:,} examples" if plot.setting != "examples" else plot.title,
        axis=plot.axis,
        series=series,
        ticks=[(x(place), label) for place, label in zip(places, labels, strict=True)],
        levels=[(y(top * i / 4), f"{top * i / 4:g} s") for i in range(5)],
    )


def _round_up(value: float) -> float:
    """To the next 1, 2, 4 or 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-6)))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value)


def _runs(results: Results, **key: Any) -> list[dict[str, Any]]:
    return [r for r in results["runs"] if "error" not in r and all(r.get(name) == v for name, v in key.items())]


def _of_side(results: Results, scenario: Scenario, side: str) -> dict[int, dict[str, Any]]:
    """Results by repetition."""
    runs = _runs(results, kind="scenario", scenario=scenario.name, side=side)
    return {run["repetition"]: run["result"] for run in runs}


def _cost(result: dict[str, Any]) -> float:
    """Milliseconds per example and epoch."""
    return 1000 * result["wall_seconds"] / (result["examples"] * result["epochs"])


def _untraced(result: dict[str, Any]) -> float:
    """As `_cost`, less the time in which TensorFlow traced."""
    seconds = result["wall_seconds"] - (result["tracing_seconds"] or 0.0)
    return 1000 * max(seconds, 1e-9) / (result["examples"] * result["epochs"])


def _middle(measured: dict[int, Any], of: Any) -> float:
    return statistics.median(of(result) for result in measured.values())


def _cpu_ratio(ours: dict[int, Any], theirs: dict[int, Any]) -> str:
    if not all(_has(result, "cpu_seconds") for result in (*ours.values(), *theirs.values())):
        return "–"

    def cost(result: dict[str, Any]) -> float:
        return result["cpu_seconds"] / (result["examples"] * result["epochs"])

    return _figure(_middle(theirs, cost) / max(_middle(ours, cost), 1e-12))


def _memory(measured: dict[int, Any]) -> str:
    """Peak, and how much of it came after the libraries had been loaded, in megabytes."""
    most = _middle(measured, lambda r: r["peak_bytes"]) / 1e6
    rise = _middle(measured, lambda r: r["peak_bytes"] - r["base_bytes"]) / 1e6
    return f"{most:,.0f} (+{rise:,.0f})"


def _shares(measured: dict[int, Any], name: str) -> list[float]:
    """Of wall time, in those runs that know."""
    return [result[name] / result["wall_seconds"] for result in measured.values() if _has(result, name)]


def _has(result: dict[str, Any], name: str) -> bool:
    return result.get(name) is not None


def _time(milliseconds: float, unit: str) -> str:
    return f"{1000 * _BATCH * milliseconds:,.0f} µs a step" if unit == "step" else f"{_figure(milliseconds)} ms"


def _figure(value: float) -> str:
    """Three digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.095 else f"{value:.3f}"


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{100 * share:.0f} %" if abs(share) >= 0.1 or abs(share) < 1e-9 else f"{100 * share:.1f} %"
