"""Runs of one set of scenarios by one process, on two devices of one process, and by two processes."""

import json
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import command_line
import numpy as np
from placed_backbone import SOURCE
from small_plugins import install


@dataclass(frozen=True)
class Placed:
    """What one process saw of one scenario."""

    seen: Mapping[str, Any]
    last: Mapping[str, np.ndarray]
    kept: Mapping[str, np.ndarray]


class Fleet:
    """Starts processes with the test backbone installed."""

    def __init__(self, home: Path):
        self.home = home
        self.site = install(home / "site-packages", "placed", SOURCE)

    @staticmethod
    def file(name: str) -> Path:
        """A script of this directory."""
        return Path(__file__).with_name(name)

    def start(self, *arguments: object, **variables: str) -> subprocess.Popen[str]:
        """This Python with these arguments."""
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env=command_line.environment(PYTHONPATH=str(self.site), TF_CPP_MIN_LOG_LEVEL="2", **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def train(
        self, name: str, scenarios: Mapping[str, Any], devices: Any, shared: str | None = None, **variables: str
    ) -> subprocess.Popen[str]:
        """Starts `placed_child` as `name`; what it writes for itself is below `out/name`."""
        spec = self.home / f"{name}.json"
        places = {"out": self.out(name), "shared": self.out(shared or name), "results": self.home / "results" / name}
        described = {"scenarios": scenarios, "devices": devices, **{key: str(path) for key, path in places.items()}}
        spec.write_text(json.dumps(described))
        return self.start(self.file("placed_child.py"), spec, **variables)

    def out(self, name: str) -> Path:
        """Directory of the runs of `name`."""
        return self.home / "out" / name

    def result(self, name: str, scenario: str) -> Placed:
        """What `name` saw of a scenario."""
        path = self.home / "results" / name / scenario
        arrays = [dict(np.load(path / file)) for file in ("last.npz", "kept.npz")]
        return Placed(json.loads((path / "seen.json").read_text()), *arrays)


def cluster(count: int = 2, *, chief: bool = False) -> list[str]:
    """A TF_CONFIG for each of several processes on free ports of this machine."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("localhost", 0))
        addresses = [f"localhost:{one.getsockname()[1]}" for one in sockets]
    kinds = ["chief", *["worker"] * (count - 1)] if chief else ["worker"] * count
    jobs = {kind: [a for a, k in zip(addresses, kinds, strict=True) if k == kind] for kind in dict.fromkeys(kinds)}
    tasks = [(kind, jobs[kind].index(address)) for kind, address in zip(kinds, addresses, strict=True)]
    return [json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}}) for kind, index in tasks]


def finish(processes: Sequence[subprocess.Popen[str]]) -> list[command_line.Answer]:
    """Waits for processes that need each other: when one fails, the others are ended."""
    answers = []
    try:
        for process in processes:
            stdout, stderr = process.communicate(timeout=240)
            answers.append(command_line.Answer(process.returncode, stdout, stderr))
    finally:
        for process in processes:
            process.kill()
    return answers
