"""A broken plugin, installed from a real wheel, costs one line on stderr; all others work beside it."""

from collections.abc import Callable
from dataclasses import dataclass

import plugin_projects as projects
import pytest
from plugin_environment import Environment

Install = Callable[..., Environment]


@dataclass(frozen=True)
class Case:
    """A broken plugin, where it stops, what its line says, and what the traceback of strict mode shows."""

    project: projects.Project
    phase: str
    says: str
    traceback: str = ""

    @property
    def id(self) -> str:
        return next(iter(self.project.entry_points.values()))


CASES = [
    Case(projects.IMPORT_CRASH, "import", "RuntimeError: boom on two lines", "RuntimeError: boom on\ntwo lines"),
    Case(projects.IMPORT_EXIT, "import", "SystemExit: 3", "sys.exit(3)"),
    Case(projects.HOOK_CRASH, "hooks", "LookupError: boom in the hook", 'raise LookupError("boom in the hook")'),
    Case(projects.MISSPELT, "hooks", "kerasft.v1 has no hook kerasft_backbone; did you mean kerasft_backbones?"),
    Case(projects.UNMARKED, "hooks", "kerasft_tasks() lacks the marker @kerasft.hookimpl"),
    Case(projects.WRONG_ARGUMENT, "hooks", "trainer", "PluginValidationError"),
    Case(projects.NEXT_API, "version", "written for kerasft.v2, this kerasft speaks kerasft.v1"),
    Case(projects.WRONG_TYPE, "specs", "kerasft_backbones(): expected BackboneSpec. Received: TaskSpec("),
    Case(projects.BAD_FIELD, "specs", "provides: expected a tuple of strings. Received: 'pooled'"),
    Case(projects.NO_RETURN, "specs", "kerasft_tasks() returned NoneType; expected an iterable of TaskSpec"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_broken_plugin_is_one_line_and_the_rest_goes_on(case: Case, install: Install) -> None:
    environment = install(projects.HEALTHY, case.project)
    probe = environment.probe()

    origin = f"plugin {case.id!r} of {case.project.distribution} {case.project.version}"
    (line,) = probe.stderr
    assert line.startswith(f"kerasft: {origin} failed in phase {case.phase}: ")
    assert case.says in line

    record = probe.host["plugins"][f"{case.project.distribution}:{case.id}"]
    assert (record["status"], record["phase"]) == ("failed", case.phase)
    assert not record["backbones"] + record["tasks"] + record["recipes"]

    for healthy in ("acme-healthy:healthy", "kerasft:bert", "kerasft:classification"):
        assert probe.status(healthy) == "loaded"
    assert {"acorn", "bert"} <= set(probe.host["backbones"])
    assert probe.host["tasks"] == ["classification", "counting", "detection", "ner"]  # and not the half of HOOK_CRASH
    assert "acorn_news" in probe.host["recipes"]

    # Whoever looks for what the broken plugin would have brought learns about it.
    assert f"{origin} failed in phase {case.phase}: " in probe.host["not_found"]

    strict = environment.python("import kerasft.host; kerasft.host.load()", KERASFT_STRICT="1")
    assert strict.returncode == 1
    assert f"kerasft.errors.PluginError: {origin}" in strict.stderr
    assert case.traceback in strict.stderr


def test_a_plugin_for_another_api_version_is_never_imported(install: Install) -> None:
    probe = install(projects.HEALTHY, projects.NEXT_API).probe()
    assert "acme_next_api" not in probe.host["modules"]
    assert "acme_healthy" in probe.host["modules"]


def test_one_id_from_two_distributions_loads_neither_until_one_is_blocked(install: Install) -> None:
    environment = install(projects.HEALTHY, projects.TWIN_A, projects.TWIN_B)
    probe = environment.probe()

    assert len(probe.stderr) == 2
    for letter, line in zip("ab", probe.stderr, strict=True):
        origin = f"plugin 'twin' of acme-twin-{letter} {ord(letter)}.0"
        assert line.startswith(f"kerasft: {origin} failed in phase conflict: ")
        assert "claimed by acme-twin-a 97.0 and acme-twin-b 98.0" in line
        assert "--block acme-twin-a:twin or --block acme-twin-b:twin" in line
        assert origin in probe.host["not_found"]
        assert probe.status(f"acme-twin-{letter}:twin") == "conflict"
        assert f"acme_twin_{letter}" not in probe.host["modules"]
    assert probe.host["tasks"] == ["classification", "counting", "detection", "ner"]

    healed = environment.probe(KERASFT_PLUGINS="-acme-twin-a:twin")
    assert healed.stderr == []
    assert healed.host["tasks"] == ["classification", "counting", "detection", "ner", "task-of-b"]
    assert healed.status("acme-twin-a:twin") == "blocked"

    # The name as pip would also accept it, and choosing instead of blocking.
    chosen = environment.probe(KERASFT_PLUGINS="classification,Acme_Twin.A:twin")
    assert (chosen.stderr, chosen.host["tasks"]) == ([], ["classification", "task-of-a"])

    strict = environment.python("import kerasft.host; kerasft.host.load()", KERASFT_STRICT="1")
    assert strict.returncode == 1
    assert "its id is claimed by acme-twin-a 97.0 and acme-twin-b 98.0" in strict.stderr


def test_one_object_name_from_two_plugins_is_refused_short_and_works_qualified(install: Install) -> None:
    environment = install(projects.HEALTHY, projects.RIVAL)
    probe = environment.probe()
    assert probe.stderr == []
    assert [name for name in probe.host["backbones"] if "acorn" in name] == ["healthy/acorn", "rival/acorn"]

    run = environment.python(
        """
import kerasft.host
from kerasft.errors import UsageError

host = kerasft.host.load()
for item in host.which("acorn"):
    print(item.kind, item.qualified, item.plugin.distribution, item.plugin.version)
print(host.backbone("rival/acorn").modality, host.find_backbone("healthy/acorn/tiny"))
for find in (host.backbone, host.find_backbone):
    try:
        find("acorn")
    except UsageError as error:
        print(error)
"""
    )
    refusal = [
        "'acorn' may mean more than one backbone. Write one of:",
        "  healthy/acorn  (acme-healthy 3.1)",
        "  rival/acorn  (acme-rival 7.0)",
    ]
    lines = run.stdout.splitlines()
    assert lines[:2] == [
        "backbone healthy/acorn acme-healthy 3.1",
        "backbone rival/acorn acme-rival 7.0",
    ], run.stderr
    assert lines[2].startswith("image (BackboneSpec(name='acorn', modality='text'")
    assert lines[2].endswith("'tiny')")
    assert lines[3:] == refusal * 2

    healed = environment.probe(KERASFT_PLUGINS="-rival")
    assert "acorn" in healed.host["backbones"]


def test_callbacks_come_from_every_plugin_and_a_failing_hook_costs_one_line(install: Install) -> None:
    environment = install(projects.HEALTHY, projects.LATE)
    run = environment.python(
        """
import os, sys
from types import SimpleNamespace

import kerasft.host
from kerasft.errors import PluginError

host = kerasft.host.load()
assert "keras" not in sys.modules
for wanted in ("crash", "no callback"):
    print([type(c).__name__ for c in host.callbacks(SimpleNamespace(directory=".", wanted=wanted))])
os.environ["KERASFT_STRICT"] = "1"
try:
    host.callbacks(SimpleNamespace(directory=".", wanted="crash"))
except PluginError as error:
    print(repr(error.__cause__))
"""
    )
    # What the plugin printed when imported went to stderr: stdout belongs to the command's one JSON object.
    assert run.stdout.splitlines() == ["['CSVLogger']"] * 2 + ["LookupError('boom before training')"]
    said = [line for line in run.stderr.splitlines() if line.startswith("kerasft: ")]
    origin = "kerasft: plugin 'late' of acme-late 1.0 failed in phase"
    assert said == [
        f"{origin} hooks: LookupError: boom before training",
        f"{origin} specs: kerasft_callbacks() gave str; expected keras.callbacks.Callback",
    ]
    assert "hello from a plugin that talks" in run.stderr
