"""The plugin of docs/plugins.md, built from the page into a real wheel, installed, and used."""

import json
import os
import subprocess
import sys

import pages
import pytest


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Environment variables of processes in which the page's plugin is installed."""
    project, installed = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("installed")
    for name, content in pages.files("docs/plugins.md").items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(content, encoding="utf-8")
    (project / "kerasft_hashing" / "__init__.py").touch()
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(project), str(project)]
    _pip(*build)
    _pip("install", "--no-deps", "--no-index", "--target", str(installed), *map(str, project.glob("*.whl")))
    return {**os.environ, "PYTHONPATH": str(installed)}


def test_page_has_the_three_files():
    names = ["pyproject.toml", "kerasft_hashing/plugin.py", "kerasft_hashing/backbone.py"]
    assert list(pages.files("docs/plugins.md")) == names


def test_it_is_found_and_explained(environment, tmp_path):
    which = _kerasft(["which", "hashing"], environment, tmp_path)
    assert which["found"][0]["distribution"] == "kerasft-hashing"
    why = _kerasft(["why", "hashing/tiny", "classification"], environment, tmp_path)
    assert why["works"] and "bridged from tokens" in why["features"][0]


@pytest.mark.slow
def test_it_trains_predicts_and_exports(environment, tmp_path):
    pages.write_reviews(tmp_path)
    what = ["--backbone", "hashing/tiny", "--task", "classification", "--train", "reviews.csv", "--out", "run"]
    how = ["--length", "16", "--epochs", "4", "--learning-rate", "0.01"]
    report = _kerasft(["finetune", *what, *how], environment, tmp_path)
    assert report["metrics"]["accuracy"] == 1.0
    predicted = _kerasft(["predict", "run", "a good clean room"], environment, tmp_path)
    assert predicted["predictions"][0]["label"] == "good"
    assert _kerasft(["export", "run", "--out", "exported"], environment, tmp_path)["verified_on"] > 0


def _kerasft(words, environment, folder):
    command = [sys.executable, "-c", "from kerasft.cli import main; main()", *words, "--json"]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _pip(*words):
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    subprocess.run(command, check=True)
