"""Augmented copies for which outputs of frozen layers are kept: what they are, and training on them."""

import io
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import toy_images
from interrupts import Interrupts
from rich.console import Console

import kerasft
from kerasft import freezing
from kerasft.backbone import Encoded
from kerasft.engine.augment import Augmentation
from kerasft.engine.encode import Encodings
from kerasft.engine.pipeline import Batches, target_tensor
from kerasft.engine.plan import BatchPlan
from kerasft.engine.prefix import BATCH, Pass
from kerasft.engine.views import Views
from kerasft.errors import UsageError
from kerasft.phases import Phase
from kerasft_classification.single_label import SingleLabel

COUNT = 40  # more than are augmented at a time
TASK = SingleLabel(labels=["a", "b", "c"])


class Places(SingleLabel):
    """Targets are points ``(points, 2)`` in pixels from above and from the left, which move."""

    placed = True

    def align(self, targets, alignment):
        affine = alignment["affine"]
        if not isinstance(affine, tf.RaggedTensor):
            affine = tf.gather(affine, targets.value_rowids())
        else:
            affine = affine.flat_values
        return targets.with_flat_values(targets.flat_values * affine[:, :2] + affine[:, 2:])


def views_of(images, task, targets, strengths, count=3, seed=7):
    def encode(raw):
        affine = tf.tile([[1.0, 1.0, 0.0, 0.0]], [tf.shape(raw)[0], 1])
        return Encoded({"images": raw}, {"affine": affine})

    augmentation = Augmentation(strengths, task.mix)
    encodings = Encodings(encode, images)
    return Views(encodings, task, target_tensor(targets), augmentation, strengths, count, seed)


def pixels(views):
    """Of all copies, as the frozen part gets them."""
    batch = tf.function(lambda index: views.gather(index, tf.constant(0, tf.int64))[0]["images"], autograph=False)
    index = np.arange(len(views))
    return np.concatenate([batch(index[i : i + BATCH]) for i in range(0, len(views), BATCH)])


def flat_images():
    """Red, green and blue."""
    images = np.zeros((COUNT, 16, 16, 3), np.uint8)
    targets = np.arange(COUNT, dtype=np.int32) % 3
    images[np.arange(COUNT), :, :, targets] = 200
    return images, targets


@pytest.mark.parametrize("strengths", [{"mixup": 1.0}, {"cutmix": 1.0}])
def test_each_copy_has_the_targets_that_were_mixed_for_it(strengths):
    images, targets = flat_images()
    views = views_of(images, TASK, targets, strengths)
    shares = views.targets(tf.range(len(views), dtype=tf.int64)).numpy()
    assert shares.shape == (3 * COUNT, 3)
    assert np.allclose(pixels(views).mean(axis=(1, 2)) / 200, shares, atol=0.13)  # a rectangle of whole pixels


def test_places_move_with_each_copy():
    generator = np.random.default_rng(1)
    points = generator.integers(4, 28, (COUNT, 2))
    images = np.zeros((COUNT, 32, 32, 3), np.uint8)
    images[np.arange(COUNT), points[:, 0], points[:, 1]] = 255
    targets = np.empty(COUNT, object)
    targets[:] = list(points[:, np.newaxis].astype(np.float32) + 0.5)
    views = views_of(images, Places(labels=["a", "b"]), targets, {"flip": 0.5})
    found = views.targets(tf.range(len(views), dtype=tf.int64))
    assert (found.row_lengths() == 1).numpy().all()
    copies, expected = pixels(views)[..., 0], np.floor(found.flat_values.numpy()).astype(int)
    assert (copies[np.arange(len(views)), expected[:, 0], expected[:, 1]] == 255).all()
    assert (copies.sum(axis=(1, 2)) == 255).all()


def test_mosaics_keep_the_places_of_all_four():
    images = np.full((COUNT, 32, 32, 3), 90, np.uint8)
    targets = np.empty(COUNT, object)
    targets[:] = [np.full((i % 3, 2), 16.0, np.float32) for i in range(COUNT)]
    views = views_of(images, Places(labels=["a", "b"]), targets, {"mosaic": 1.0})
    found = views.targets(tf.range(len(views), dtype=tf.int64))
    assert found.row_lengths().numpy().sum() > 2 * 3 * sum(map(len, targets))


def test_every_epoch_takes_each_example_once_from_the_next_copy():
    images, targets = flat_images()
    views = views_of(images, TASK, targets, {"flip": 0.5})
    examples = tf.range(COUNT, dtype=tf.int64)
    rows = [views.rows(examples, tf.constant(epoch, tf.int64)).numpy() for epoch in range(6)]
    assert np.array_equal(np.sort(np.concatenate(rows[:3])), np.arange(3 * COUNT))
    assert all(np.array_equal(rows[epoch], rows[epoch + 3]) for epoch in range(3))
    for of_epoch in rows:  # whatever their order, they are copies of these examples
        assert np.array_equal(views.targets(of_epoch), targets)
        assert np.array_equal(pixels(views)[of_epoch].mean(axis=(1, 2)).argmax(axis=1), targets)
    assert not np.array_equal(rows[0] % COUNT, rows[1] % COUNT)  # so that images meet others


def test_what_they_depend_on_is_in_their_digest():
    images, targets = flat_images()
    made = [
        views_of(images, TASK, targets, {"flip": 0.5}),
        views_of(images, TASK, targets, {"flip": 0.4}),
        views_of(images, TASK, targets, {"flip": 0.5}, seed=8),
        views_of(images, TASK, targets, {"flip": 0.5}, count=2),
        views_of(images[::-1], TASK, targets, {"flip": 0.5}),
    ]
    assert len({views.digest() for views in made}) == len(made)
    assert views_of(images, TASK, targets, {"flip": 0.5}).digest() == made[0].digest()


def test_batches_are_the_outputs_for_the_copy_of_their_epoch():
    model = toy_images.build()
    split = freezing.apply(model, Phase("head", 1, 1e-3)) and model.split
    images = toy_images.images(COUNT).numpy() * 30 + 128
    targets = np.arange(COUNT, dtype=np.int32) % 2
    task = model.assembly.task
    views = views_of(images, task, targets, {"flip": 0.5, "mixup": 0.5})
    frozen = Pass(split, views)
    table = frozen.table(frozen.rows(range(len(views))))
    plan = BatchPlan(examples=COUNT, batch_size=12, seed=5)
    batches = Batches(views._encodings, task, targets, plan, table, views._augmentation, views)
    (outputs,) = (t.numpy() for t in keras.tree.flatten(split.prefix(pixels(views), training=False)))
    fed = iter(batches.dataset(range(4)))
    for epoch in range(4):
        for index in plan.batches(epoch):
            rows = views.rows(index, tf.constant(epoch, tf.int64))
            (features,), shares = next(fed)
            assert np.allclose(features, outputs[rows], atol=1e-4)
            assert np.array_equal(shares, views.targets(rows))


DICE = np.random.default_rng(0)
SOURCE = {"image": DICE.integers(0, 256, (24, 16, 16, 3), np.uint8), "label": np.tile(["x", "y"], 12)}
SETTINGS = {"phases": ["head:4:1e-2", "all:1:1e-3"], "batch_size": 4, "checkpoint_steps": 4, "views": 2}
STRENGTHS = {"flip": 0.5, "crop": 0.5, "mixup": 0.5}


def finetune(out: Path, stream=None, **changes):
    return kerasft.finetune(
        *("vgg/tiny", "classification", SOURCE),
        **{"validation": None, "augment": STRENGTHS, **SETTINGS, **changes},
        out=out,
        console=Console(file=stream or io.StringIO(), width=400),
    )


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Empty at first."""
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


def test_copies_are_kept_for_epochs_and_runs(tmp_path, cache):
    stream = io.StringIO()
    run = finetune(tmp_path / "run", stream)
    said = stream.getvalue()
    assert "48 examples, 2 augmented copies of each training image among them, are computed once and kept" in said
    assert "No views are kept: there are no frozen layers" in said  # of the second phase, in which all layers train
    assert len([path for path in cache.glob("*") if path.is_dir()]) == 1
    stream = io.StringIO()
    again = finetune(tmp_path / "again", stream)
    assert "among them, were computed before and kept" in stream.getvalue()
    assert [epoch["loss"] for epoch in again.history] == [epoch["loss"] for epoch in run.history]


def test_a_run_on_copies_resumes_to_the_bit(tmp_path, cache):
    whole = finetune(tmp_path / "whole")
    with pytest.raises(RuntimeError, match="interrupted"):
        finetune(tmp_path / "run", callbacks=[Interrupts(11)])
    resumed = kerasft.resume(tmp_path / "run", train=SOURCE, console=Console(quiet=True))
    assert any("Resumed at phase 1, epoch 2" in note for note in resumed.notes)
    for one, other in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augment": None}, "views are augmented copies of images, and need augment. Received: views=2, no augment"),
        ({"views": -1}, "views must be a whole number from 0. Received: -1"),
        ({"cache_gigabytes": 0}, "views are kept in the cache. Received: views=2, cache_gigabytes=0"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, changes, message):
    with pytest.raises(UsageError) as error:
        finetune(tmp_path / "run", **changes)
    assert message in str(error.value)


def test_a_plan_counts_all_copies(cache):
    options = {"validation": None, "augment": STRENGTHS, **SETTINGS, "phases": ["head:2:1e-2"]}
    one = kerasft.plan("vgg/tiny", "classification", SOURCE, **options, console=Console(quiet=True))
    more = kerasft.plan("vgg/tiny", "classification", SOURCE, **{**options, "views": 6}, console=Console(quiet=True))
    assert more.cache_bytes == 3 * one.cache_bytes > 0
