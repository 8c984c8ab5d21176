"""Recipes: short scripts that users list, read, copy, own and run."""

import ast
import importlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path

import command_line
import pytest
from command_line import Answer
from small_plugins import install
from small_runs import separable

import kerasft
from kerasft import host

Cli = Callable[..., Answer]

FILES = sorted(path for path in (Path(__file__).parents[2] / "recipes").glob("*.py") if path.name != "__init__.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per class, one of its files in Latin-1 like one of BBC News."""
    root = tmp_path_factory.mktemp("folder") / "data"
    for i, (text, label) in enumerate(separable(40)):
        (root / label.strip("<>")).mkdir(parents=True, exist_ok=True)
        (root / label.strip("<>") / f"{i:03}.txt").write_text(text, encoding="utf-8")
    (root / "kind" / "latin.txt").write_bytes("a good café".encode("latin-1"))
    return root


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recipe_is_short_and_has_a_config_and_a_main(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 80
    module = importlib.import_module(f"kerasft_recipes.{path.stem}")
    assert is_dataclass(module.Config)
    assert module.Config()  # every option has a default
    assert ast.get_docstring(ast.parse(source))
    assert "\ndef main(cfg: Config) ->" in source


def test_every_recipe_file_is_listed() -> None:
    assert {spec.module.rpartition(".")[2] for spec in host.load().recipes.values()} == {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recipe_is_shown_and_copied_as_it_is(path: Path, tmp_path: Path, cli: Cli) -> None:
    source = path.read_text(encoding="utf-8")
    assert cli("recipe", "show", path.stem).stdout == source
    into_folder = cli("recipe", "cp", path.stem, tmp_path)
    assert into_folder.stdout == f"Copied to {tmp_path / path.name}\n"
    as_file = cli("recipe", "cp", path.stem, tmp_path / "new" / "mine.py", "--json")
    assert as_file.json == {"name": path.stem, "copied_to": str(tmp_path / "new" / "mine.py")}
    assert (tmp_path / path.name).read_text(encoding="utf-8") == source
    assert (tmp_path / "new" / "mine.py").read_text(encoding="utf-8") == source


def test_a_copy_never_replaces_a_file(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "bbc_news_bert.py").write_text("mine")
    answer = cli("recipe", "cp", "bbc_news_bert", tmp_path)
    assert answer.code == 2
    assert answer.stderr == f"kerasft: {tmp_path}/bbc_news_bert.py exists already; nothing was copied.\n"
    assert (tmp_path / "bbc_news_bert.py").read_text() == "mine"


@pytest.mark.slow
def test_a_copied_recipe_runs_as_a_plain_script_in_another_directory(folder: Path, tmp_path: Path, cli: Cli) -> None:
    cli("recipe", "cp", "bbc_news_bert", tmp_path / "mine.py")
    answer = command_line.python(
        *("mine.py", "--data", folder, "--backbone", "bert/tiny", "--length", 16, "--epochs", 6),
        *("--batch-size", 4, "--learning-rate", 0.003, "--out", "first"),
        cwd=tmp_path,
    )
    assert answer.code == 0, answer.stderr
    assert "test data: 8 examples" in answer.stdout
    assert "Not UTF-8, so read kind/latin.txt as Latin-1." in answer.stderr
    served = answer.stdout.partition("Served from")[2].splitlines()[1:6]
    assert all(line.split()[0] in ("rude", "kind") for line in served)

    run = kerasft.load(tmp_path / "first")
    assert run.config["validation"] is None
    assert run.config["backbone_options"] == {"length": 16}
    assert run.report.metrics["accuracy"] >= 0.75
    assert json.loads((tmp_path / "first" / "data.json").read_text())["examples"] == {"train": 33, "test": 8}
    assert (tmp_path / "first" / "export" / "saved_model.pb").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "shown"),
    [
        ("gradual_unfreezing", ("--batch-size", 4), "val_accuracy"),
        ("lora", ("--batch-size", 4, "--rank", 2, "--groups", "block_1"), "adapters.safetensors"),
        ("pure_keras", ("--batch-size", 4, "--train", "top1"), "block_1, head"),
    ],
)
def test_the_other_recipes_run(
    name: str, options: tuple[object, ...], shown: str, folder: Path, tmp_path: Path, cli: Cli
) -> None:
    out = () if name == "pure_keras" else ("--out", tmp_path / "run")
    answer = cli(
        *("recipe", "run", name, "--", "--data", folder, "--backbone", "bert/tiny", "--length", 16, *options, *out)
    )
    assert answer.code == 0, answer.stderr
    assert shown in answer.stdout + answer.stderr
    if name == "lora":
        weights = tmp_path / "run" / "weights"
        assert (weights / "adapters.safetensors").stat().st_size < (weights / "best.weights.h5").stat().st_size / 2
    if name == "gradual_unfreezing":
        history = json.loads((tmp_path / "run" / "history.json").read_text())
        assert [phase["train"] for phase in history["phases"]] == ["head", "top1", "top2", "all"]
        trained = [phase["trained_weights"] for phase in history["phases"]]
        assert trained == sorted(set(trained)) and trained[-1] == history["phases"][-1]["total_weights"]


# No TensorFlow: what matters is the process around the recipe.
SCRIPT = """
import sys, time
from pathlib import Path
import kerasft

@kerasft.hookimpl
def kerasft_recipes():
    yield kerasft.RecipeSpec(name="waiting", module="acme_waiting")

if __name__ == "__main__":
    try:
        print("arguments", sys.argv[1:], flush=True)
        time.sleep(60 if "--wait" in sys.argv else 0)
    except KeyboardInterrupt:
        time.sleep(1)  # longer than a parent in a hurry would wait
        Path("saved.txt").write_text("state")
        sys.exit(130)
    sys.exit(3)
"""


def test_a_recipe_gets_its_arguments_and_gives_its_exit_code(tmp_path: Path) -> None:
    site = str(install(tmp_path / "site", "waiting", SCRIPT))
    answer = command_line.run("recipe", "run", "waiting", "--", "--json", "-x", "a b", PYTHONPATH=site)
    assert (answer.code, answer.stdout) == (3, "arguments ['--json', '-x', 'a b']\n")
    answer = command_line.run("recipe", "run", "waiting", "--json", PYTHONPATH=site)
    assert answer.json == {"name": "waiting", "exit_code": 3}
    assert answer.stderr == "arguments []\n"


def test_ctrl_c_leaves_a_recipe_the_time_to_save(tmp_path: Path) -> None:
    site = str(install(tmp_path / "site", "waiting", SCRIPT))
    process = subprocess.Popen(
        [command_line.KERASFT, "recipe", "run", "waiting", "--", "--wait"],
        cwd=tmp_path,
        env=command_line.environment(PYTHONPATH=site),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert process.stdout.readline() == "arguments ['--wait']\n"
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: to the command and to the recipe
    answer = command_line.finish(process)
    assert answer.code == 130
    assert "Traceback" not in answer.stderr
    assert (tmp_path / "saved.txt").read_text() == "state"


def test_a_recipe_whose_module_is_gone_is_named(tmp_path: Path) -> None:
    source = SCRIPT.replace('module="acme_waiting"', 'module="acme_gone.recipe"')
    site = str(install(tmp_path / "site", "waiting", source))
    answer = command_line.run("recipe", "run", "waiting", PYTHONPATH=site)
    assert answer.code == 1
    assert "acme_gone" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "defect" not in answer.stderr
