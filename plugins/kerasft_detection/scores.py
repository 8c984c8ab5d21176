"""COCO's mean average precision, by pycocotools, and errors by kind."""

import contextlib
import copy
import io
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kerasft.task import Curves, Evaluation, Mistake, Table

_NAMES = ("map", "map50", "map75", "map_small", "map_medium", "map_large")  # in the order of COCOeval's figures
_SURE = 0.5  # predictions that errors are counted of
_TITLE = "Precision by recall, at an overlap of 0.5"
_KINDS = ("right", "wrong label", "wrong place", "twice", "nothing there", "missed")


def evaluate(targets: np.ndarray, answers: Mapping[str, np.ndarray], labels: Sequence[str]) -> Evaluation:
    """Mean average precision from 0.5 to 0.95, its parts by size, that of Pascal VOC, per label, and what is wrong.

    Sizes are COCO's: small below 32², large above 96² pixels of the original image. Where no box has a size there is
    none of its figures.
    """
    found = [_found(answers, i, labels) for i in range(len(targets))]
    evaluator = _evaluator(targets, found, labels)
    metrics = {name: float(value) for name, value in zip(_NAMES, evaluator.stats, strict=False) if value >= 0}
    # (thresholds, recalls, labels, areas, most), -1 where there is nothing
    precision = evaluator.eval["precision"][:, :, :, 0, -1] if labels else np.zeros((10, 101, 0))
    counts = Counter(int(row[4]) for rows in targets for row in rows if not row[5])
    voc = [_voc(evaluator, k, counts[k]) for k in range(len(labels))]
    rows = [
        (label, *(_mean(precision[part, :, k]) for part in (slice(None), 0)), voc[k], counts[k])
        for k, label in enumerate(labels)
    ]
    there = [k for k, _ in counts.most_common()]
    metrics["voc_ap50"] = _mean(np.array([voc[k] for k in there]))
    errors = [_errors(rows_, boxes) for rows_, boxes in zip(targets, found, strict=True)]
    total = Counter[str]()
    for one in errors:
        total.update(one)
    return Evaluation(
        metrics=metrics,
        tables=[
            Table("Per label", ("label", "AP", "AP50", "VOC AP50", "boxes"), rows),
            Table(
                f"Errors, from {_SURE:g} on",
                ("kind", "boxes"),
                [(kind, total[kind]) for kind in _KINDS],
            ),
        ],
        curves=[Curves(_TITLE, "recall", "precision", {labels[k]: _curve(precision[0, :, k]) for k in there})],
        mistakes=_mistakes(errors),
    )


def _found(answers: Mapping[str, np.ndarray], i: int, labels: Sequence[str]) -> np.ndarray:
    """Boxes of one image: corners, label, score."""
    count = int(answers["count"][i])
    kinds = [labels.index(label.decode()) for label in answers["label"][i, :count]]
    rows = [answers["boxes"][i, :count], np.array(kinds).reshape(-1, 1), answers["score"][i, :count, np.newaxis]]
    return np.concatenate([np.asarray(part, np.float64) for part in rows], axis=1)


def _evaluator(targets: np.ndarray, found: Sequence[np.ndarray], labels: Sequence[str]) -> COCOeval:
    truth = COCO()
    truth.dataset = {
        "images": [{"id": i} for i in range(len(targets))],
        "categories": [{"id": k, "name": label} for k, label in enumerate(labels)],
        "annotations": [
            {
                "id": number,
                "image_id": i,
                "category_id": int(row[4]),
                "bbox": [*row[:2].tolist(), *(row[2:4] - row[:2]).tolist()],
                "area": float(np.prod(row[2:4] - row[:2])),
                "iscrowd": int(row[5] > 0),
            }
            for number, (i, row) in enumerate(((i, row) for i, rows in enumerate(targets) for row in rows), 1)
        ],
    }
    rows = [[i, *row[:2], *(row[2:4] - row[:2]), row[5], row[4]] for i, boxes in enumerate(found) for row in boxes]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        answered = truth.loadRes(np.array(rows, np.float64)) if rows else COCO()
        if not rows:
            answered.dataset = {**truth.dataset, "annotations": []}
            answered.createIndex()
        evaluator = COCOeval(truth, answered, "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator


def _voc(evaluator: COCOeval, label: int, boxes: int) -> float:
    """Average precision of Pascal VOC since 2010, at an overlap of 0.5: the area below the curve (Everingham et al.
    2015). Recall rises by one box at a time, so that it is the mean of the precisions at all recalls that there are.
    """
    if not boxes:
        return 0.0
    params = copy.copy(evaluator.params)
    params.recThrs = np.arange(1, boxes + 1) / boxes
    params.areaRng, params.maxDets = params.areaRng[:1], params.maxDets[-1:]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator.accumulate(params)
    return float(evaluator.eval["precision"][0, :, label, 0, -1].mean())


def _curve(precision: np.ndarray) -> list[tuple[float, float]]:
    """Points of a curve up to the last recall that was reached."""
    recalls = np.linspace(0, 1, len(precision))
    return [(round(float(r), 2), round(float(p), 4)) for r, p in zip(recalls, precision, strict=True) if p > 0]


def _mean(values: np.ndarray) -> float:
    there = values[values >= 0]
    return float(there.mean()) if there.size else 0.0


def _errors(truth: np.ndarray, found: np.ndarray) -> Counter[str]:
    """Kinds of errors, after Bolya et al. 2020 ("TIDE"): the surest predictions first, half an overlap is a hit."""
    wanted = truth[truth[:, 5] == 0]
    ignored = truth[truth[:, 5] != 0]
    taken = np.zeros(len(wanted), bool)
    counts = Counter[str]()
    for row in sorted(found[found[:, 5] >= _SURE], key=lambda row: -row[5]):
        overlap = _overlap(row, wanted)
        same = wanted[:, 4] == row[4]
        free = np.where(same & ~taken, overlap, 0)
        if free.size and free.max() >= 0.5:
            taken[free.argmax()] = True
            counts["right"] += 1
        elif ignored.size and _overlap(row, ignored).max() >= 0.5:
            continue
        elif np.any(same & (overlap >= 0.5)):
            counts["twice"] += 1
        elif np.any(overlap >= 0.5):
            counts["wrong label"] += 1
        elif np.any(same & (overlap >= 0.1)):
            counts["wrong place"] += 1
        else:
            counts["nothing there"] += 1
    counts["missed"] = int((~taken).sum())
    return counts


def _overlap(row: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    low, high = np.maximum(row[:2], boxes[:, :2]), np.minimum(row[2:4], boxes[:, 2:4])
    both = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1) + np.prod(row[2:4] - row[:2])
    return both / np.maximum(areas - both, 1e-9)


def _mistakes(errors: Sequence[Counter[str]]) -> list[Mistake]:
    found = []
    for i, counts in enumerate(errors):
        wrong = {kind: counts[kind] for kind in _KINDS[1:] if counts[kind]}
        if wrong:
            what = ", ".join(f"{count} {kind}" for kind, count in wrong.items())
            found.append(Mistake(i, float(sum(wrong.values())), what))
    return sorted(found, key=lambda mistake: (-mistake.badness, mistake.example))
