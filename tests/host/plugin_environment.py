"""Environments with third-party plugins in them, and fresh interpreters that load the host there."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROBE = """
import json, sys
import kerasft.host
from kerasft.errors import UnknownNameError

host = kerasft.host.load()
try:
    host.task("nothing-of-this-name")
except UnknownNameError as error:
    not_found = str(error)
print(json.dumps({
    "plugins": {f"{p.distribution}:{p.id}": p.to_dict() for p in host.plugins},
    "backbones": list(host.backbones), "tasks": list(host.tasks), "recipes": list(host.recipes),
    "requirements": host.requirements(), "not_found": not_found, "modules": list(sys.modules),
}))
"""


@dataclass(frozen=True)
class Probe:
    """What a fresh interpreter saw: the host as JSON, and the lines on its stderr."""

    host: dict[str, Any]
    stderr: list[str]

    def status(self, plugin: str) -> str:
        """Status of a plugin, named ``distribution:id``."""
        return str(self.host["plugins"][plugin]["status"])


@dataclass(frozen=True)
class Environment:
    """Directories that `pip install --target` filled, on top of the environment that runs the tests."""

    directories: tuple[Path, ...]

    def python(self, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs code in a fresh interpreter, in a directory that holds nothing importable."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("KERASFT_")}
        search = os.pathsep.join(map(str, self.directories))
        elsewhere = self.directories[0].parent if self.directories else None
        return subprocess.run(
            [sys.executable, "-c", code],
            env={**inherited, "PYTHONPATH": search, **variables},
            cwd=elsewhere,
            capture_output=True,
            text=True,
        )

    def probe(self, **variables: str) -> Probe:
        """Loads the host in a fresh interpreter."""
        run = self.python(PROBE, **variables)
        assert run.returncode == 0, run.stderr
        return Probe(json.loads(run.stdout), run.stderr.splitlines())

    def __add__(self, other: "Environment") -> "Environment":
        return Environment(self.directories + other.directories)


def pip(command: str, *arguments: str) -> None:
    """Runs pip, which must succeed."""
    quiet = ["--quiet", "--disable-pip-version-check"]
    run = subprocess.run([sys.executable, "-m", "pip", command, *quiet, *arguments], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
