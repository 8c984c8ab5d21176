"""Images as they stand in data."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from pictures import encoded, scene, with_orientation
from PIL import Image

from kerasft import data
from kerasft.data import Images
from kerasft.engine.prepare import input_notes, raw_inputs
from kerasft.errors import DataError

SMALL = scene(12, 16)


def write(root: Path, files: dict[str, bytes]) -> Path:
    """Files by their paths."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def images(source) -> Images:
    """The image column of a source, recognised by itself."""
    examples = data.read(source)
    columns = data.infer_columns(examples, modality="image", target_names=("label",))
    return raw_inputs(examples, columns.input, "image")


def pixels(content: bytes) -> np.ndarray:
    """As TensorFlow decodes them."""
    return tf.io.decode_image(content, channels=3, expand_animations=False).numpy()


def test_a_folder_per_class_with_every_format_and_odd_names(tmp_path):
    kinds = {"png": "PNG", "jpg": "JPEG", "JPEG": "JPEG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP", "tif": "TIFF"}
    files = {f"ein zwei/{i}.{suffix}": encoded(SMALL, kind) for i, (suffix, kind) in enumerate(kinds.items())}
    write(tmp_path, {**files, "größe 猫/1.png": encoded(SMALL), "größe 猫/about.csv": b"x"})
    examples = data.read(str(tmp_path))
    assert examples.column("label") == ["ein zwei"] * 7 + ["größe 猫"]
    assert "1 files were not read: größe 猫/about.csv" in examples.notes[0]
    found = images(str(tmp_path))
    assert found.problems() == []
    for content in found:
        assert np.abs(pixels(content).astype(int) - SMALL).mean() < 8
    assert found.name(7) == "größe 猫/1.png"
    assert "1 of 8 images are WEBP, and are converted when they are read." in found.notes()


def test_paths_in_a_table_are_relative_to_it_and_labels_are_free(tmp_path, monkeypatch):
    write(tmp_path, {"in/cats/a.png": encoded(SMALL), "in/b.jpg": encoded(SMALL, "JPEG")})
    absolute = tmp_path / "in" / "b.jpg"
    (tmp_path / "in" / "photos.csv").write_text(f"file,what\ncats/a.png,a/b c\n{absolute},ünïcode\n")
    monkeypatch.chdir("/")
    found = images(tmp_path / "in" / "photos.csv")
    assert found.problems() == []
    assert np.array_equal(pixels(found[0]), SMALL)


def test_parquet_with_paths_bytes_or_what_hugging_face_writes(tmp_path):
    write(tmp_path, {"a.png": encoded(SMALL)})
    columns = {
        "path": ["a.png"],
        "bytes": [encoded(SMALL)],
        "struct": [{"bytes": encoded(SMALL), "path": None}],
        "outside": [{"bytes": None, "path": "a.png"}],
    }
    for name, values in columns.items():
        pq.write_table(pa.table({"image": values, "label": ["x"]}), tmp_path / f"{name}.parquet")
        found = images(tmp_path / f"{name}.parquet")
        assert found.problems() == [], name
        assert np.array_equal(pixels(found[0]), SMALL)


def test_arrays_and_datasets_in_python():
    stack = np.stack([SMALL, SMALL[::-1]])
    sources = [
        {"image": stack, "label": [0, 1]},
        {"image": list(stack), "label": [0, 1]},
        [(picture, "x") for picture in stack],
        tf.data.Dataset.from_tensor_slices((stack, [0, 1])),
        tf.data.Dataset.from_tensor_slices({"image": stack, "label": [0, 1]}).batch(2),
        tf.data.Dataset.from_tensor_slices(([encoded(picture) for picture in stack], [0, 1])),
    ]
    for source in sources:
        assert [np.array_equal(pixels(content), own) for content, own in zip(images(source), stack, strict=True)]
        assert np.array_equal(pixels(images(source)[1]), stack[1])
    with pytest.raises(ValueError, match=r"uint8 \(0 to 255\).*Received: float32 of shape \(12, 16, 3\)"):
        images([(SMALL.astype(np.float32), "x")])


def test_all_that_cannot_be_used_is_listed_with_its_place(tmp_path):
    good = encoded(scene(100, 100), "JPEG")
    write(tmp_path, {
        "x/cut.jpg": good[: len(good) // 2],
        "x/cut.png": encoded(scene(100, 100))[:-200],
        "x/good.jpg": good,
        "x/nothing.png": b"",
        "x/text.jpg": b"this is a text",
        "x/vector.png": b"<svg/>",
    })  # fmt: skip
    found = images(str(tmp_path)).problems()
    assert [line.split(":")[0] for line in found] == [
        f"x/{n}" for n in ("cut.jpg", "cut.png", "nothing.png", "text.jpg", "vector.png")
    ]
    assert "damaged" in found[0] and "damaged" in found[1]
    assert found[2] == "x/nothing.png: the file is empty"
    assert found[3] == "x/text.jpg: is no image: it begins with b'this is a te'"
    (tmp_path / "t.csv").write_text("image,label\nx/good.jpg,1\ngone.jpg,1\nx,1\n,1\n")
    found = images(tmp_path / "t.csv").problems()
    assert found == [
        f"{tmp_path}/t.csv:3: gone.jpg: there is no such file",
        f"{tmp_path}/t.csv:4: x: is a folder",
        f"{tmp_path}/t.csv:5: is missing",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(tmp_path):
    write(tmp_path, {"x/a.png": encoded(SMALL)})
    (tmp_path / "x/a.png").chmod(0)
    assert images(str(tmp_path)).problems() == ["x/a.png: Permission denied"]


def test_odd_images_are_used_and_said(tmp_path):
    moving = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (10, 200)]
    clear = Image.fromarray(SMALL).convert("RGBA")
    clear.putalpha(9)
    write(tmp_path, {
        "x/1.gif": encoded(moving[0], "GIF", save_all=True, append_images=moving[1:]),
        "x/2.png": encoded(Image.fromarray((SMALL[..., 0].astype(np.uint16) * 257).astype(np.uint16))),
        "x/3.png": encoded(clear),
        "x/4.jpg": with_orientation(SMALL, 6),
        "x/5.png": encoded(scene(1, 1)),
    })  # fmt: skip
    found = images(str(tmp_path))
    assert found.problems() == []
    assert pixels(found[0])[0, 0, 0] == pytest.approx(10, abs=3)
    assert input_notes(found) == [
        "1 of 5 images are GIF, and are converted when they are read.",
        "1 of 5 images are animated: their first frame is used.",
        "1 of 5 images have 16 bits a channel: 8 are used.",
        "1 of 5 images have transparency, which is left out.",
    ]


def test_badly_shaped_folders(tmp_path):
    write(tmp_path, {"a/1.png": encoded(SMALL), "a/deep/2.png": encoded(SMALL)})
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match="expected <class>/<image>") as error:
        data.read(str(tmp_path))
    assert error.value.problems == ["b: no image", "a/deep: a folder inside a class"]


class Squares(tfds.core.GeneratorBasedBuilder):
    """Images with labels, as TFDS stores them."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {"image": tfds.features.Image(), "label": tfds.features.ClassLabel(names=["one", "two"])}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(4):
            yield i, {"image": SMALL if i % 2 else SMALL[::-1], "label": i % 2}


def test_a_tfds_directory(tmp_path):
    builder = Squares(data_dir=str(tmp_path))
    builder.download_and_prepare()
    examples = data.read(builder.data_dir)
    assert sorted(examples.column("label")) == ["one", "one", "two", "two"]
    found = data.Images(examples.column("image"), examples.folder, examples.where)
    assert found.problems() == []
    for label, content in zip(examples.column("label"), found, strict=True):
        assert np.array_equal(pixels(content), SMALL if label == "two" else SMALL[::-1])


def test_the_same_image_twice_has_the_same_digest(tmp_path):
    write(tmp_path, {"x/1.png": encoded(SMALL), "x/2.png": encoded(SMALL), "x/3.png": encoded(SMALL[::-1])})
    digests = images(str(tmp_path)).digests()
    assert digests[0] == digests[1] != digests[2]
