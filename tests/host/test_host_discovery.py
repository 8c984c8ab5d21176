"""The scan reads metadata only, takes what importlib.metadata would take, and survives damaged metadata."""

import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import plugin_projects as projects
import pytest
from plugin_environment import Environment

from kerasft.host.scan import Found, scan


def distribution(site: Path, name: str, version: str, entry_points: str) -> Path:
    """The metadata that an installer leaves behind."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    info.joinpath("entry_points.txt").write_text(entry_points)
    return info


def third_party() -> list[Found]:
    return [found for found in scan() if found.distribution != "kerasft"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_loading_imports_neither_tensorflow_nor_keras_nor_numpy(install: Callable[..., Environment]) -> None:
    probe = install(projects.HEALTHY).probe()
    assert probe.status("kerasft:bert") == "loaded"
    heavy = {"tensorflow", "keras", "keras_hub", "numpy", "tensorflow_text"}
    assert heavy.isdisjoint(probe.host["modules"])


def test_provenance_is_that_of_the_installed_distribution(install: Callable[..., Environment]) -> None:
    probe = install(projects.HEALTHY).probe()
    assert probe.host["plugins"]["acme-healthy:healthy"] == {
        "id": "healthy",
        "distribution": "acme-healthy",
        "version": "3.1",
        "module": "acme_healthy",
        "status": "loaded",
        "phase": "",
        "reason": "",
        "backbones": ["acorn"],
        "tasks": ["counting"],
        "recipes": ["acorn_news"],
    }
    assert probe.host["requirements"] == ["acme-healthy==3.1", f"kerasft=={metadata.version('kerasft')}"]


def test_a_distribution_installed_twice_is_one_plugin(install: Callable[..., Environment]) -> None:
    twice = install(projects.HEALTHY) + install(projects.HEALTHY, projects.RIVAL)
    probe = twice.probe()
    assert probe.stderr == []
    assert probe.status("acme-healthy:healthy") == probe.status("acme-rival:rival") == "loaded"


def test_the_first_version_on_the_path_wins(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(site / "old", "acme-x", "1.0", "[kerasft.v1]\nx = acme_x\n")
    distribution(site / "new", "Acme_X", "2.0", "[kerasft.v1]\nx = acme_x\n")
    monkeypatch.syspath_prepend(str(site / "old"))
    monkeypatch.syspath_prepend(str(site / "new"))
    assert [(found.distribution, found.version) for found in third_party()] == [("Acme_X", "2.0")]


def test_a_plugin_that_a_newer_release_gave_up_is_gone(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(site / "old", "acme-x", "1.0", "[kerasft.v1]\nx = acme_x\n")
    distribution(site / "new", "acme-x", "2.0", "")
    monkeypatch.syspath_prepend(str(site / "old"))
    monkeypatch.syspath_prepend(str(site / "new"))
    assert third_party() == []


def test_the_order_is_that_of_ids_then_distributions(site: Path) -> None:
    distribution(site, "acme-z", "1", "[kerasft.v1]\nsame = z\na = z\n")
    distribution(site, "acme-a", "1", "[kerasft.v1]\nsame = a\nb = a\n")
    order = [(found.id, found.distribution) for found in third_party()]
    assert order == [("a", "acme-z"), ("b", "acme-a"), ("same", "acme-a"), ("same", "acme-z")]


@pytest.mark.parametrize(
    ("entry_points", "expected"),
    [
        ("[kerasft.v1]\nx = new\n[kerasft.v2]\nx = newer\n", ("new", "1", "")),
        ("[kerasft.v2]\nx = newer\n[kerasft.v3beta]\nx = newest\n", ("newest", "3beta", "")),
        ("[kerasft.v1]\nx = one\nx = two\n", ("one", "1", "several modules: one, two")),
        ("[kerasft.v1]\nx = no module\n", ("no module", "1", "which is not a module")),
    ],
)
def test_what_one_distribution_declares(entry_points: str, expected: tuple[str, str, str], site: Path) -> None:
    distribution(site, "acme-x", "1.0", entry_points)
    (found,) = third_party()
    assert (found.module, found.api) == expected[:2]
    assert expected[2] in found.problem
    assert bool(expected[2]) == bool(found.problem)


@pytest.mark.parametrize("id", ["a b", "a/b", "a:b", "-a", "a,b", "all", "none"])
def test_ids_that_could_not_be_written_are_refused(id: str, site: Path) -> None:
    distribution(site, "acme-x", "1.0", f"[kerasft.v1]\n{id} = acme_x\n")
    (found,) = third_party()
    assert "a plugin id has no" in found.problem


def test_damaged_metadata_of_one_distribution_is_its_own_problem(site: Path) -> None:
    distribution(site, "acme-good", "1.0", "[kerasft.v1]\ngood = acme_good\n")
    half_removed = distribution(site, "acme-half", "1.0", "[kerasft.v1]\nhalf = acme_half\n")
    half_removed.joinpath("METADATA").unlink()
    no_equals = distribution(site, "acme-torn", "2.0", "[kerasft.v1]\ntorn\n")
    problems = {found.id: found.problem for found in third_party()}
    assert problems["good"] == ""
    assert str(half_removed) in problems["acme_half"]
    assert str(no_equals) in problems["acme_torn"]


def test_a_scan_failure_is_reported_like_any_other(install: Callable[..., Environment]) -> None:
    environment = install(projects.HEALTHY)
    (metadata_file,) = environment.directories[0].glob("acme_healthy-*.dist-info/METADATA")
    metadata_file.unlink()
    probe = environment.probe()
    (line,) = probe.stderr
    assert line.startswith("kerasft: plugin 'acme_healthy' of acme_healthy 3.1 failed in phase scan: cannot read")
    assert probe.status("kerasft:bert") == "loaded"


def test_records_are_json(install: Callable[..., Environment]) -> None:
    plugins = install(projects.HEALTHY, projects.MISSPELT).probe().host["plugins"]
    assert json.loads(json.dumps(plugins)) == plugins
