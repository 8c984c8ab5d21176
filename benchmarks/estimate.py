"""How far `kerasft plan` is from what `kerasft finetune` then takes: time of training and peak memory.

    .venv/bin/python benchmarks/estimate.py

Every scenario plans, and then trains, in a process of its own with an empty cache of frozen layers. Prints one line per
scenario, and the same as JSON with --json. Errors are (predicted - actual) / actual; the goal is 25 % at most.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from kerasft import assets

sys.path.insert(0, str(Path(__file__).parent / "speed"))
import texts  # the model and data of the other benchmark

GOAL = 25.0
SCENARIOS: dict[str, tuple[str, int, list[str]]] = {
    "head, cached, sentences": ("sentences", 1000, ["--phase", "head:5:1e-3"]),
    "head, cached, documents": ("documents", 256, ["--phase", "head:5:1e-3"]),
    "top2, cached, sentences": ("sentences", 1000, ["--phase", "top2:3"]),
    "all, sentences": ("sentences", 1000, ["--phase", "all:2"]),
    "head then all, documents": ("documents", 256, ["--phase", "head:1:1e-3", "--phase", "all:2"]),
}


def main() -> None:
    """Runs the scenarios one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=Path, default=Path("build/bench/texts.json"), help="made if it is not there")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not args.texts.exists():
        texts.main(args.texts)
    model = Path(assets.resolve(texts.MODEL))
    print(f"{'scenario':<26}  time: predicted  actual  error   memory: predicted   actual  error   planning")
    for name, scenario in SCENARIOS.items():
        if args.only not in name:
            continue
        found = measure(model, args.texts, *scenario)
        print(
            f"{name:<26}  {found['predicted_seconds']:>13.1f} s {found['seconds']:>6.1f} s"
            f" {found['time_error']:>+5.0f} %  {found['predicted_mb']:>15,.0f} MB {found['mb']:>5,.0f} MB"
            f" {found['memory_error']:>+5.0f} %  {found['planning_seconds']:>7.1f} s",
            flush=True,
        )
        if args.json:
            print(json.dumps({"scenario": name, **found}))


def measure(model: Path, rows: Path, kind: str, count: int, phases: list[str]) -> dict[str, Any]:
    """Plans a run, makes it, and compares."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        some = texts.load(rows, kind, count)
        with (home / "data.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *zip(some.texts, some.labels, strict=True)])
        options = ["--backbone", str(model), "--task", "classification", "--train", str(home / "data.csv"), *phases]
        plan, planning, _ = kerasft(home, "plan", *options)
        _, _, peak = kerasft(home, "finetune", *options, "--out", str(home / "run"))
        seconds = json.loads((home / "run" / "report.json").read_text("utf-8"))["training_seconds"]
    return {
        "predicted_seconds": plan["seconds"],
        "seconds": seconds,
        "time_error": 100 * (plan["seconds"] / seconds - 1),
        "predicted_mb": plan["peak_bytes"] / 1e6,
        "mb": peak / 1e6,
        "memory_error": 100 * (plan["peak_bytes"] / peak - 1),
        "planning_seconds": planning,
        "goal_met": all(
            abs(error - 1) <= GOAL / 100 for error in (plan["seconds"] / seconds, plan["peak_bytes"] / peak)
        ),
        "plan": plan,
    }


def kerasft(home: Path, *arguments: str) -> tuple[dict[str, Any], float, int]:
    """The answer of a command in a fresh process, its wall seconds, and its peak memory in bytes."""
    command = [str(Path(sys.executable).with_name("kerasft")), *arguments, "--json"]
    start = time.perf_counter()
    with (home / "stdout").open("w+", encoding="utf-8") as out, (home / "stderr").open("w+") as err:
        process = subprocess.Popen(
            command, stdout=out, stderr=err, env={**os.environ, "KERASFT_CACHE": str(home / "c")}
        )
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise SystemExit((home / "stderr").read_text())
    lines = (home / "stdout").read_text("utf-8").splitlines()
    unit = 1 if sys.platform == "darwin" else 1024
    return json.loads(lines[-1]), time.perf_counter() - start, used.ru_maxrss * unit


if __name__ == "__main__":
    main()
