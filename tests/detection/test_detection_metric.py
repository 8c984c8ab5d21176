"""The metric of training against pycocotools."""

import numpy as np
import pytest
import tensorflow as tf
from test_detection_graph import overlap

from kerasft_detection import scores
from kerasft_detection.anchors import IGNORED
from kerasft_detection.decoding import Surest
from kerasft_detection.metric import AveragePrecision

LABELS = ["a", "b", "c", "never"]
MOST = 30
DTYPES = (tf.float32, tf.int32, tf.float32, tf.int32)


def drawn(dice, count, most):
    """Boxes ``(count, most, 4)`` in an image of 300 × 300, labels, and how many of each image there are."""
    low = dice.uniform(0, 200, (count, most, 2))
    corners = np.concatenate([low, low + dice.uniform(25, 100, (count, most, 2))], axis=-1)
    return corners, dice.integers(0, 3, (count, most)), dice.integers(0, most + 1, count)


def near(dice, corners, kinds, counts):
    """Answers for these boxes: shaken, some with the wrong label, some twice, some nowhere; the surest first."""
    found, label, amount = drawn(dice, len(corners), MOST)
    score = -np.sort(-dice.uniform(0.05, 1, (len(corners), MOST)), axis=1)
    for i, count in enumerate(counts):
        for k in range(MOST):
            if count and dice.uniform() < 0.7:
                box = dice.integers(0, count)
                found[i, k] = corners[i, box] + dice.normal(0, 3, 4)
                label[i, k] = kinds[i, box] if dice.uniform() < 0.9 else label[i, k]
    return found, label, score, amount


def area(targets, found, label, score, amount, kind):
    """Average precision of Pascal VOC at 0.5, answer by answer: the area below precision made monotone."""
    taken, ranked = [set() for _ in targets], []
    for i, count in enumerate(amount):
        ranked += [(score[i, k], i, found[i, k]) for k in range(count) if label[i, k] == kind]
    hits = []
    for _, i, box in sorted(ranked, key=lambda row: -row[0]):
        overlaps = {
            k: overlap(box, row[:4]) for k, row in enumerate(targets[i]) if row[4] == kind and k not in taken[i]
        }
        best = max(overlaps, key=overlaps.get, default=None)
        hits.append(best is not None and overlaps[best] >= 0.5)
        if hits[-1]:
            taken[i].add(best)
    right = np.cumsum(hits)
    precision = np.maximum.accumulate((right / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return precision[np.array(hits, bool)].sum() / sum((rows[:, 4] == kind).sum() for rows in targets)


@pytest.mark.parametrize("ignored", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_pycocotools_says(seed, ignored):
    dice = np.random.default_rng(seed)
    corners, kinds, counts = drawn(dice, 24, 8)
    if ignored:
        kinds[:] = 0  # an ignored box is of any label here
    spared = dice.uniform(size=kinds.shape) < ignored
    found, label, score, amount = near(dice, corners, kinds, counts)
    if ignored:
        label[:] = 0
    targets = np.empty(24, object)
    for i, count in enumerate(counts):
        rows = [(*corners[i, k], kinds[i, k], spared[i, k]) for k in range(count)]
        targets[i] = np.array(rows, np.float32).reshape(-1, 6)
    answers = {"boxes": found, "label": np.array(LABELS, "S")[label].astype(object), "score": score, "count": amount}
    evaluation = scores.evaluate(targets, answers, LABELS)
    expected = evaluation.metrics["map"]
    if not ignored:
        areas = [area(targets, found, label, score, amount, k) for k in range(3)]
        assert [row[3] for row in evaluation.tables[0].rows] == pytest.approx([*areas, 0.0])
        assert evaluation.metrics["voc_ap50"] == pytest.approx(np.mean(areas))

    there = np.arange(8) < counts[:, None]
    truth = np.where(there, np.where(spared, IGNORED, kinds), -1)[..., None]
    rows = np.concatenate([np.full((24, 5, 5), 9.0), np.concatenate([truth, corners], axis=-1)], axis=1)
    arrays = zip((found, label, score, amount), DTYPES, strict=True)
    surest = Surest(*(tf.constant(values, dtype) for values, dtype in arrays))
    metric = AveragePrecision(lambda part: tf.nest.map_structure(lambda v: tf.gather(v, part), surest), 5, len(LABELS))
    for part in np.split(np.arange(24), 3):
        metric.update_state(tf.constant(rows[part], tf.float32), tf.constant(part))
    assert 0.02 < expected < 0.9
    assert float(metric.result()) == pytest.approx(expected, abs=2e-3)
    metric.reset_state()
    assert float(metric.result()) == 0.0
