"""`kerasft --help`, `ls` and their like answer from metadata: they import no tensorflow, keras or numpy."""

import sys
from pathlib import Path

import command_line
import pytest
from small_plugins import install

HEAVY = {"tensorflow", "keras", "numpy", "keras_hub", "tensorflow_text", "tensorflow_datasets", "pandas"}
HEAVY |= {"pyarrow", "scipy", "sklearn", "h5py", "safetensors"}

LIGHT = [
    ["--help"],
    ["--version"],
    ["finetune", "--help"],
    ["plan", "--help"],
    ["ls", "backbones"],
    ["ls", "presets"],
    ["ls", "tasks"],
    ["ls", "recipes"],
    ["plugins"],
    ["plugins", "--requirements"],
    ["matrix"],
    ["why", "bert", "classification"],
    ["which", "classification"],
    ["recipe", "ls"],
    ["recipe", "show", "bbc_news_bert"],
    ["assets", "ls"],
]

# Runs a command as the console script does, then says on stderr what it has imported.
PROBE = """
import sys
from kerasft.cli import main
try:
    main.main(sys.argv[1:], prog_name="kerasft")
finally:
    print("imported", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def probe(*arguments: str, **variables: str) -> tuple[command_line.Answer, set[str]]:
    """What a command answered in a fresh interpreter, and the packages that it imported."""
    answer = command_line.python("-c", PROBE, *arguments, **variables)
    return answer, set(answer.stderr.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_a_light_command_imports_nothing_heavy(arguments: list[str]) -> None:
    answer, imported = probe(*arguments)
    assert answer.code == 0
    assert answer.stdout
    assert "kerasft" in imported
    assert not imported & HEAVY


def test_the_probe_sees_heavy_packages(tmp_path: Path) -> None:
    site = install(tmp_path, "heavy", "import numpy")
    _, imported = probe("ls", "tasks", PYTHONPATH=str(site))
    assert imported & HEAVY == {"numpy"}


def test_importing_kerasft_imports_nothing_heavy() -> None:
    code = "import kerasft, sys; dir(kerasft); print(*{name.partition('.')[0] for name in sys.modules})"
    assert not set(command_line.python("-c", code).stdout.split()) & HEAVY


def test_listings_name_what_first_party_plugins_bring() -> None:
    listed = {kind: command_line.run("ls", kind).stdout for kind in ("backbones", "presets", "tasks", "recipes")}
    assert "bert" in listed["backbones"]
    assert "bert/minilm-l6" in listed["presets"]
    assert "bert/tiny" in listed["presets"]
    assert "classification" in listed["tasks"]
    assert "bbc_news_bert" in listed["recipes"]


def test_requirements_can_be_installed_elsewhere() -> None:
    from importlib.metadata import version

    assert command_line.run("plugins", "--requirements").stdout == f"kerasft=={version('kerasft')}\n"


def test_the_probed_entry_is_the_one_of_the_console_script() -> None:
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="kerasft")
    assert script.value == "kerasft.cli:main"
    assert command_line.KERASFT.parent == Path(sys.executable).parent
