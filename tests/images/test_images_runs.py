"""Fine-tuning on images, from files to an exported model."""

import base64
import io
import json
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from pictures import encoded, scene, with_orientation
from PIL import Image
from rich.console import Console

import kerasft
from kerasft.data import Images
from kerasft.engine import encode, heat
from kerasft.errors import DataError, UsageError

QUIET = Console(quiet=True)


def picture(kind: str, number: int) -> bytes:
    """Blue at the top, or blue at the bottom; every other one lies on its side, and says so."""
    image = scene(40 + number, 50)
    image[..., 2] = 255 * (np.arange(40 + number)[:, None] < 20)
    image = image if kind == "sky" else image[::-1]
    if number % 4 == 3:
        return with_orientation(np.rot90(image), 6)
    return encoded(image, "JPEG" if number % 2 else "PNG")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Train and test, of 24 and 8 images; one stands in both."""
    root = tmp_path_factory.mktemp("pictures")
    for part, numbers in (("train", range(12)), ("test", range(12, 16))):
        for kind in ("sky", "sea"):
            (root / part / kind).mkdir(parents=True)
            for number in numbers:
                (root / part / kind / f"{number}.img.png").write_bytes(picture(kind, number))
    (root / "test" / "sky" / "again.png").write_bytes(picture("sky", 0))
    return root


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    return kerasft.finetune(
        "resnet/tiny",
        "classification",
        str(folder / "train"),
        validation=None,
        test=str(folder / "test"),
        phases=["all:12:2e-2"],
        batch_size=8,
        out=tmp_path_factory.mktemp("run") / "run",
        console=QUIET,
    )


def test_it_learns_and_says_which_images_stand_in_both_parts(run):
    assert run.report.metrics["accuracy"] >= 0.8
    assert "1 of 9 test inputs also stand in an earlier part." in run.notes


def test_paths_bytes_arrays_and_a_folder_are_predicted_alike(run, folder):
    path = folder / "test" / "sea" / "13.img.png"
    by_path = run.predict(str(path))
    assert run.predict(path.read_bytes()) == by_path
    assert run.predict([str(path), path.read_bytes()]) == by_path * 2
    pixels = np.asarray(Image.open(path))
    assert run.predict([pixels])[0]["score"] == pytest.approx(by_path[0]["score"], abs=0.05)
    assert len(run.predict(folder / "test")) == 9
    with pytest.raises(DataError, match="1 inputs cannot be predicted on") as error:
        run.predict([str(path), "gone.png"])
    assert error.value.problems == ["input 2: gone.png: there is no such file"]


def test_the_report_shows_the_most_wrong_images_and_where_the_model_looked(folder, run):
    swapped = {"image": [str(p) for p in sorted((folder / "test" / "sea").iterdir())], "label": ["sky"] * 4}
    report = run.evaluate(swapped)
    assert report.mistakes and report.mistakes[0]["input"].endswith(".img.png")
    shown = Image.open(io.BytesIO(base64.b64decode(report.mistakes[0]["picture"])))
    assert shown.format == "JPEG" and shown.width == 2 * shown.height
    page = (run.directory / "report.html").read_text()
    recorded = json.loads((run.directory / "report.json").read_text())["mistakes"]
    assert page.count("data:image/jpeg;base64,") == len(recorded)


def test_the_export_serves_files_as_they_are(run, folder, tmp_path):
    out = run.export(tmp_path / "export")  # compares itself with the run, in a process without kerasft
    serve = tf.saved_model.load(str(out)).signatures["serving_default"]
    large = encoded(scene(700, 1100), "JPEG")
    paths = sorted((folder / "test").rglob("*.png"))
    contents = [*(path.read_bytes() for path in paths), large, encoded(scene(3, 2)), encoded(scene(), "GIF")]
    answers = serve(image=tf.constant(contents))
    for i, expected in enumerate(run.predict(contents[:-1])):
        assert answers["label"][i].numpy().decode() == expected["label"]
        assert float(answers["score"][i]) == pytest.approx(expected["score"], abs=1e-4)


def test_images_that_find_no_room_are_decoded_anew_and_are_the_same(run, folder, monkeypatch):
    paths = sorted(path.name for path in (folder / "test" / "sea").iterdir())
    images = Images(paths, folder / "test" / "sea", str)
    kept = run.model.assembly.encodings(images)
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(encode.shutil, "disk_usage", lambda path: Usage(9, 9, 1000))
    anew = run.model.assembly.encodings(images)
    assert not kept.note
    assert anew.note.startswith("Images are decoded anew in every epoch: 4 of this size would take")
    index = tf.constant([2, 0, 2], tf.int64)
    for one, other in zip(kept.gather(index, 0), anew.gather(index, 0), strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)
    assert kept.digest() != run.model.assembly.encodings(images.take([0, 1, 2, 2])).digest()


@pytest.mark.parametrize(
    ("mode", "targets"),
    [
        ("multi-label", [["sky", "large"], ["sea"], ["sea", "large"], []]),
        ("regression", [0.5, 2.0, 3.5, 1.0]),
    ],
)
def test_several_labels_and_numbers(mode, targets, tmp_path):
    content = [picture(kind, number) for number in range(8) for kind in ("sky", "sea")]
    run = kerasft.finetune(
        "vgg/tiny",
        "classification",
        {"image": content, "target": targets * 4},
        validation=None,
        test={"image": content[:4], "target": targets},
        task_options={"mode": mode},
        epochs=1,
        out=tmp_path / "run",
        console=QUIET,
    )
    (answer,) = run.predict([content[0]])
    if mode == "regression":
        assert set(run.report.metrics) >= {"mae", "rmse"} and 0 < answer["value"] < 4
    else:
        assert set(run.report.metrics) >= {"f1"} and len(answer["probabilities"]) == 3
    assert run.export(tmp_path / "export").exists()  # which compares its answers


def test_all_broken_images_of_all_parts_are_named_before_training(folder, tmp_path):
    for name, content in (("a.jpg", b""), ("b.jpg", b"text"), ("c.png", encoded(scene()))):
        path = tmp_path / "train" / "x" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "test.csv").write_text("image,label\ntrain/x/c.png,x\ntrain/x/d.png,x\n")
    with pytest.raises(DataError, match="3 problems in the data; nothing was trained") as error:
        kerasft.finetune("vgg/tiny", "classification", str(tmp_path / "train"), test=str(tmp_path / "test.csv"))
    named = [problem.split(": ")[0] for problem in error.value.problems]
    assert named == ["x/a.jpg", "x/b.jpg", f"{tmp_path}/test.csv:3"]


def test_a_wrong_column_is_named_with_the_nearest(tmp_path):
    (tmp_path / "t.csv").write_text("image,species\na.png,x\n")
    with pytest.raises(UsageError, match="Did you mean species"):
        kerasft.finetune("vgg/tiny", "classification", str(tmp_path / "t.csv"), target_column="specis")


@pytest.mark.parametrize("name", ["resnet/tiny", "vgg/tiny", "vit/tiny"])
def test_every_backbone_says_where_it_looked(name):
    model = kerasft.build(name, "classification", labels=["a", "b"])
    inputs = dict(model.assembly.backbone.preprocess(tf.constant([encoded(scene()), encoded(scene(90, 30))])).inputs)
    found = heat.heat(model, inputs)
    assert found.shape[0] == 2 and found.ndim == 3
    assert found.min() >= 0 and found.max() <= 1
    assert len(heat.pictures(model, [encoded(scene())])) == 1


def test_grad_cam_shows_the_channel_that_the_head_reads():
    """A head that reads one channel of `spatial`: the heat is that channel."""
    model = kerasft.build("resnet/tiny", "classification", backbone_options={"size": 96}, labels=["a", "b"])
    inputs = dict(model.assembly.backbone.preprocess(tf.constant([encoded(scene(96, 96))])).inputs)
    spatial = model.assembly.backbone.model(inputs)["spatial"].numpy()[0]
    channel = int(spatial.std(axis=(0, 1)).argmax())
    kernel = np.zeros(model.get_layer("logits").kernel.shape, np.float32)
    kernel[channel, 1] = 100.0
    model.get_layer("logits").kernel.assign(kernel)
    found = heat.heat(model, inputs)[0]
    expected = spatial[..., channel]
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999
