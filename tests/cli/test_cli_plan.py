"""`kerasft plan`, and `kerasft finetune --profile`, as a user meets them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Answer
from small_runs import TINY, Trained, separable, write_csv

Cli = Callable[..., Answer]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return write_csv(tmp_path / "data.csv", separable(48))


@pytest.mark.slow
def test_it_says_what_a_run_will_take_and_leaves_nothing_behind(data: Path, cli: Cli) -> None:
    answer = cli("plan", *TINY, "--train", data, "--batch-size", 8, "--phase", "head:1", "--phase", "all:1", "--json")
    assert answer.code == 0, answer.stderr
    head, deep = answer.json["phases"]
    assert head["train"] == "head" and head["cached"] and head["cache_bytes"] == answer.json["cache_bytes"] > 0
    assert deep["trained_weights"] == deep["weights"] > head["trained_weights"] > 0
    assert head["steps"] == deep["steps"] == 6
    assert answer.json["seconds"] > 0 and answer.json["peak_bytes"] > 0
    assert answer.json["batch_sizes"]["suggested"] in answer.json["batch_sizes"]["sizes"]
    assert not Path("runs").exists()
    assert not [path for path in Path("cache").rglob("*") if path.is_file() and path.is_relative_to("cache/features")]


@pytest.mark.slow
def test_it_prints_a_table(data: Path, cli: Cli) -> None:
    answer = cli("plan", *TINY, "--train", data, "--batch-size", 8, "--phase", "head:1")
    assert answer.code == 0, answer.stderr
    assert answer.stdout.splitlines()[0].split() == (
        ["phase", "weights", "trained", "epochs", "updates", "padding", "peak", "memory", "time"]
    )
    assert "Suggested batch size: " in answer.stdout
    assert "measuring a few steps" in answer.stderr


@pytest.mark.slow
def test_it_takes_the_configuration_of_a_run(trained: Trained, data: Path, cli: Cli) -> None:
    answer = cli("plan", "--config", trained.directory / "config.json", "--epochs", 1, "--json")
    assert answer.code == 0, answer.stderr
    assert answer.json["batch_size"] == 8
    assert answer.json["phases"][-1]["epochs"] == 1


def test_bad_input_is_one_clean_message(data: Path, cli: Cli) -> None:
    cases = {
        ("--phase", "heads:1"): "heads",
        ("--batch-size", "0"): "batch_size must be a whole number from 1. Received: 0",
        ("--phase", "top9:1"): "top9",
        ("--lora-groups", "a"): "--lora-groups needs --lora-rank",
    }
    for wrong, says in cases.items():
        answer = cli("plan", *TINY, "--train", data, *wrong)
        assert answer.code == 2, answer.stderr
        assert says in answer.stderr and "Traceback" not in answer.stderr
        assert answer.stdout == ""
    answer = cli("plan", "--task", "classification")
    assert answer.code == 2
    assert "Missing --backbone, --train. `kerasft plan --help`" in answer.stderr


def test_a_profile_is_said_and_reported(data: Path, cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "run"
    answer = cli("finetune", *TINY, "--train", data, "--batch-size", 4, "--phase", "all:1", "--out", out, "--profile")
    assert answer.code == 0, answer.stderr
    assert "note: Profile of phase 1: a step takes " in answer.stderr
    assert list((out / "profile").rglob("*.xplane.pb"))
