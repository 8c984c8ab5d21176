"""Boxes in every format, and what is wrong with them."""

import io
import json

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from kerasft import data
from kerasft.data import boxes
from kerasft.errors import DataError, UsageError
from kerasft_detection import locate

WIDTH, HEIGHT = 40, 20
EXPECTED = [[(2, 3, 12, 13, "cat", False), (20, 0, 40, 20, "dog", False)], []]


def picture(path, size=(WIDTH, HEIGHT)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(path)


def rows(examples):
    keys = ("x_min", "y_min", "x_max", "y_max", "label", "ignored")
    return [[tuple(one[key] for key in keys) for one in some] for some in examples.column(boxes.COLUMN)]


def coco(root):
    for name in ("a.png", "b.png"):
        picture(root / "images" / name)
    value = {
        "images": [{"id": 7, "file_name": "a.png"}, {"id": 9, "file_name": "b.png"}],
        "categories": [{"id": 3, "name": "cat"}, {"id": 90, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [2, 3, 10, 10]},
            {"id": 2, "image_id": 7, "category_id": 90, "bbox": [20, 0, 20, 20.0]},
        ],
    }
    (root / "labels.json").write_text(json.dumps(value))
    return root / "labels.json", value


def voc(root):
    (root / "Annotations").mkdir(parents=True)
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "train.txt").write_text("a 1\nb -1\n")
    for name, objects in (("a", [("cat", 3, 4, 12, 13), ("dog", 21, 1, 40, 20)]), ("b", [])):
        picture(root / "JPEGImages" / f"{name}.png")
        lines = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax>"
            "</bndbox></object>"
            for label, a, b, c, d in objects
        )
        xml = f"<annotation><filename>{name}.png</filename>{lines}</annotation>"
        (root / "Annotations" / f"{name}.xml").write_text(xml)
    return root


def yolo(root):
    for name in ("a", "b"):
        picture(root / "images" / "train" / f"{name}.png")
    (root / "labels" / "train").mkdir(parents=True)
    (root / "labels" / "train" / "a.txt").write_text("0 0.175 0.4 0.25 0.5\n1 0.75 0.5 0.5 1\n")
    (root / "data.yaml").write_text("names: {0: cat, 1: dog}\n")
    return root


def table(root):
    for name in ("a.png", "b.png"):
        picture(root / name)
    lines = ["filename,xmin,ymin,xmax,ymax,class", "a.png,2,3,12,13,cat", "a.png,20,0,40,20,dog", "b.png,,,,,"]
    (root / "boxes.csv").write_text("\n".join(lines) + "\n")
    return root / "boxes.csv"


@pytest.mark.parametrize("write", [lambda root: coco(root)[0], voc, yolo, table], ids=["coco", "voc", "yolo", "csv"])
def test_every_format_gives_the_same_boxes_and_finds_its_images(write, tmp_path):
    examples = data.read(str(write(tmp_path)))
    found = [
        [tuple(round(v, 6) if isinstance(v, float) else v for v in one) for one in some] for some in rows(examples)
    ]
    assert found == EXPECTED
    images = data.Images(examples.column("image"), examples.folder, examples.where)
    assert images.problems() == [] and len(images) == 2
    columns = data.infer_columns(examples, modality="image", target_names=("objects",))
    assert (columns.input, columns.target) == ("image", "objects")


class Boxes(tfds.core.GeneratorBasedBuilder):
    """Images with boxes, as TFDS stores them."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        label = tfds.features.ClassLabel(names=["cat", "dog"])
        objects = tfds.features.Sequence({"bbox": tfds.features.BBoxFeature(), "label": label, "is_crowd": np.bool_})
        features = {"image": tfds.features.Image(), "objects": objects}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        box = tfds.features.BBox
        objects = [
            {"bbox": box(ymin=3 / 20, xmin=2 / 40, ymax=13 / 20, xmax=12 / 40), "label": "cat", "is_crowd": False},
            {"bbox": box(ymin=0.0, xmin=0.5, ymax=1.0, xmax=1.0), "label": "dog", "is_crowd": False},
        ]
        for i, some in enumerate((objects, [])):
            yield i, {"image": np.zeros((HEIGHT, WIDTH, 3), np.uint8), "objects": some}


def test_a_tfds_directory(tmp_path):
    builder = Boxes(data_dir=str(tmp_path))
    builder.download_and_prepare()
    found = rows(data.read(builder.data_dir))
    for some, expected in zip(sorted(found, key=len), sorted(EXPECTED, key=len), strict=True):
        for one, other in zip(some, expected, strict=True):
            assert one[4:] == other[4:] and np.allclose(one[:4], other[:4], atol=1e-4)


def test_splits_are_named(tmp_path):
    assert len(data.read(f"{voc(tmp_path / 'voc')}#split=train")) == 2
    with pytest.raises(UsageError, match=r"has no split 'tran'\. Known: train"):
        data.read(f"{tmp_path / 'voc'}#split=tran")
    assert len(data.read(f"{yolo(tmp_path / 'yolo')}#split=train")) == 2
    (tmp_path / "yolo" / "images" / "val").mkdir()
    with pytest.raises(UsageError, match="several splits: train, val"):
        data.read(str(tmp_path / "yolo"))


def test_crowds_and_difficult_objects_are_ignored_ones(tmp_path):
    path, value = coco(tmp_path / "coco")
    value["annotations"][0]["iscrowd"] = 1
    path.write_text(json.dumps(value))
    assert [one[5] for one in rows(data.read(path))[0]] == [True, False]
    root = voc(tmp_path / "voc")
    xml = root / "Annotations" / "a.xml"
    xml.write_text(xml.read_text().replace("<name>dog</name>", "<name>dog</name><difficult>1</difficult>"))
    assert [one[5] for one in rows(data.read(str(root)))[0]] == [False, True]


def test_annotations_that_cannot_be_used_are_all_named(tmp_path):
    path, value = coco(tmp_path / "coco")
    value["annotations"] += [
        {"id": 5, "image_id": 7, "category_id": 4, "bbox": [0, 0, 1, 1]},
        {"id": 6, "image_id": 8, "category_id": 3, "bbox": [0, 0, 1, 1]},
        {"id": 7, "image_id": 7, "category_id": 3, "bbox": [0, 0, 1]},
        {"id": 8, "image_id": 7, "category_id": 3, "bbox": ["x", 0, 1, 1]},
    ]
    path.write_text(json.dumps(value))
    with pytest.raises(DataError) as error:
        data.read(path)
    assert [problem.split(":")[0] for problem in error.value.problems] == [f"annotation {i}" for i in (5, 6, 7, 8)]
    root = voc(tmp_path / "voc")
    (root / "JPEGImages" / "b.png").unlink()
    (root / "Annotations" / "c.xml").write_text("<annotation><object><name>x</name></object></annotation>")
    (root / "Annotations" / "d.xml").write_text("no xml")
    (root / "ImageSets" / "Main" / "train.txt").write_text("a\nb\nc\nd\ne\n")
    with pytest.raises(DataError) as error:
        data.read(f"{root}#split=train")
    assert [problem.split(":")[0] for problem in error.value.problems] == [f"Annotations/{n}.xml" for n in "bcde"]
    root = yolo(tmp_path / "yolo")
    (root / "labels" / "train" / "b.txt").write_text("2 0.1 0.1 0.1 0.1\n0 0.1 0.1\n-1 0 0 0 0\n")
    (root / "labels" / "train" / "c.txt").write_text("")
    with pytest.raises(DataError) as error:
        data.read(str(root))
    names = [problem.rpartition(": ")[0].partition(": expected")[0] for problem in error.value.problems]
    assert names == ["train/b.txt:1", "train/b.txt:2", "train/b.txt:3", "labels/train/c.txt"]


def test_coco_entries_that_are_none_are_all_named(tmp_path):
    path, value = coco(tmp_path / "coco")
    value["images"].append({"id": 9})
    value["categories"].append("dog")
    value["annotations"].append(None)
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match="not as COCO has it") as error:
        data.read(path)
    places = [(part, len(value[part]) - 1) for part in ("images", "annotations", "categories")]
    assert [problem.split(":")[0] for problem in error.value.problems] == [f"{part}[{i}]" for part, i in places]


def located(*given, size=(WIDTH, HEIGHT)):
    file = io.BytesIO()
    Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(file, "PNG")
    named = [{"x_min": b[0], "y_min": b[1], "x_max": b[2], "y_max": b[3], "label": "x"} for b in given]
    return locate.boxes([file.getvalue()], [named], lambda i: f"image {i}")


def test_boxes_that_reach_beyond_their_image_are_cut_and_said():
    found, odd = located((-5, 2, 10, 12), (0, 0, 40.6, 20))
    assert [tuple(box[:4]) for box in found[0]] == [(0, 2, 10, 12), (0, 0, 40, 20)]
    assert odd == ["image 0, box 1: reaches beyond its image of 40 × 20 pixels, and is cut: -5, 2, 10, 12"]
    assert found[0][1].share == pytest.approx(1)


def test_small_and_repeated_boxes_are_said():
    _, odd = located((1, 1, 2, 9), (5, 5, 9, 9), (5, 5, 9, 9))
    assert odd == [
        "image 0, box 1: is less than 2 pixels wide or high: 1, 1, 2, 9",
        "image 0, box 3: stands there twice",
    ]


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ((10, 2, 5, 12), "corners are swapped"),
        ((5, 2, 5, 12), "has no area"),
        ((50, 2, 60, 12), "stands outside of its image of 40 × 20 pixels"),
        ((float("nan"), 2, 5, 12), "a corner is not finite"),
        ((None, 2, 5, 12), "a corner is missing or no number"),
    ],
)
def test_boxes_that_cannot_be(box, says):
    with pytest.raises(DataError) as error:
        located((1, 1, 5, 5), box)
    assert error.value.problems[0].startswith(f"image 0, box 2: {says}")


def test_a_photograph_that_lies_on_its_side_counts_as_it_stands():
    file = io.BytesIO()
    image = Image.fromarray(np.zeros((20, 40, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(file, "JPEG", exif=exif)
    assert locate.size(file.getvalue()) == (20, 40)
