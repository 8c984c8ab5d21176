"""`kerasft doctor`: what is installed, where things are, and what is wrong, by exit code too."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from command_line import Answer

Cli = Callable[..., Answer]


def test_a_healthy_installation(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "not" / "yet"))
    answer = cli("doctor")
    assert answer.code == 0
    for name in ("kerasft", "tensorflow", "tensorflow-text", "keras", "keras-hub", "numpy"):
        assert any(line.split() == [name, version(name)] for line in answer.stdout.splitlines()), name
    assert "CPU" in answer.stdout
    assert f"cache    {tmp_path}/not/yet, 0.0 MB, " in answer.stdout
    assert f"plugin   bert: loaded (kerasft {version('kerasft')})" in answer.stdout
    assert answer.stdout.endswith("\nNo problem found.\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["file", "file/cache"])
def test_a_cache_that_cannot_be_written(place: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / place))
    answer = cli("doctor", "--json")
    assert answer.code == 1
    assert answer.json["problems"] == [f"the cache {tmp_path / place} cannot be written; set KERASFT_CACHE"]


def test_no_backbone_at_all(cli: Cli) -> None:
    answer = cli("doctor", "--no-plugins")
    assert answer.code == 1
    assert "problem: no backbone is installed or loaded" in answer.stdout
