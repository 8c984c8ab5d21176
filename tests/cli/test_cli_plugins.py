"""Plugins on the command line: a broken one is one line on stderr and is named when something cannot be found."""

from collections.abc import Callable
from pathlib import Path

import command_line
import pytest
from command_line import Answer
from small_plugins import BROKEN, TALKATIVE, install
from small_runs import TINY, separable, write_csv

Cli = Callable[..., Answer]
Plugin = Callable[[str, str], None]

LINE = "plugin 'broken' of acme-broken 2.5 failed in phase import: RuntimeError: no counting today"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = install(tmp_path_factory.mktemp("site"), "broken", BROKEN)
    return install(site, "talkative", TALKATIVE)


def run(site: Path, *arguments: object, **variables: str) -> Answer:
    return command_line.run(*arguments, PYTHONPATH=str(site), **variables)


def test_healthy_plugins_work_beside_a_broken_one(site: Path) -> None:
    answer = run(site, "ls", "tasks", "--json")
    assert answer.code == 0
    assert [task["name"] for task in answer.json["tasks"]] == ["classification", "counting", "detection", "ner"]
    assert f"kerasft: {LINE}" in answer.stderr.splitlines()
    assert "hello from a hook" in answer.stderr


def test_the_list_of_plugins_says_what_went_wrong(site: Path) -> None:
    answer = run(site, "plugins", "--json")
    status = {plugin["id"]: plugin["status"] for plugin in answer.json["plugins"]}
    ours = ("bert", "classification", "detection", "ner", "resnet", "vgg", "vit")
    assert status == {**dict.fromkeys(ours, "loaded"), "broken": "failed", "talkative": "loaded"}
    assert answer.json["requirements"][0] == "acme-talkative==2.5"
    shown = run(site, "plugins").stdout
    assert f"\n{LINE}" in shown
    assert "acme-talkative 2.5" in shown


def test_what_cannot_be_found_may_be_in_the_broken_plugin(site: Path) -> None:
    for arguments in (["why", "bert", "addition"], ["which", "addition"], ["recipe", "show", "addition"]):
        answer = run(site, *arguments)
        assert answer.code == 2
        assert answer.stderr.endswith(f"\n{LINE}\n")


def test_a_blocked_plugin_is_silent_and_stays_blocked_in_child_processes(site: Path) -> None:
    answer = run(site, "plugins", "--block", "broken", "--block", "talkative", "--json")
    assert answer.stderr == ""
    assert {p["id"] for p in answer.json["plugins"] if p["status"] == "blocked"} == {"broken", "talkative"}
    assert run(site, "ls", "backbones", "--no-plugins", "--json").json == {"backbones": []}


def test_strict_mode_stops_at_the_broken_plugin(site: Path) -> None:
    answer = run(site, "ls", "tasks", "--json", KERASFT_STRICT="1")
    assert answer.code == 1
    assert answer.json["error"] == {"type": "PluginError", "message": LINE}


def test_the_doctor_finds_it_and_says_so_by_its_exit_code(plugin: Plugin, cli: Cli) -> None:
    plugin("broken", BROKEN)
    answer = cli("doctor", "--json")
    assert answer.code == 1
    assert answer.json["problems"] == [LINE]


def test_an_error_inside_a_plugin_is_one_message_and_a_traceback_on_request(
    plugin: Plugin, cli: Cli, tmp_path: Path
) -> None:
    plugin("talkative", TALKATIVE)
    train = write_csv(tmp_path / "data.csv", separable(8))
    command = ("finetune", *TINY, "--task", "counting", "--train", train, "--out", tmp_path / "run")
    answer = cli(*command, "--json")
    assert answer.code == 1
    assert answer.json["error"] == {
        "type": "ZeroDivisionError",
        "message": "Unexpected ZeroDivisionError: counted too far\nThis is a defect; --debug shows where.",
    }
    assert "Traceback" not in answer.stderr
    assert 'in counting\n    raise ZeroDivisionError("counted too far")' in cli(*command, "--debug").stderr
    assert not (tmp_path / "run").exists()
