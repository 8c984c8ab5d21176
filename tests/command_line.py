"""The `kerasft` command as a process of its own, and what it answered."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KERASFT = Path(sys.executable).with_name("kerasft")


@dataclass(frozen=True)
class Answer:
    """Exit code and both streams of a command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout; an error if anything else stands there."""
        (line,) = self.stdout.splitlines()
        value = json.loads(line, parse_constant=_no_constant)
        assert isinstance(value, dict)
        return value


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def environment(**variables: str) -> Mapping[str, str]:
    """This process's environment without settings of kerasft, and `variables`."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("KERASFT_")}, **variables}


def start(*arguments: object, cwd: Path | None = None, **variables: str) -> subprocess.Popen[str]:
    """Starts `kerasft` with these arguments; standard input is empty."""
    return subprocess.Popen(
        [KERASFT, *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def finish(process: subprocess.Popen[str]) -> Answer:
    """Waits for a process to end."""
    stdout, stderr = process.communicate(timeout=300)
    return Answer(process.returncode, stdout, stderr)


def run(*arguments: object, cwd: Path | None = None, **variables: str) -> Answer:
    """`kerasft` with these arguments, from start to end."""
    return finish(start(*arguments, cwd=cwd, **variables))


def python(*arguments: object, cwd: Path | None = None, **variables: str) -> Answer:
    """This Python with these arguments, from start to end."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    return Answer(done.returncode, done.stdout, done.stderr)
