"""Recipes for named entities and for boxes, run as a user runs them, on tiny backbones."""

import json

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow


def test_named_entities(tmp_path, cli):
    sentences = [
        [("Ada", "B-person"), ("saw", "O"), ("Kew", "B-place")],
        [("We", "O"), ("met", "O"), ("Ada", "B-person")],
    ]
    text = "\n\n".join("\n".join(f"{word} {tag}" for word, tag in words) for words in sentences * 8)
    (tmp_path / "names.conll").write_text(text + "\n")
    files = [value for part in ("train", "validation", "test") for value in (f"--{part}", tmp_path / "names.conll")]
    answer = cli(
        *("recipe", "run", "ner_bert", "--", *files, "--backbone", "bert/tiny", "--length", 16, "--epochs", 2),
        *("--out", tmp_path / "run"),
    )
    assert answer.code == 0, answer.stderr
    assert (tmp_path / "run" / "export" / "saved_model.pb").exists()
    history = json.loads((tmp_path / "run" / "history.json").read_text())["epochs"]
    assert len(history) == 2 and "val_f1" in history[0]


def test_boxes(tmp_path, cli):
    lines, dice = ["image,x_min,y_min,x_max,y_max,label"], np.random.default_rng(0)
    for i in range(8):
        pixels = dice.integers(60, 100, (64, 64, 3)).astype(np.uint8)
        pixels[10 : 30 + i, 20:40] = 255
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,20,10,40,{30 + i},thing")
    (tmp_path / "boxes.csv").write_text("\n".join(lines) + "\n")
    files = [value for part in ("train", "validation", "test") for value in (f"--{part}", tmp_path / "boxes.csv")]
    answer = cli(
        *("recipe", "run", "detection", "--", *files, "--backbone", "vgg/tiny", "--size", 64, 64, "--epochs", 2),
        *("--out", tmp_path / "run"),
    )
    assert answer.code == 0, answer.stderr
    assert (tmp_path / "run" / "export" / "saved_model.pb").exists()
    history = json.loads((tmp_path / "run" / "history.json").read_text())["epochs"]
    assert len(history) == 2 and "val_map" in history[0]
