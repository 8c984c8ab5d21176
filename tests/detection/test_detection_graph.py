"""Anchors, targets, answers and scores against independent ways to compute them."""

import numpy as np
import pytest
import tensorflow as tf

from kerasft.engine.augment import Augmentation
from kerasft_detection import anchors, decoding, scores
from kerasft_detection.loss import DetectionLoss

IMAGE = (64, 96)
SHAPES = [(8, 12), (4, 6), (2, 3)]
SIZES = [0.1, 0.13, 0.17, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8]
GRID = anchors.grid(SHAPES, IMAGE, SIZES)
PLAIN = tf.constant([[1.0, 1.0, 0.0, 0.0]])


def ragged(*images):
    rows = np.concatenate([np.array(boxes, np.float32).reshape(-1, 6) for boxes in images])
    return tf.RaggedTensor.from_row_lengths(rows, [len(boxes) for boxes in images])


def overlap(one, other):
    """Intersection over union, one pair at a time."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(width, 0) * max(height, 0)
    return both / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - both)


def test_anchors_stand_in_the_middle_of_their_places_with_their_sizes():
    assert GRID.shape == ((8 * 12 + 4 * 6 + 2 * 3) * 9, 4)
    first = GRID[:9]
    assert np.allclose((first[:, :2] + first[:, 2:]) / 2, [4, 4])
    side = np.sqrt(np.prod(first[:, 2:] - first[:, :2], axis=1)) / np.sqrt(64 * 96)
    assert np.allclose(side, np.repeat(SIZES[:3], 3), atol=1e-5)
    ratio = (first[:, 3] - first[:, 1]) / (first[:, 2] - first[:, 0])
    assert np.allclose(ratio[:3], [0.5, 1, 2], atol=1e-5)
    assert np.allclose((GRID[-1, :2] + GRID[-1, 2:]) / 2, [80, 48])


def test_sizes_spread_over_those_of_the_boxes():
    found = anchors.sizes(np.linspace(0.05, 0.4, 100), 3)
    assert len(found) == 9 and found == sorted(found)
    assert 0.05 <= found[0] < 0.07 and 0.35 < found[-1] <= 0.4
    alike = anchors.sizes([0.2] * 5, 3)
    assert alike[0] < 0.2 < alike[-1]


def test_targets_are_those_of_going_through_all_pairs():
    dice = np.random.default_rng(0)
    corners = dice.uniform(0, 40, (5, 2))
    boxes = np.concatenate([corners, corners + dice.uniform(8, 24, (5, 2))], axis=1)
    rows = np.concatenate([boxes, [[0, 0], [1, 0], [0, 0], [1, 1], [2, 0]]], axis=1)  # the fourth is ignored
    found = anchors.assign(GRID, *anchors.placed(ragged(rows, []), tf.repeat(PLAIN, 2, axis=0), IMAGE)).numpy()
    table = np.array([[overlap(anchor, box) for box in boxes] for anchor in GRID])
    own = table.max(axis=0)
    for anchor, target in zip(range(len(GRID)), found[0], strict=True):
        best = int(table[anchor].argmax())
        forced = np.flatnonzero(table[anchor] >= own - 1e-4)
        if forced.size:
            best = int(forced[table[anchor][forced].argmax()])
        label = -2 if best == 3 else rows[best, 4]
        if forced.size or table[anchor].max() >= 0.5:
            assert target[0] == label, anchor
        elif table[anchor].max() >= 0.4:
            assert target[0] == -2
        else:
            assert target[0] == -1
        if target[0] >= 0:
            back = anchors.decode(tf.constant(GRID[anchor]), tf.constant(target[1:])).numpy()
            np.testing.assert_allclose(back, boxes[best], atol=1e-3)
    assert set(np.unique(found[0, :, 0])) == {-2, -1, 0, 1, 2}
    assert (found[1, :, 0] == -1).all()  # no box: it teaches background


def test_the_loss_begins_near_one_and_is_divided_by_the_anchors_with_a_box():
    truth = anchors.assign(GRID, *anchors.placed(ragged([[10, 10, 40, 40, 1, 0]]), PLAIN, IMAGE))
    prior = np.zeros((1, len(GRID), 3 + 4), np.float32)
    prior[..., :3] = -np.log(99)
    positive = int((truth.numpy()[..., 0] >= 0).sum())
    value = float(DetectionLoss(3)(truth, prior))
    p = 0.01
    background = int((truth.numpy()[..., 0] == -1).sum())
    focal = positive * (0.25 * (1 - p) ** 2 * -np.log(p) + 2 * 0.75 * p**2 * -np.log(1 - p))
    focal += background * 3 * 0.75 * p**2 * -np.log(1 - p)
    off = np.abs(truth.numpy()[..., 1:][truth.numpy()[..., 0] >= 0])
    smooth = np.where(off < 1 / 9, 0.5 * off**2 * 9, off - 0.5 / 9).sum()
    assert value == pytest.approx((focal + smooth) / positive, rel=1e-4)
    assert focal / positive < 3


def test_ignored_boxes_neither_draw_nor_repel():
    clear = anchors.assign(GRID, *anchors.placed(ragged([[10, 10, 40, 40, 0, 1]]), PLAIN, IMAGE)).numpy()[0, :, 0]
    assert (clear == -2).sum() > 0 and not (clear >= 0).any()


def test_answers_are_in_pixels_of_the_original_image():
    affine = tf.constant([[0.5, 0.25, 0.0, 0.0]])  # an image of 128 × 384
    box = [40.0, 20, 160, 100]
    truth = anchors.assign(GRID, *anchors.placed(ragged([[*box, 1, 0]]), affine, IMAGE)).numpy()
    answers = np.full((1, len(GRID), 2 + 4), -9.0, np.float32)
    answers[..., 2:] = truth[..., 1:]
    answers[0, truth[0, :, 0] >= 0, 1] = 5.0
    surest = decoding.surest(tf.constant(answers), tf.constant(GRID), IMAGE, 2, score=0.05, overlap=0.5)
    found = decoding.original(surest, affine, ["a", "b"])
    assert found["count"].numpy().tolist() == [1]
    assert found["label"].numpy()[0, 0] == b"b" and found["score"].numpy()[0, 0] > 0.99
    np.testing.assert_allclose(found["boxes"].numpy()[0, 0], box, atol=0.1)
    assert not found["boxes"].numpy()[0, 1:].any()


STRENGTHS = [{"flip": 1.0}, {"crop": 0.5}, {"crop": 0.3, "flip": 0.5}, {"mosaic": 1.0}, {"mosaic": 0.5, "flip": 0.5}]


@pytest.mark.parametrize("strengths", STRENGTHS)
def test_boxes_move_with_their_pixels(strengths):
    """A white box on black in each image: what is white in the changed ones is what the moved boxes cover."""
    images = np.zeros((8, *IMAGE, 3), np.uint8)
    boxes = [[[x, 20, x + 40, 44, 0, 0]] for x in range(12, 52, 5)]
    for image, [(x0, y0, x1, y1, *_)] in zip(images, boxes, strict=True):
        image[y0:y1, x0:x1] = 255
    augmentation = Augmentation(strengths, lambda *_: None)
    affine = tf.repeat(PLAIN, 8, axis=0)
    seed = tf.constant([1, 5], tf.int64)
    move = tf.function(augmentation.move, autograph=False)
    moved, places, shown = move(tf.constant(images), affine, ragged(*boxes), seed)
    counts = shown.row_lengths().numpy()
    assert set(counts) <= {1, 4} and counts.mean() == {0.0: 1, 0.5: counts.mean(), 1.0: 4}[strengths.get("mosaic", 0.0)]
    corners, _, there = anchors.placed(shown, places, IMAGE)
    for image, rows, visible, count in zip(moved.numpy(), corners.numpy(), there.numpy(), counts, strict=True):
        covered = np.zeros(IMAGE, bool)
        edges = np.zeros(IMAGE, bool)  # blurred by resizing
        for x0, y0, x1, y1 in np.round(rows[visible]).astype(int):
            covered[y0:y1, x0:x1] = True
            edges[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2] = True
            edges[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2] = False
        white = image.max(axis=-1) > 150
        assert visible.sum() == count or "crop" in strengths
        if visible.sum() == count:
            assert covered.any() and (white == covered)[~edges].all()
    again, _, _ = move(tf.constant(images), affine, ragged(*boxes), seed)
    other, _, _ = move(tf.constant(images), affine, ragged(*boxes), tf.constant([1, 6], tf.int64))
    assert np.array_equal(moved, again)
    assert set(strengths) == {"flip"} or not np.array_equal(moved, other)


def answered(*images):
    """Decoded answers of images: rows of corners, label, score."""
    most = max(len(rows) for rows in images)
    answers = {
        "boxes": np.zeros((len(images), most, 4), np.float32),
        "label": np.full((len(images), most), b"", object),
        "score": np.zeros((len(images), most), np.float32),
        "count": np.array([len(rows) for rows in images]),
    }
    for i, rows in enumerate(images):
        for k, (*corners, label, score) in enumerate(rows):
            answers["boxes"][i, k], answers["label"][i, k], answers["score"][i, k] = corners, label.encode(), score
    return answers


def targets(*images):
    found = np.empty(len(images), object)
    for i, rows in enumerate(images):
        found[i] = np.array(rows, np.float32).reshape(-1, 6)
    return found


def test_perfect_answers_have_a_mean_average_precision_of_one_and_none_has_zero():
    truth = targets([[0, 0, 50, 50, 0, 0], [60, 60, 200, 200, 1, 0]], [[5, 5, 20, 20, 0, 0]])
    perfect = answered([(0, 0, 50, 50, "a", 0.9), (60, 60, 200, 200, "b", 0.8)], [(5, 5, 20, 20, "a", 0.7)])
    evaluation = scores.evaluate(truth, perfect, ["a", "b"])
    assert evaluation.metrics == pytest.approx(dict.fromkeys([*scores._NAMES, "voc_ap50"], 1.0))
    assert [list(line)[-1] for line in evaluation.curves[0].lines.values()] == [(1.0, 1.0)] * 2
    assert not evaluation.mistakes
    nothing = scores.evaluate(truth, answered([], []), ["a", "b"])
    assert nothing.metrics["map"] == 0 and nothing.tables[1].rows[-1] == ("missed", 3)


def test_average_precision_by_hand():
    """Two of three boxes found, with one wrong answer between: precision 1 up to a third, then two thirds up to two."""
    truth = targets([[0, 0, 50, 50, 0, 0], [100, 0, 150, 50, 0, 0], [200, 0, 250, 50, 0, 0]])
    found = answered([(0, 0, 50, 50, "a", 0.9), (400, 0, 450, 50, "a", 0.8), (100, 0, 150, 50, "a", 0.7)])
    evaluation = scores.evaluate(truth, found, ["a"])
    recalls = np.linspace(0, 1, 101)
    expected = np.mean(np.where(recalls <= 1 / 3, 1.0, np.where(recalls <= 2 / 3, 2 / 3, 0.0)))
    assert evaluation.metrics["map50"] == pytest.approx(expected, abs=1e-6)
    assert evaluation.metrics["voc_ap50"] == pytest.approx((1 + 2 / 3) / 3)
    assert evaluation.curves[0].lines["a"][-1] == (0.66, pytest.approx(2 / 3, abs=1e-4))
    kinds = dict(evaluation.tables[1].rows)
    assert kinds == {"right": 2, "wrong label": 0, "wrong place": 0, "twice": 0, "nothing there": 1, "missed": 1}


def test_errors_by_kind():
    truth = targets([[0, 0, 50, 50, 0, 0], [100, 0, 150, 50, 1, 0], [200, 0, 250, 50, 0, 1]])
    found = answered([
        (0, 0, 50, 50, "a", 0.9), (2, 0, 50, 50, "a", 0.8), (100, 0, 150, 50, "a", 0.7), (20, 20, 70, 70, "a", 0.6),
        (200, 0, 250, 50, "a", 0.9), (300, 300, 320, 320, "b", 0.4),
    ])  # fmt: skip
    kinds = dict(scores.evaluate(truth, found, ["a", "b"]).tables[1].rows)
    assert kinds == {"right": 1, "wrong label": 1, "wrong place": 1, "twice": 1, "nothing there": 0, "missed": 1}
