"""The `kerasft` command, in this process or as one of its own, and what it answered."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

KERASFT = Path(sys.executable).with_name("kerasft")


@dataclass(frozen=True)
class Answer:
    """Exit code and both streams of a command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The answer: the last JSON object on stdout; an error if anything but events stands before it."""
        *events, answer = self.objects
        assert all("event" in event for event in events)
        return answer

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Every line of stdout; an error if one is not a JSON object."""
        values = [json.loads(line, parse_constant=_no_constant) for line in self.stdout.splitlines()]
        assert all(isinstance(value, dict) for value in values)
        return values


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def here(*arguments: object) -> Answer:
    """`kerasft` with these arguments in this process, where TensorFlow has started already."""
    from kerasft.cli import main

    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        with _redirected(1, stdout), _redirected(2, stderr), pytest.raises(SystemExit) as end:
            main.main([str(argument) for argument in arguments], prog_name="kerasft")
        return Answer(int(end.value.code or 0), _text(stdout), _text(stderr))


@contextlib.contextmanager
def _redirected(descriptor: int, file: IO[bytes]) -> Iterator[None]:
    """Sends what is written to a file descriptor, and to the stream of Python that stands for it, to `file`."""
    saved = os.dup(descriptor)
    os.dup2(file.fileno(), descriptor)
    redirect = contextlib.redirect_stdout if descriptor == 1 else contextlib.redirect_stderr
    try:
        with open(descriptor, "w", encoding="utf-8", buffering=1, closefd=False) as stream, redirect(stream):
            yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8")


def environment(**variables: str) -> Mapping[str, str]:
    """This process's environment without settings of kerasft or of what it silences, and `variables`."""
    ours = ("KERASFT_", "TF_CPP_MIN_LOG_LEVEL")
    return {**{name: value for name, value in os.environ.items() if not name.startswith(ours)}, **variables}


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
