"""`kerasft grid`: what a model sees, as a picture."""

import numpy as np
import pytest
from pictures import encoded, scene
from PIL import Image


@pytest.fixture
def photos(tmp_path):
    """Two classes of two images each, of 32 pixels, which the model reads as they are."""
    for i in range(4):
        path = tmp_path / "photos" / ("cat", "dog")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(np.roll(scene(32, 32), i * 8, axis=0)))
    return tmp_path / "photos"


def cells(path, columns):
    """Pixels of every picture, row by row; each is 128 pixels wide, with a margin of 6 and two lines below."""
    sheet = np.asarray(Image.open(path).convert("RGB"))
    rows = (sheet.shape[0] - 6) // (128 + 6 + 30)
    assert sheet.shape[1] == columns * 134 + 6
    return [
        [sheet[6 + i * 164 : 134 + i * 164, 6 + j * 134 : 134 + j * 134] for j in range(columns)] for i in range(rows)
    ]


def test_the_first_column_is_what_the_model_reads_and_the_others_change_with_the_seed(photos, tmp_path, cli):
    draw = ("grid", "--backbone", "vgg/tiny", "--train", photos, "--augment", "crop", "--draws", 2, "--images", 4)
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        answer = cli(*draw, "--seed", seed, "--out", tmp_path / f"{name}.png", "--json")
        assert answer.code == 0 and answer.json == {"picture": str(tmp_path / f"{name}.png")}
    one, same, other = (cells(tmp_path / f"{name}.png", 3) for name in ("one", "same", "other"))
    assert len(one) == 4
    files = sorted(photos.rglob("*.png"), key=lambda path: (path.parent.name, path.name))
    for row, again, changed, file in zip(one, same, other, files, strict=True):
        shown = np.asarray(Image.fromarray(row[0]).resize((32, 32), Image.Resampling.BOX)).astype(int)
        assert np.abs(shown - np.asarray(Image.open(file))).mean() < 3
        assert all(np.array_equal(a, b) for a, b in zip(row, again, strict=True))
        assert np.array_equal(row[0], changed[0]) and not np.array_equal(row[1], changed[1])
        assert not np.array_equal(row[1], row[2])


def test_without_augmentation_there_is_one_column(photos, tmp_path, cli):
    assert cli("grid", "--backbone", "vgg/tiny", "--train", photos, "--out", tmp_path / "g.png").code == 0
    assert len(cells(tmp_path / "g.png", 1)) == 4


def test_boxes_are_drawn_and_move_and_what_would_lose_them_is_refused(photos, tmp_path, cli):
    table = photos / "boxes.csv"
    table.write_text("image,x_min,y_min,x_max,y_max,label\ncat/0.png,4,4,28,20,cat\ndog/1.png,,,,,\n")
    draw = ("grid", "--backbone", "vgg/tiny", "--train", table, "--out", tmp_path / "boxes.png")
    assert cli(*draw, "--augment", "flip=1", "--draws", 1).code == 0
    sheet = np.asarray(Image.open(tmp_path / "boxes.png").convert("RGB")).astype(int)
    orange = np.abs(sheet - (232, 89, 12)).sum(axis=-1) < 60
    xs = [np.flatnonzero(orange[:236, left : left + 224].any(axis=0)) for left in (6, 236)]
    # Of 32 pixels drawn on 224: the box from 4 to 28 stands in the middle, and so it does when it is mirrored.
    for found in xs:
        assert abs(found.min() - 28) < 8 and abs(found.max() - 196) < 8
    assert not orange[270:].any()
    answer = cli(*draw, "--augment", "mixup")
    assert answer.code == 2 and "Boxes move with mosaic, crop, flip, colour" in answer.stderr


def test_what_cannot_be_drawn_is_said(photos, tmp_path, cli):
    (photos / "cat" / "0.png").write_bytes(b"no image")
    answer = cli("grid", "--backbone", "vgg/tiny", "--train", photos)
    assert answer.code == 2 and "cat/0.png: is no image" in answer.stderr
    answer = cli("grid", "--backbone", "vgg/tiny", "--train", photos, "--augment", "flipp")
    assert answer.code == 2 and "Did you mean flip?" in answer.stderr
    answer = cli("grid", "--backbone", "vgg/tiny", "--train", photos, "--draws", 0)
    assert answer.code == 2 and "draws=0" in answer.stderr
