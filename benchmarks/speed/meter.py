"""Time, processor time and memory of a span of code, and how a runner is called. Standard library only."""

import argparse
import contextlib
import gc
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Meter:
    """Wall seconds, processor seconds of all threads, and the largest resident memory within a ``with`` block."""

    wall = cpu = 0.0
    peak = 0

    def __enter__(self) -> Self:
        gc.collect()
        _forget_peak()
        self._cpu, self._wall = cpu_seconds(), time.perf_counter()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.wall, self.cpu = time.perf_counter() - self._wall, cpu_seconds() - self._cpu
        self.peak = peak_bytes()


class Call(NamedTuple):
    """What a runner is asked to do."""

    spec: dict[str, Any]
    model: Path
    texts: Path


def arguments(description: str) -> Call:
    """From the command line."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="checkpoint directory")
    parser.add_argument("--texts", type=Path, required=True, help="file that texts.py wrote")
    parser.add_argument("spec", type=json.loads, help="what to measure, as JSON; see scenarios.py")
    args = parser.parse_args()
    return Call(args.spec, args.model, args.texts)


def say(result: dict[str, Any]) -> None:
    """One line for bench.py, which reads the last one."""
    sys.stdout.write("\n" + json.dumps(result) + "\n")
    sys.stdout.flush()


def cpu_seconds() -> float:
    """Of all threads of this process so far, the kernel's work for them included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_bytes() -> int:
    """Memory that is resident now; where the system does not say, the most there was."""
    return _status("VmRSS") or _ru_maxrss()


def peak_bytes() -> int:
    """The most that was resident since the last `Meter` began; where that cannot be told, since the process began."""
    return _status("VmHWM") or _ru_maxrss()


def padded(batches: Sequence[tuple[int, int]]) -> dict[str, int]:
    """Tokens that batches of ``(rows, length)`` make the model compute, and the pairs of them in attention."""
    return {
        "padded_tokens": sum(rows * length for rows, length in batches),
        "padded_pairs": sum(rows * length**2 for rows, length in batches),
    }


def _forget_peak() -> None:
    # Loading a model takes more memory for a moment than training does: the kernel forgets its high-water mark at a 5.
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")


def _status(field: str) -> int:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(field + ":")), 0)


def _ru_maxrss() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
