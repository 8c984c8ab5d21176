"""What README.md tells a newcomer to type works as it stands there."""

import re

import pages
import pytest


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    pages.write_reviews(folder)
    pages.write_photos(folder / "photos")
    return folder


@pytest.mark.slow
@pytest.mark.network  # the real weights, unless they are in the cache
def test_commands_and_python_run_in_order(reviews, monkeypatch, capsys):
    monkeypatch.chdir(reviews)
    commands = [command for command in pages.commands("README.md") if "demo" not in command]
    served = ["predict", "export"]
    assert [command.split()[1] for command in commands] == [
        "finetune",
        "evaluate",
        *served,
        "finetune",
        *served,
        "finetune",
        "predict",
    ]
    printed = [pages.run(command, monkeypatch, capsys) for command in commands]
    assert "accuracy" in printed[1] and "verified on" in printed[3] and "verified on" in printed[6]

    serve, python = pages.blocks("README.md", "python")
    exec(serve + "\nanswers = _", {"_": None})
    with pytest.raises(Exception, match="already holds a run"):  # the page's two ways write the same place
        exec(python, {})
    exec(python.replace('"runs/reviews"', '"runs/python"').replace('"exported/reviews"', '"exported/python"'), {})


def test_make_targets_exist():
    named = set(re.findall(r"(?m)^ {4}make ([a-z-]+)", pages.read("README.md") + pages.read("CONTRIBUTING.md")))
    targets = set(re.findall(r"^([a-z-]+):", pages.read("Makefile"), re.MULTILINE))
    assert named and named <= targets


def test_links_lead_somewhere():
    for page in ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/plugins.md", "docs/decisions/README.md"):
        folder = (pages.ROOT / page).parent
        prose = re.sub(r"```.*?```", "", pages.read(page), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)#]+)\)", prose):
            assert "://" in link or (folder / link).exists(), f"{page}: {link}"
