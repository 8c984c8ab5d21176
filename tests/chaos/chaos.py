"""Kills real training processes at random moments until they finish all the same, and compares what they made."""

import contextlib
import json
import os
import random
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import command_line
import numpy as np
from small_runs import weights_of

from kerasft.engine import checkpoint

_GLANCE = 0.0003  # seconds between looks at a directory; a write takes some milliseconds
_PROGRAM = Path(__file__).with_name("chaos_training.py")


class Kill(NamedTuple):
    """When a process is killed, counted from its own start.

    ``time``: after `delay` seconds. ``step``: `delay` seconds after it has told `count` steps. ``checkpoint`` and
    ``weights``: while the `count`-th temporary file is in that directory of the run. ``end``: `delay` seconds after
    the last step of all.
    """

    kind: str
    count: int = 1
    delay: float = 0.0


@dataclass
class Outcome:
    """What a training left behind.

    Args:
        run: its directory.
        heard: the lines it told, by what they are about: ``step 0 3``.
        kills: where it was killed, one line each.
        torn: kills after which the process was dead and its half-written checkpoint still there.
        seconds: that all of it took.
    """

    run: Path
    heard: dict[str, str] = field(default_factory=dict)
    kills: list[str] = field(default_factory=list)
    torn: int = 0
    seconds: float = 0.0

    @property
    def history(self) -> bytes:
        return (self.run / "history.json").read_bytes()

    @property
    def report(self) -> dict[str, Any]:
        """Without the time it took, and without the notes, which say that it was resumed."""
        report = json.loads((self.run / "report.json").read_text())
        return {
            name: value
            for name, value in report.items()
            if name not in ("training_seconds", "training_cpu_seconds", "notes")
        }

    @property
    def weights(self) -> dict[str, bytes]:
        """Of the best epoch, by name in the file."""
        return weights_of(self.run)

    @property
    def last(self) -> dict[str, bytes]:
        """Every variable of model and optimizer after the last step, seeds of dropout and averages included."""
        with np.load(self.run.parent / f"{self.run.name}.npz") as arrays:
            return {name: array.dtype.str.encode() + array.tobytes() for name, array in arrays.items()}


def plan(seed: int, kills: int, last: Kill) -> list[Kill]:
    """Moments drawn at random; of every three one lies in the writing of a checkpoint."""
    draw = random.Random(seed)
    found = []
    for i in range(kills - 1):
        if i % 3 == 0:
            found.append(Kill("checkpoint", draw.randint(1, 3), draw.choice((0.0, draw.uniform(0, 0.004)))))
        else:
            found.append(Kill("step", draw.randint(2, 6), draw.uniform(0, 0.3)))
    return [*found, last]


def train(home: Path, name: str, settings: Mapping[str, Any], kills: list[Kill]) -> Outcome:
    """Trains in `home` / `name`, killed at each of these moments and resumed after each."""
    outcome = Outcome(home / name)
    scenario = home / f"{name}.scenario.json"
    scenario.write_text(json.dumps({**settings, "out": str(outcome.run)}))
    started = time.monotonic()
    for kill in [*kills, None]:
        with _process(scenario, home / f"{name}.log") as process:
            if not _watch(process, kill, outcome):
                break
    outcome.seconds = time.monotonic() - started
    return outcome


@contextlib.contextmanager
def _process(scenario: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, _PROGRAM, scenario],
            env=command_line.environment(TF_CPP_MIN_LOG_LEVEL="3"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            assert process.stdout
            process.stdout.close()


def _watch(process: subprocess.Popen[bytes], kill: Kill | None, outcome: Outcome) -> bool:
    """Hears a process out, and kills it when its moment has come. Whether it did: a fast one may have ended before."""
    assert process.stdout
    os.set_blocking(process.stdout.fileno(), False)
    started = time.monotonic()
    due = started + kill.delay if kill and kill.kind == "time" else None
    waits_for_file = kill is not None and kill.kind in ("checkpoint", "weights")
    steps, seen, text, where = 0, set[str](), b"", "before the first step"
    stale = _temporaries(outcome.run, "checkpoint") | _temporaries(outcome.run, "weights")  # of kills before this one
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            wait = None if due is None else max(0.0, due - time.monotonic())
            if selector.select(_GLANCE if waits_for_file else wait):
                read = process.stdout.read()
                if not read:
                    break
                text += read
                *lines, text = text.split(b"\n")
                for line in map(bytes.decode, lines):
                    where = _hear(line, outcome, where)
                    steps += line.startswith("step ")
                    if (
                        kill
                        and due is None
                        and ((kill.kind == "step" and steps == kill.count) or (kill.kind == "end" and line == "end"))
                    ):
                        due = time.monotonic() + kill.delay
            if waits_for_file and kill:
                seen |= _temporaries(outcome.run, kill.kind) - stale
                if len(seen) >= kill.count:
                    due, waits_for_file = time.monotonic() + kill.delay, False
            if kill and due is not None and time.monotonic() >= due:
                os.kill(process.pid, signal.SIGKILL)
                break
    code = process.wait()
    if code == -signal.SIGKILL and kill:
        for line in (text + (process.stdout.read() or b"")).decode().split("\n")[:-1]:
            where = _hear(line, outcome, where)  # what it had said before it died
        outcome.kills.append(f"{kill.kind}: {where}{_state(outcome, stale)}")
        return True
    assert code == 0, f"{outcome.run}: exit code {code}; see {outcome.run}.log"
    return False


def _hear(line: str, outcome: Outcome, where: str) -> str:
    """Every line must say the same each time it is told: an epoch that is resumed repeats what it had done."""
    kind, *rest = line.split(" ")
    key = " ".join([kind, *rest[: {"step": 2, "epoch": 1, "begin": 1}.get(kind, 0)]])
    assert outcome.heard.setdefault(key, line) == line, f"{outcome.run}: {outcome.heard[key]!r}, then {line!r}"
    return f"after {key}"


def _temporaries(run: Path, directory: str) -> set[str]:
    with contextlib.suppress(FileNotFoundError):
        folder = run / ("checkpoints" if directory == "checkpoint" else directory)
        return {name for name in os.listdir(folder) if name.startswith(".")}  # noqa: PTH208 - the fastest there is
    return set()


def _state(outcome: Outcome, stale: set[str]) -> str:
    """What the dead process left; its finished checkpoints must be sound."""
    folder = outcome.run / "checkpoints"
    whole = sorted(path.name for path in folder.glob("[0-9]*"))
    assert len(whole) <= checkpoint.KEPT + 1, whole  # one more between the new one and the removal of the oldest
    _, damaged = checkpoint.latest(folder)
    assert not damaged, damaged
    text = f", checkpoints of updates {', '.join(str(int(name.partition('-')[0])) for name in whole) or 'none'}"
    written = sorted(_temporaries(outcome.run, "checkpoint") - stale)
    if written:
        outcome.torn += 1
        text += f"; IN A WRITE: {', '.join(f'{name} of {(folder / name).stat().st_size} bytes' for name in written)}"
    for name in _temporaries(outcome.run, "weights") - stale:
        text += f"; in a write of weights: {(outcome.run / 'weights' / name).stat().st_size} bytes"
    return text
