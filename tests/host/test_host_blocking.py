"""`KERASFT_PLUGINS` decides which plugins load; it is read late, and child processes inherit it."""

from collections.abc import Callable

import plugin_projects as projects
import pytest
from plugin_environment import Environment

import kerasft.host
from kerasft.errors import UnknownNameError
from kerasft.host import selection
from kerasft.host.scan import Found


@pytest.fixture(scope="module")
def environment(install: Callable[..., Environment]) -> Environment:
    return install(projects.HEALTHY, projects.IMPORT_CRASH)


EVERY = {"bert", "classification", "healthy", "import-crash"}


@pytest.mark.parametrize(
    ("value", "blocked"),
    [
        ("", set()),
        ("all", set()),
        ("none", EVERY),
        ("bert", EVERY - {"bert"}),
        ("bert, healthy", EVERY - {"bert", "healthy"}),
        ("-bert", {"bert"}),
        ("-bert,-import-crash", {"bert", "import-crash"}),
        ("all,-healthy", {"healthy"}),
        ("bert,healthy,-healthy", EVERY - {"bert"}),
        ("none,-bert", EVERY),
        ("acme-healthy:healthy", EVERY - {"healthy"}),
    ],
)
def test_what_the_variable_means(value: str, blocked: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASFT_PLUGINS", value)
    homes = {"healthy": "acme_healthy", "import-crash": "acme-import-crash"}
    installed = [Found(id=id, distribution=homes.get(id, "kerasft"), version="1") for id in EVERY]
    selected = selection.read()
    selected.check(installed)
    assert {found.id for found in installed if not selected.allows(found)} == blocked


def test_a_blocked_plugin_is_not_imported_and_says_nothing(environment: Environment) -> None:
    probe = environment.probe(KERASFT_PLUGINS="-import-crash,-healthy")
    assert probe.stderr == []
    assert probe.status("acme-healthy:healthy") == "blocked"
    assert "acme_healthy" not in probe.host["modules"]
    assert probe.host["requirements"] == [f"kerasft=={kerasft.__version__}"]
    # The reason a name is missing may well be that its plugin is blocked.
    expected = "plugin 'healthy' of acme-healthy 3.1 is blocked: KERASFT_PLUGINS=-import-crash,-healthy"
    assert expected in probe.host["not_found"]


def test_none_blocks_the_first_party_plugins_like_any_other(environment: Environment) -> None:
    probe = environment.probe(KERASFT_PLUGINS="none")
    assert {plugin["status"] for plugin in probe.host["plugins"].values()} == {"blocked"}
    assert (probe.host["backbones"], probe.host["tasks"], probe.stderr) == ([], [], [])
    assert "No task is installed." in probe.host["not_found"]


@pytest.mark.parametrize("value", ["-helthy", "helthy", "-acme:helthy"])
def test_a_name_that_matches_nothing_is_an_error_with_the_nearest(value: str, environment: Environment) -> None:
    run = environment.python("import kerasft.host; kerasft.host.load()", KERASFT_PLUGINS=value)
    assert run.returncode == 1
    assert f"There is no plugin named {value.lstrip('-')!r}" in run.stderr
    assert "healthy" in run.stderr.split("Did you mean")[1]
    assert f"KERASFT_PLUGINS={value}" in run.stderr


def test_blocks_add_to_the_variable_and_reach_child_processes(environment: Environment) -> None:
    code = """
import os, subprocess, sys
import kerasft.host

assert kerasft.host.load().plugins[0].status == "loaded"
kerasft.host.block(["bert"])
assert kerasft.host.load().plugins[0].status == "blocked"  # never too late
subprocess.run([sys.executable, "-c", "import kerasft.host; print(*kerasft.host.load().tasks)"], check=True)
print(os.environ["KERASFT_PLUGINS"])
kerasft.host.no_plugins()
print(list(kerasft.host.load().tasks), os.environ["KERASFT_PLUGINS"])
"""
    run = environment.python(code, KERASFT_PLUGINS="bert,classification")
    assert run.stdout.splitlines() == ["classification", "bert,classification,-bert", "[] none"], run.stderr


def test_blocking_nothing_leaves_the_variable_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERASFT_PLUGINS", raising=False)
    kerasft.host.block([])
    assert selection.current() == ""


def test_qualified_names_compare_distributions_as_pip_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASFT_PLUGINS", "-My_Plugins.Extra:x,-other:y")
    selected = selection.read()
    assert not selected.allows(Found(id="x", distribution="my-plugins-extra", version="1"))
    assert selected.allows(Found(id="y", distribution="my-plugins-extra", version="1"))
    with pytest.raises(UnknownNameError, match="Known: my-plugins-extra:x"):
        selected.check([Found(id="x", distribution="my-plugins-extra", version="1")])
