"""Augmentation: names, draws, mixed targets, and exactness under resume."""

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from interrupts import Interrupts
from rich.console import Console

import kerasft
from kerasft import augmentations
from kerasft.engine.augment import Augmentation
from kerasft.errors import UsageError
from kerasft_classification.single_label import SingleLabel

TASK = SingleLabel(labels=["a", "b", "c"])
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
TARGETS = np.array([0, 1, 2, 0, 1, 2], np.int32)
NAMES = [name for name in augmentations.KINDS if name != "mosaic"]  # which needs boxes: tests/detection
ALL = dict.fromkeys(NAMES, 0.8)


def seed(epoch=0, step=0):
    return tf.constant([7, (epoch << 32) + step], tf.int64)


def graph(strengths):
    """As `tf.data` runs it: one graph for all batches."""
    augmentation = Augmentation(augmentations.resolve(strengths), TASK.mix)
    return tf.function(lambda images, targets, s: augmentation(images, targets, s), autograph=False)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_draws_the_same_and_another_one_something_else(name):
    change = graph([f"{name}=0.6"])
    first, again, other = (change(IMAGES, TARGETS, s) for s in (seed(), seed(), seed(step=1)))
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    assert first[0].shape == IMAGES.shape and np.min(first[0]) >= 0 and np.max(first[0]) <= 255
    assert np.array_equal(graph([f"{name}=0.6"])(IMAGES, TARGETS, seed())[0], first[0])  # also in another process


def test_draws_differ_between_images_and_epochs():
    same = np.repeat(IMAGES[:1], 6, axis=0)
    change = graph(["crop=0.5", "colour=0.5"])
    changed = change(same, TARGETS, seed())[0].numpy()
    assert len({image.tobytes() for image in changed}) == 6
    assert not np.array_equal(changed, change(same, TARGETS, seed(epoch=1))[0])


def test_flip_mirrors_about_as_many_as_it_says():
    many = np.repeat(IMAGES[:1], 2000, axis=0)
    changed = graph(["flip=0.3"])(many, np.zeros(2000, np.int32), seed())[0].numpy()
    mirrored = (changed == IMAGES[0, :, ::-1]).all(axis=(1, 2, 3))
    assert ((changed == IMAGES[0]).all(axis=(1, 2, 3)) | mirrored).all()
    assert 0.25 < mirrored.mean() < 0.35


@pytest.mark.parametrize("name", ["mixup=1", "cutmix=1"])
def test_targets_are_mixed_as_images_are(name):
    """Images of one colour each: what is left of it is its share."""
    flat = np.zeros((3, 32, 32, 3), np.uint8)
    for i in range(3):
        flat[i, ..., i] = 200
    for step in range(5):
        images, shares = graph([name])(flat, np.arange(3, dtype=np.int32), seed(step=step))
        assert np.allclose(np.sum(shares, axis=1), 1, atol=1e-5)
        assert np.allclose(np.mean(images, axis=(1, 2)) / 200, shares, atol=0.09)  # a rectangle of whole pixels


def test_names_and_strengths():
    assert augmentations.resolve(["flip", "crop=0.5"]) == {"crop": 0.5, "flip": 0.5}
    assert augmentations.resolve({"mixup": 0.4, "flip": 0}) == {"mixup": 0.4}
    assert augmentations.resolve(None) == augmentations.resolve([]) == {}
    with pytest.raises(UsageError) as error:
        augmentations.resolve(["flop", "crop=2", "colour=x"])
    assert "Did you mean flip" in str(error.value)
    assert "crop has a strength from 0 to 1. Received: crop=2" in str(error.value)
    assert "Received: colour=x" in str(error.value)


def test_texts_cannot_be_augmented():
    with pytest.raises(UsageError, match="augment changes images, and bert reads text"):
        kerasft.finetune("bert/tiny", "classification", {"text": ["a"], "label": ["b"]}, augment=["flip"])


SOURCE = {"image": IMAGES.repeat(4, axis=0), "label": np.tile(["x", "y"], 12)}


SETTINGS = {
    "phases": ["all:3:1e-2"],
    "batch_size": 4,
    "augment": ALL,
    "checkpoint_steps": 4,
    "console": Console(quiet=True),
}


def finetune(out: Path, **changes):
    return kerasft.finetune(
        "vgg/tiny",
        "classification",
        SOURCE,
        validation=None,
        out=out,
        **{**SETTINGS, **changes},
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 18 steps that nothing interrupted."""
    return finetune(tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.parametrize("steps", [5, 14])
def test_a_run_that_was_interrupted_ends_as_one_that_was_not(tmp_path, whole, steps):
    with pytest.raises(RuntimeError, match="interrupted"):
        finetune(tmp_path / "run", callbacks=[Interrupts(steps)])
    resumed = kerasft.resume(tmp_path / "run", train=SOURCE, console=Console(quiet=True))
    assert any("Resumed at phase 1" in note for note in resumed.notes)
    for one, other in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        assert np.array_equal(one, other)
    assert [epoch["loss"] for epoch in resumed.history] == [epoch["loss"] for epoch in whole.history]


def test_frozen_layers_are_computed_anew_and_it_is_said(tmp_path):
    stream = io.StringIO()
    finetune(tmp_path / "run", phases=["head:1"], console=Console(file=stream, width=200))
    assert "computed anew in every epoch: images are augmented" in stream.getvalue()
