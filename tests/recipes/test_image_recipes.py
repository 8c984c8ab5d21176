"""Recipes for images, on small ones."""

import importlib

import numpy as np
import pytest
from PIL import Image

RECIPES = {
    "image_probe_vgg": {"backbone": "vgg/tiny", "random": "vgg/tiny", "epochs": 2, "top_epochs": 1},
    "images_resnet": {"backbone": "resnet/tiny", "head_epochs": 1, "epochs": 1},
    "images_vit": {"backbone": "vit/tiny", "size": 48, "epochs": 1},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Dark and bright noise, ten of each."""
    root = tmp_path_factory.mktemp("photos")
    dice = np.random.default_rng(0)
    for i in range(20):
        label = ("dark", "bright")[i % 2]
        (root / label).mkdir(exist_ok=True)
        pixels = dice.integers(0, 120, (30, 40, 3), np.uint8) + 120 * (i % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(root / label / f"{i}.png")
    return root


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_for_images_runs(name, folder, tmp_path, capsys):
    recipe = importlib.import_module(f"kerasft_recipes.{name}")
    test = {"test": str(folder)} if name == "image_probe_vgg" else {}
    out = str(tmp_path / "run")
    run = recipe.main(recipe.Config(train=str(folder), batch_size=8, out=out, **test, **RECIPES[name]))
    shown = capsys.readouterr().out
    assert run.report.examples == (20 if test else 4)
    if name == "image_probe_vgg":
        names = [line.split("  ")[0] for line in shown.splitlines()[-3:]]
        assert names == ["head, random weights", "head", "head, then top3"]
    if name == "images_resnet":
        assert (tmp_path / "run" / "export" / "saved_model.pb").exists()
    if name == "images_vit":
        assert run.model.input["images"].shape == (None, 48, 48, 3)
