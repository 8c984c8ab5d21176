"""Splits that can be repeated, and texts that stand on both sides of one."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasft.errors import DataError, UsageError


@dataclass(frozen=True)
class Split:
    """Two disjoint sets of row numbers, (n,) int64 in ascending order, which together are all rows.

    Args:
        train: the larger part, usually.
        held_out: the part for validation or test.
        warnings: what the user should hear, for example which classes have a single example.
    """

    train: np.ndarray
    held_out: np.ndarray
    warnings: tuple[str, ...] = ()


def split(n: int, fraction: float, *, seed: int, labels: Sequence[Any] | None = None) -> Split:
    """Holds out a fraction of `n` rows at random, the same rows for the same arguments on every platform.

    With one label per row the split is stratified: of a class with ``m >= 2`` examples ``round(fraction *
    m)`` are held out, at least 1 and at most ``m - 1``; a class with one example stays in training, with a
    warning. Without labels (regression), or with a list of labels per row (multi-label), ``round(fraction *
    n)`` rows are held out.

    Args:
        n: number of rows, 2 or more.
        fraction: share to hold out, between 0 and 1.
        seed: 0 or more.
        labels: (n,) hashable labels, or lists of labels.

    Raises:
        UsageError: the fraction is not between 0 and 1.
        DataError: fewer than 2 rows, or no class has a second example.
    """
    if not 0 < fraction < 1:
        raise UsageError(f"The fraction to hold out must lie between 0 and 1, not {fraction}.")
    if n < 2:
        raise DataError(f"{n} examples cannot be split: at least 2 are needed.")
    # Uniform draws are the same on every platform; `permutation` draws integers of the platform's width.
    order = np.argsort(np.random.Generator(np.random.PCG64(seed)).random(n), kind="stable")
    if labels is None or any(isinstance(label, list | tuple | np.ndarray) for label in labels):
        held = order[: _share(n, fraction)]
        return Split(np.sort(order[len(held) :]), np.sort(held))
    return _stratified(order, fraction, labels)


def _share(n: int, fraction: float) -> int:
    """How many of `n` to hold out, leaving at least one on each side."""
    return min(max(round(fraction * n), 1), n - 1)


def _stratified(order: np.ndarray, fraction: float, labels: Sequence[Any]) -> Split:
    if len(labels) != len(order):
        raise ValueError(f"{len(labels)} labels for {len(order)} rows")
    members: dict[Any, list[int]] = {}
    for row in order.tolist():
        members.setdefault(labels[row], []).append(row)
    held = [row for rows in members.values() if len(rows) > 1 for row in rows[: _share(len(rows), fraction)]]
    single = sorted(str(label) for label, rows in members.items() if len(rows) == 1)
    if not held:
        raise DataError(f"No class has two examples ({len(members)} classes), so none can be held out.")
    kept = np.ones(len(order), bool)
    kept[held] = False
    return Split(np.flatnonzero(kept), np.flatnonzero(~kept), _single_warning(single))


def _single_warning(labels: list[str]) -> tuple[str, ...]:
    if not labels:
        return ()
    shown = ", ".join(repr(label) for label in labels[:10]) + (", …" if len(labels) > 10 else "")
    return (f"Classes with a single example, which stays in training: {len(labels)} ({shown}).",)


def duplicates(a: Sequence[str], b: Sequence[str]) -> np.ndarray:
    """Which texts of `b` also stand in `a`: their indices, (k,) int64, ascending.

    Texts are the same when they are equal after Unicode NFC and with every run of white space as one blank.
    """
    seen = {_normal(text) for text in a}
    return np.array([i for i, text in enumerate(b) if _normal(text) in seen], np.int64)


def repeats(texts: Sequence[str]) -> np.ndarray:
    """Which texts stand earlier in the same sequence: their indices, (k,) int64, ascending.

    Sameness is that of `duplicates`.
    """
    seen: set[str] = set()
    found = []
    for i, text in enumerate(texts):
        normal = _normal(text)
        if normal in seen:
            found.append(i)
        seen.add(normal)
    return np.array(found, np.int64)


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
