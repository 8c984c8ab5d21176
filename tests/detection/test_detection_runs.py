"""Detection from files to an exported model, on tiny weights."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import kerasft
from kerasft.errors import DataError, UsageError

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Bright boxes on grey noise, red and blue ones, as a table; the last image has none."""
    root, dice = tmp_path_factory.mktemp("boxes"), np.random.default_rng(0)
    lines = ["image,x_min,y_min,x_max,y_max,label"]
    for i in range(16):
        height, width = int(dice.integers(50, 70)), int(dice.integers(50, 70))
        pixels = dice.integers(60, 100, (height, width, 3)).astype(np.uint8)
        if i < 15:
            side = int(dice.integers(16, 30))
            x, y = int(dice.integers(0, width - side)), int(dice.integers(0, height - side))
            kind = ("red", "blue")[i % 2]
            pixels[y : y + side, x : x + side] = (255, 0, 0) if kind == "red" else (0, 0, 255)
            lines.append(f"{i}.png,{x},{y},{x + side},{y + side},{kind}")
        else:
            lines.append(f"{i}.png,,,,,")
        Image.fromarray(pixels).save(root / f"{i}.png")
    (root / "boxes.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def run(folder):
    return kerasft.finetune(
        "vgg/tiny",
        "detection",
        str(folder / "boxes.csv"),
        validation=None,
        test=str(folder / "boxes.csv"),
        backbone_options={"size": 64},
        task_options={"channels": 32, "convolutions": 1},
        phases=["all:80:5e-3:layer_decay=1.0"],
        batch_size=8,
        out=folder / "run",
        console=QUIET,
    )


def test_it_finds_the_boxes_it_was_shown(run):
    assert run.report.metrics["map50"] > 0.9
    assert {"map", "map50", "map75"} <= set(run.report.metrics)
    assert [row[0] for row in run.report.tables[0].rows] == ["blue", "red"]
    page = (run.directory / "report.html").read_text()
    assert page.count("<polyline") == 4 and "Precision by recall" in page  # loss and map, then both labels
    history = json.loads((run.directory / "history.json").read_text())["epochs"]
    assert history[-1]["loss"] < 0.3 * history[0]["loss"] and history[0]["loss"] < 10


def test_answers_are_boxes_in_the_original_image(run, folder):
    expected = [line.split(",") for line in (folder / "boxes.csv").read_text().splitlines()[1:3]]
    answers = run.predict([str(folder / row[0]) for row in expected])
    for row, answer in zip(expected, answers, strict=True):
        best = answer["objects"][0]
        assert best["label"] == row[5] and best["score"] > 0.5
        found = [best[name] for name in ("x_min", "y_min", "x_max", "y_max")]
        np.testing.assert_allclose(found, [float(v) for v in row[1:5]], atol=5)


def test_drawn_answers(run, folder, tmp_path, cli):
    answer = cli("predict", run.directory, folder / "0.png", "--draw", tmp_path / "drawn")
    assert answer.code == 0 and json.loads(answer.stdout)["objects"]
    drawn, plain = (
        np.asarray(Image.open(path).convert("RGB")) for path in (tmp_path / "drawn/0.png", folder / "0.png")
    )
    assert drawn.shape == plain.shape and not np.array_equal(drawn, plain)

    (tmp_path / "other").mkdir()
    shutil.copy(folder / "1.png", tmp_path / "other/0.png")
    answer = cli("predict", run.directory, folder / "0.png", tmp_path / "other/0.png", "--draw", tmp_path / "both")
    assert answer.code == 0, answer.stderr
    assert {path.name for path in (tmp_path / "both").iterdir()} == {"0.png", "0-2.png"}


def test_the_export_answers_as_python_does(run, tmp_path):
    assert run.export(tmp_path / "export").exists()  # which compares its answers


def test_augmented_training_with_a_frozen_backbone(folder, tmp_path):
    options = {
        "backbone_options": {"size": 64}, "task_options": {"channels": 16, "convolutions": 1}, "batch_size": 8,
        "validation": 0.2, "console": QUIET,
    }  # fmt: skip
    run = kerasft.finetune("resnet/tiny", "detection", str(folder / "boxes.csv"), phases=["head:2"],
                           augment=["mosaic", "flip", "crop", "colour"], out=tmp_path / "run", **options)  # fmt: skip
    assert np.isfinite(run.report.metrics["map"])
    kept = json.loads((run.directory / "history.json").read_text())["epochs"]
    assert "val_map" in kept[0]
    with pytest.raises(UsageError, match=r"Boxes move with mosaic, crop, flip, colour\. Received: augment=mixup"):
        kerasft.finetune("resnet/tiny", "detection", str(folder / "boxes.csv"), augment=["mixup"],
                         out=tmp_path / "other", **options)  # fmt: skip


def test_images_of_any_kind(tmp_path):
    """Wide, grey, with alpha, with 500 boxes, with none; ids of categories with gaps."""
    dice = np.random.default_rng(0)
    kinds = {"wide": (200, 3000, 3), "grey": (64, 64), "alpha": (64, 64, 4), "many": (300, 300, 3), "none": (64, 64, 3)}
    corners = {
        "wide": [[2500, 20, 300, 150]], "grey": [[5, 5, 30, 30]], "alpha": [[20, 20, 30, 30]], "none": [],
        "many": [[*dice.uniform(0, 280, 2).tolist(), 20, 20] for _ in range(500)],
    }  # fmt: skip
    for name, shape in kinds.items():
        Image.fromarray(dice.integers(0, 255, shape).astype(np.uint8)).save(tmp_path / f"{name}.png")
    value = {
        "images": [{"id": 10 * i, "file_name": f"{name}.png"} for i, name in enumerate(kinds)],
        "annotations": [
            {"id": 100 * i + k, "image_id": 10 * i, "category_id": (7, 90)[k % 2], "bbox": box}
            for i, name in enumerate(kinds)
            for k, box in enumerate(corners[name])
        ],
        "categories": [{"id": 7, "name": "a"}, {"id": 90, "name": "b"}],
    }
    (tmp_path / "all.json").write_text(json.dumps(value))
    run = kerasft.finetune(
        "vgg/tiny", "detection", str(tmp_path / "all.json"), validation=str(tmp_path / "all.json"),
        backbone_options={"size": 64}, task_options={"channels": 16, "convolutions": 0}, phases=["all:2:1e-3"],
        augment=["mosaic=1"], batch_size=5, out=tmp_path / "run", console=QUIET,
    )  # fmt: skip
    assert run.report.examples == 5 and sum(row[-1] for row in run.report.tables[0].rows) == 503
    wide = run.predict([str(tmp_path / "wide.png")])[0]["objects"]
    assert all(-1 <= one["x_min"] <= one["x_max"] <= 3001 and one["y_max"] <= 201 for one in wide)


def test_bad_boxes_are_all_named_before_training_and_by_data_check(folder, tmp_path, cli):
    bad = folder / "bad.csv"
    bad.write_text(
        "image,x_min,y_min,x_max,y_max,label\n0.png,9,5,5,8,red\n1.png,0,0,0,5,red\n2.png,500,0,600,5,red\n"
        "gone.png,0,0,5,5,red\n3.png,0,0,500,5,blue\n"
    )
    with pytest.raises(DataError, match=r"gone.png: there is no such file"):
        kerasft.finetune("vgg/tiny", "detection", str(bad), out=tmp_path / "run", console=QUIET)
    bad.write_text(bad.read_text().replace("gone.png,0,0,5,5,red\n", ""))
    answer = cli("data", "check", "--backbone", "vgg/tiny", "--task", "detection", "--train", bad, "--json")
    problems = answer.json["train"]["problems"]
    assert answer.code == 2
    assert ["swapped" in problems[1], "no area" in problems[2], "outside" in problems[3]] == [True] * 3
    bad.write_text("image,x_min,y_min,x_max,y_max,label\n3.png,0,0,500,5,blue\n0.png,1,1,9,9,red\n")
    answer = cli("data", "check", "--backbone", "vgg/tiny", "--task", "detection", "--train", bad, "--json")
    assert answer.code == 0 and answer.json["train"]["counts"] == {"blue": 1, "red": 1}
    assert "reaches beyond its image" in answer.json["train"]["oddities"][0]
