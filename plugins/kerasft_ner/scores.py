"""Strict scores of entities: one is right if its first and last character and its label are."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from nervaluate import Evaluator

from kerasft.task import Evaluation, Mark, Mistake, Table
from kerasft_ner.locate import Span

_DRAWS = 1000  # of the bootstrap
_FIGURES = ("precision", "recall", "f1")


def evaluate(targets: np.ndarray, answers: Mapping[str, np.ndarray], labels: Sequence[str]) -> Evaluation:
    """Precision, recall and F1, together and per label; intervals by drawing texts with replacement, seed 0."""
    truth = [[Span(int(start), int(end), labels[kind]) for start, end, kind in rows] for rows in targets]
    found = [_found(answers, i) for i in range(len(truth))]
    report = Evaluator(_plain(truth), _plain(found), tags=list(labels), loader="dict").evaluate()
    overall = report["overall"]["strict"]
    counts = Counter(span.label for spans in truth for span in spans)
    rows = []
    for label in labels:
        one = report["entities"].get(label, {}).get("strict")  # none if it is neither there nor found
        rows.append((label, *(float(getattr(one, name, 0.0)) for name in _FIGURES), counts[label]))
    return Evaluation(
        metrics={name: float(getattr(overall, name)) for name in reversed(_FIGURES)},
        intervals=_intervals(truth, found),
        tables=[Table("Per label", ("label", *_FIGURES, "entities"), rows)],
        mistakes=_mistakes(truth, found, answers["score"]),
    )


def _found(answers: Mapping[str, np.ndarray], i: int) -> list[Span]:
    count = answers["count"][i]
    rows = zip(*(answers[name][i, :count] for name in ("start", "end", "label")), strict=True)
    return [Span(int(start), int(end), label.decode()) for start, end, label in rows]


def _plain(texts: Sequence[Sequence[Span]]) -> list[list[dict[str, object]]]:
    """As nervaluate reads them, which counts the last character in."""
    return [[{"start": s.start, "end": s.end - 1, "label": s.label} for s in spans] for spans in texts]


def _intervals(truth: Sequence[Sequence[Span]], found: Sequence[Sequence[Span]]) -> dict[str, tuple[float, float]]:
    """95 % intervals: percentiles of texts drawn with replacement (Efron 1979)."""
    figures = np.array(
        [(len(set(one) & set(other)), len(other), len(one)) for one, other in zip(truth, found, strict=True)],
        np.float64,
    )
    dice = np.random.default_rng(0)
    sums = np.array([figures[dice.integers(0, len(figures), len(figures))].sum(axis=0) for _ in range(_DRAWS)])
    right, predicted, expected = sums.T
    draws = {
        "precision": right / np.maximum(predicted, 1),
        "recall": right / np.maximum(expected, 1),
        "f1": 2 * right / np.maximum(predicted + expected, 1),
    }
    found_intervals = {name: np.percentile(values, (2.5, 97.5)) for name, values in draws.items()}
    return {name: (float(low), float(high)) for name, (low, high) in found_intervals.items()}


def _mistakes(truth: Sequence[Sequence[Span]], found: Sequence[Sequence[Span]], scores: np.ndarray) -> list[Mistake]:
    """Texts with wrong entities, those with most and surest ones first; what was found and missed is marked."""
    mistakes = []
    for i, (expected, predicted) in enumerate(zip(truth, found, strict=True)):
        wrong = [
            (span, float(score)) for span, score in zip(predicted, scores[i], strict=False) if span not in expected
        ]
        missed = [span for span in expected if span not in predicted]
        if not wrong and not missed:
            continue
        parts = [f"{span.label} at {span.start}-{span.end} is not there ({score:.2f})" for span, score in wrong]
        parts += [f"{span.label} at {span.start}-{span.end} missed" for span in missed]
        marks = sorted(
            [Mark(*span) for span in predicted] + [Mark(s.start, s.end, f"missed {s.label}") for s in missed]
        )
        apart = [mark for k, mark in enumerate(marks) if not any(mark.start < one.end for one in marks[:k])]
        badness = sum(score for _, score in wrong) + len(missed)
        mistakes.append(Mistake(i, badness, "; ".join(parts), tuple(apart)))
    return sorted(mistakes, key=lambda mistake: (-mistake.badness, mistake.example))
