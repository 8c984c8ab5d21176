"""One clean message for an error, a traceback with --debug, exit codes that scripts can rely on, help that is true."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import click
import command_line
import pytest
from command_line import Answer
from small_runs import TINY, separable, write_csv

import kerasft
from kerasft.cli import COMMANDS, main

Cli = Callable[..., Answer]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "data.csv", separable(8))


def test_debug_shows_where_an_error_was_raised() -> None:
    plain, debug = command_line.run("which", "brt"), command_line.run("which", "brt", "--debug")
    assert (
        plain.stderr == "kerasft: There is no backbone, task or recipe named 'brt'.\nDid you mean bert or ner_bert?\n"
    )
    assert debug.stderr.startswith("Traceback (most recent call last):")
    assert "kerasft.errors.UnknownNameError: There is no backbone" in debug.stderr
    assert (plain.code, debug.code) == (2, 2)


def test_an_unforeseen_error_is_one_message_that_owns_up(data: Path, tmp_path: Path, cli: Cli) -> None:
    # Keras refuses this value, not we.
    command = ("finetune", *TINY, "--train", data, "--out", tmp_path / "run", "--task-option", "dropout=7")
    plain, debug = cli(*command), cli(*command, "--debug")
    assert plain.code == debug.code != 0
    assert plain.stderr.startswith("kerasft: ")
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr
    assert not (tmp_path / "run").exists()


NEAREST = [
    (["--backbone", "brt/tiny"], "There is no backbone named 'brt'.\nDid you mean bert?"),
    (["--backbone", "bert/tinny"], "There is no preset of bert named 'tinny'.\nDid you mean tiny?"),
    (["--backbone", "bert"], "Which preset of bert?"),
    (["--task", "clasification"], "There is no task named 'clasification'.\nDid you mean classification?"),
    (["--backbone-option", "lenght=3"], "There is no option of backbone bert named 'lenght'.\nDid you mean length?"),
    (["--task-option", "mode=multilabel"], "There is no classification mode named 'multilabel'.\nDid you mean multi-"),
    (["--task-option", "dropuot=0.1"], "Did you mean dropout?"),
    (["--target-column", "lable"], "There is no column named 'lable'.\nDid you mean label?"),
    (["--train", "{data}x"], "data.csv?"),
    (["--bakbone", "bert/tiny"], "--backbone"),
    (["--block", "brt"], "There is no plugin named 'brt'.\nDid you mean bert?"),
]


@pytest.mark.parametrize(("wrong", "says"), NEAREST, ids=lambda value: " ".join(value) if type(value) is list else "-")
def test_an_unknown_name_gets_the_nearest_ones(
    wrong: list[str], says: str, data: Path, tmp_path: Path, cli: Cli
) -> None:
    given = [word.format(data=data) for word in wrong]
    answer = cli("finetune", *TINY, "--train", data, "--out", tmp_path / "run", *given)
    assert answer.code == 2
    assert says in answer.stderr
    assert not (tmp_path / "run").exists()


OUT_OF_RANGE = [
    (["--epochs", 0], "epochs must be a whole number from 1. Received: 0"),
    (["--batch-size", -1], "batch_size must be a whole number from 1. Received: -1"),
    (["--learning-rate", 0], "learning_rate must be a finite number above 0. Received: 0.0"),
    (["--learning-rate", "nan"], "learning_rate must be a finite number above 0. Received: nan"),
    (["--learning-rate", "inf"], "learning_rate must be a finite number above 0. Received: inf"),
    (["--seed", -3], "seed must be"),
    (["--seed", 2**32], "seed must be"),
    (["--validation", 0], "between 0 and 1"),
    (["--validation", 1], "between 0 and 1"),
    (["--test", "nan"], "between 0 and 1"),
    (["--validation", 0.6, "--test", 0.5], "validation=0.6"),
    (["--length", 2], "length must be from 3 to 128 tokens"),
    (["--length", 129], "length must be from 3 to 128 tokens"),
    (["--length", 10**20], "length must be from 3 to 128 tokens"),
    (["--phase", "head:1:0"], "learning_rate must be a finite number above 0. Received: 0.0"),
    (["--phase", "all:1:nan"], "learning_rate must be a finite number above 0. Received: nan"),
    (["--phase", "top99:1"], "Phase top99: the backbone has 3 groups of layers, so top1 to top3"),
    (["--phase", "top0:1"], "train is 'head', 'all', or 'topN'"),
    (["--phase", "hed:1"], "train is 'head', 'all', or 'topN'"),
    (["--phase", "all:1:1e-3:layer_deca=1"], "Did you mean layer_decay?"),
    (["--phase", "all:1", "--epochs", 2], "Give either phases, or epochs and learning_rate"),
    (["--optimizer", "adamv"], "Did you mean adam or adamw?"),
    (["--clip-norm", "much"], "--clip-norm takes a number or none. Received: much"),
    (["--ema", 1], "ema must lie between 0 and 1"),
    (["--precision", "float16"], "Did you mean"),
    (["--accumulation", 64], "accumulation"),
    (["--lora-groups", "block_1"], "--lora-groups needs --lora-rank"),
    (["--lora-rank", 2, "--lora-groups", "blok_1"], "Did you mean block_1"),
    (["--lora-rank", 0], "rank must be a whole number from 1"),
    (["--monitor", "val_acuracy"], "Did you mean val_accuracy?"),
    (["--monitor", "val_loss", "--validation", "none"], "monitor needs validation data"),
    (["--early-stopping", 1, "--validation", "none"], "early_stopping needs validation data"),
    (["--devices", "two"], "devices is auto, cpu, all, or how many"),
    (["--strategy", "miror"], "Did you mean mirrored?"),
    (["--task-option", "class_weights=balance"], "class_weights is 'balanced'"),
    (["--task-option", "labels=3"], "task classification cannot be made with these options"),
    (["--backbone-option", "seed=abc"], "backbone bert cannot be made with these options"),
    (["--backbone-option", "length"], "--backbone-option takes KEY=VALUE. Received: length"),
    (["--encoding", "utf-99"], "There is no text encoding named 'utf-99'"),
]


@pytest.mark.parametrize(
    ("wrong", "says"), OUT_OF_RANGE, ids=lambda v: " ".join(map(str, v)) if type(v) is list else "-"
)
def test_a_value_out_of_range_is_named(wrong: list[object], says: str, data: Path, tmp_path: Path, cli: Cli) -> None:
    answer = cli("finetune", *TINY, "--train", data, "--out", tmp_path / "run", *wrong)
    assert answer.code == 2
    assert says in answer.stderr
    assert not (tmp_path / "run").exists()


def test_all_wrong_numbers_are_listed_at_once(data: Path, cli: Cli) -> None:
    answer = cli(
        *("finetune", *TINY, "--train", data, "--epochs", 0, "--batch-size", 0, "--seed", -1),
        *("--optimizer", "adamv"),
    )
    for named in ("epochs must", "batch_size must", "seed must", "optimizer named 'adamv'"):
        assert named in answer.stderr


def test_the_defaults_in_the_help_are_those_of_the_function() -> None:
    import importlib

    finetune = importlib.import_module("kerasft.cli.finetune").command
    signature = inspect.signature(kerasft.finetune).parameters
    stated = {
        option.name: re.search(r"\[default: (.+)\]", option.help)
        for option in finetune.params
        if option.name in signature
        and isinstance(signature[option.name].default, (float, str, int))
        and not option.is_flag
    }
    assert set(stated) >= {
        "validation",
        "batch_size",
        "optimizer",
        "clip_norm",
        "checkpoint_minutes",
        "seed",
        "encoding",
    }
    for name, match in stated.items():
        default = signature[name].default
        assert match, f"the help of --{name} states no default"
        assert type(default)(match[1]) == default


def test_help_of_every_command_shows_the_common_options() -> None:
    context = click.Context(main, info_name="kerasft")
    for name in COMMANDS:
        command = main.get_command(context, name)
        leaves = list(command.commands.values()) if isinstance(command, click.Group) else [command]
        for leaf in leaves:
            assert {"as_json", "debug", "block", "no_plugins"} <= {option.name for option in leaf.params}, name
            assert leaf.get_short_help_str(), name


def test_the_list_of_commands_is_complete() -> None:
    folder = Path(inspect.getfile(main.callback)).parent
    modules = {path.stem for path in folder.glob("*.py") if "\ncommand = " in path.read_text(encoding="utf-8")}
    assert modules == set(COMMANDS)
    assert all(f"  {name} " in command_line.run("--help").stdout for name in COMMANDS)
