"""`make bench`: measures every scenario, and writes results.md, results.json and plots.

    python benchmarks/speed/bench.py            everything, into benchmarks/: an hour on two idle cores
    python benchmarks/speed/bench.py --quick    tiny sizes, once, into build/bench/quick/: does it all work?
    python benchmarks/speed/bench.py --resume   goes on with what was interrupted
    python benchmarks/speed/bench.py --render   writes results.md and plots anew from results.json

Every measurement is a process of its own. Sides take turns, forwards and then backwards (A B C, C B A, …), so that a
machine that becomes slower or faster does so for all of them.
"""

import argparse
import fnmatch
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flops
import render
import texts
from scenarios import PLOTS, SCENARIOS, Plot, Scenario

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FORMAT = 1
_TIMEOUT = 1800.0
_WHAT = ("quick", "repetitions", "commit")  # must be the same to go on with results


def main() -> None:
    """Measures, or only renders."""
    args = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # `subprocess.run` then ends the runner too
    out = args.out or (ROOT / "build/bench/quick" if args.quick else ROOT / "benchmarks")
    store = Store(out / "results.json")
    if args.render:
        render.write(store.read(), out)
        return
    args.work.mkdir(parents=True, exist_ok=True)
    path = args.work / "texts.json"
    found = _last_line(_run([args.python, str(HERE / "texts.py"), str(path)], args.work))
    model = Path(found["model"])
    head = {
        "format": FORMAT,
        "complete": False,
        "quick": args.quick,
        "repetitions": args.repetitions,
        "commit": _commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "texts": found["statistics"],
        "encoder": vars(flops.Encoder.of(model)),
    }
    store.begin(head, resume=args.resume)
    runners = Runners(args, model, path)
    jobs = [job for job in _jobs(args, runners) if any(fnmatch.fnmatch(job.name, wanted) for wanted in args.only)]
    for number, job in enumerate(jobs, 1):
        if store.has(job.key):
            continue
        print(f"[{number}/{len(jobs)}] {job.name}", end=" ", flush=True)
        record = job.measure()
        store.add(job.key, record)
        print(render.brief(record), flush=True)
        render.write(store.results, out)
    store.finish(complete=args.only == ["*"])
    render.write(store.results, out)
    print(out / "results.md")


class Store:
    """results.json, written anew after each measurement."""

    def __init__(self, path: Path):
        self._path = path
        self.results: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """What stands in the file."""
        return json.loads(self._path.read_text("utf-8"))

    def begin(self, head: dict[str, Any], *, resume: bool) -> None:
        """Empty, or with what an interrupted benchmark of the same kind left.

        Raises:
            SystemExit: it was of another kind.
        """
        self.results = {**head, "runs": []}
        if resume and self._path.exists():
            before = self.read()
            other = [name for name in _WHAT if before.get(name) != head[name]]
            if other:
                raise SystemExit(f"Not to be resumed: {', '.join(other)} differ from those of {self._path.name}.")
            self.results = {**before, "complete": False}
        self._write()

    def has(self, key: dict[str, Any]) -> bool:
        """Whether there is this measurement, and it did not fail."""
        runs = self.results["runs"]
        return any(all(run.get(k) == v for k, v in key.items()) and "error" not in run for run in runs)

    def add(self, key: dict[str, Any], record: dict[str, Any]) -> None:
        """One more, or again what had failed."""
        runs = self.results["runs"]
        runs[:] = [run for run in runs if any(run.get(k) != v for k, v in key.items())]
        runs.append({**key, **record})
        self._write()

    def finish(self, *, complete: bool) -> None:
        """All is measured."""
        self.results |= {"complete": complete, "finished": datetime.now(UTC).isoformat(timespec="seconds")}
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".partial")
        temporary.write_text(json.dumps(self.results, indent=1) + "\n", "utf-8")
        temporary.replace(self._path)


class Job:
    """One process to run.

    Args:
        key: of its record in the results.
        measure: runs it; gives the rest of the record.
    """

    def __init__(self, key: dict[str, Any], measure: Callable[[], dict[str, Any]]):
        self.key = key
        self.measure = measure
        self.name = "/".join(str(part) for part in key.values())


def _jobs(args: argparse.Namespace, runners: "Runners") -> Iterator[Job]:
    """All there is to measure, in order."""
    for place, scenario in enumerate(SCENARIOS):
        if not place or not args.quick:
            yield Job({"kind": "matmul", "place": place}, runners.matmul)
        for repetition in range(args.repetitions):
            sides = scenario.sides if repetition % 2 == 0 else reversed(scenario.sides)
            for side in sides:
                if args.quick and not side.quick:
                    continue
                yield _side_job(scenario, side.name, repetition, args.quick, runners)
    for plot in PLOTS:
        yield _plot_job(plot, args.quick, runners)


def _side_job(scenario: Scenario, side: str, repetition: int, quick: bool, runners: "Runners") -> Job:
    key = {"kind": "scenario", "scenario": scenario.name, "side": side, "repetition": repetition}
    spec = scenario.spec(scenario.side(side), quick)
    runner = scenario.side(side).runner
    return Job(key, lambda: runners.one(runner, spec, scenario.settings["epochs"]))


def _plot_job(plot: Plot, quick: bool, runners: "Runners") -> Job:
    return Job({"kind": "plot", "plot": plot.name}, lambda: runners.several("kerasft", plot.specs(quick)))


class Runners:
    """Starts run_*.py, each in a fresh process and with a fresh cache directory.

    Args:
        args: of the command line.
        model: directory of the checkpoint.
        path: file of the texts.
    """

    def __init__(self, args: argparse.Namespace, model: Path, path: Path):
        self._args = args
        self._model = model
        self._path = path
        self._encoder = flops.Encoder.of(model)

    def matmul(self) -> dict[str, Any]:
        """The speed of matrix products."""
        return self._measured([self._args.python, str(HERE / "run_matmul.py"), *(["2"] if self._args.quick else [])])

    def one(self, runner: str, spec: dict[str, Any], epochs: int) -> dict[str, Any]:
        """A side of a scenario of so many epochs."""
        record = self._measured(self._command(runner, spec))
        if "error" not in record:
            record["result"] |= self._work(spec, record["result"], epochs)
        return {"runner": runner, "spec": spec, **record}

    def several(self, runner: str, specs: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The points of a plot, one after the other in one process."""
        record = self._measured(self._command(runner, {"runs": specs}))
        if "error" not in record:
            for spec, result in zip(specs, record["result"]["runs"], strict=True):
                result |= self._work(spec, result, spec["epochs"])
        return {"runner": runner, "specs": specs, **record}

    def _command(self, runner: str, spec: dict[str, Any]) -> list[str]:
        python = self._args.hf_python if runner == "hf" else self._args.python
        script = str(HERE / f"run_{runner}.py")
        return [python, script, "--model", str(self._model), "--texts", str(self._path), json.dumps(spec)]

    def _work(self, spec: dict[str, Any], result: dict[str, Any], epochs: int) -> dict[str, float]:
        """FLOPs per epoch, by what they were for."""
        if spec.get("kind") == "steps":
            return {"flops_needed": flops.head(self._encoder, result["examples"])}
        tokens = texts.load(self._path, spec["data"], spec["examples"]).tokens
        lengths = [min(length, spec["length"]) for length in tokens]
        work = flops.work(self._encoder, lengths, spec, result, epochs)
        return {f"flops_{name}": value for name, value in vars(work).items()}

    def _measured(self, command: list[str]) -> dict[str, Any]:
        """What a process printed, and how much of the processors others used meanwhile."""
        before, own, started = _busy_seconds(), _children_seconds(), time.monotonic()
        try:
            result = _last_line(_run(command, self._args.work))
        except (subprocess.SubprocessError, ValueError, IndexError) as error:
            return {"error": _reason(error)}
        seconds = time.monotonic() - started
        busy = _busy_seconds()
        others = None if busy is None or before is None else (busy - before - _children_seconds() + own) / seconds
        told = None if others is None else round(max(0.0, others), 2)
        return {"result": result, "process_seconds": round(seconds, 1), "others_cores": told}


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system."""
    model, flags = platform.processor() or platform.machine(), ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        fields = {name.strip(): value.strip() for name, value in fields.items()}
        model, flags = fields.get("model name", model), fields.get("flags", "")
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_tile")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": model,
        "instructions": [name for name in wanted if name in flags.split()],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": pages,
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, help="of each side (default: 3, or 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: a test of the benchmark, no measurement")
    parser.add_argument("--resume", action="store_true", help="keep what results.json holds already")
    parser.add_argument("--render", action="store_true", help="only write results.md and plots from results.json")
    parser.add_argument(
        "--only",
        action="append",
        metavar="PATTERN",
        help="such as 'scenario/head/*', 'scenario/*/kerasft/*', 'plot/*', 'matmul/*'; may be given several times",
    )
    parser.add_argument("--out", type=Path, help="directory of results.md (default: benchmarks, or build/bench/quick)")
    parser.add_argument("--work", type=Path, default=ROOT / "build/bench", help="directory for texts and scratch")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has kerasft")
    parser.add_argument("--hf-python", default=sys.executable, help="interpreter that has torch and transformers")
    args = parser.parse_args()
    args.only = args.only or ["*"]
    args.repetitions = args.repetitions or (1 if args.quick else 3)
    return args


def _run(command: list[str], work: Path) -> str:
    """Standard output of a process; its cache and temporary files are gone afterwards."""
    scratch = Path(tempfile.mkdtemp(dir=work))
    # The texts are fetched into the user's cache, once; runners get an empty one.
    fresh = {"TMPDIR": str(scratch)}
    if not command[1].endswith("texts.py"):
        fresh["KERASFT_CACHE"] = str(scratch / "cache")
    try:
        done = subprocess.run(
            command, env={**os.environ, **fresh}, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command[1], done.stdout, done.stderr)
        return done.stdout
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _last_line(text: str) -> dict[str, Any]:
    return json.loads(text.strip().splitlines()[-1])


def _reason(error: Exception) -> str:
    """In one line, without the paths of this machine."""
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line for line in (error.stderr or "").splitlines() if line.strip()]
        said = lines[-1].strip() if lines else f"exit code {error.returncode}"
    elif isinstance(error, subprocess.TimeoutExpired):
        said = f"stopped after {_TIMEOUT:.0f} s"
    else:
        said = f"{type(error).__name__}: {error}"
    return said.replace(str(ROOT) + "/", "").replace(str(Path.home()), "~")[:300]


def _busy_seconds() -> float | None:
    """Of all processors together, since the system started, whoever used them; None where it does not say."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _commit() -> str:
    """Of the working tree; with a mark if there are changes to what is measured."""
    try:
        git = ["git", "-C", str(ROOT)]
        revision = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        status = [*git, "status", "--porcelain", "--", "kerasft", "plugins"]
        changed = subprocess.run(status, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return revision.stdout.strip() + (" with changes" if changed.stdout.strip() else "")


if __name__ == "__main__":
    main()
