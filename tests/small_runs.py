"""Data that a tiny model learns in seconds, and the run that was made of it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
from command_line import Answer

TINY = ("--backbone", "bert/tiny", "--task", "classification", "--length", 16)
"""The smallest thing that trains."""

LABELS = ("<rude>", "kind")
"""The label space of `trained`; one of them would be a tag if a page did not escape it."""


@dataclass(frozen=True)
class Trained:
    """A finished run and how it was made."""

    directory: Path
    train: Path
    test: Path
    answer: Answer


def write_csv(path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = ("text", "label")) -> Path:
    """A CSV file of `rows`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def separable(count: int) -> list[tuple[str, str]]:
    """Texts whose label is told by one word of them; no two are equal."""
    words = {"<rude>": "bad", "kind": "good"}
    labels = [LABELS[i % 2] for i in range(count)]
    return [(f"the {'abcdefghijkl'[i % 12]} is {words[label]} {i}", label) for i, label in enumerate(labels)]


TEST_ROWS = (
    ("the m is good 1000", "kind"),
    ("the n is good 1001", "kind"),
    ("the o is bad 1002", "<rude>"),
    (separable(1)[0][0], "<rude>"),  # also a training text
    ("the p is bad " + "x " * 40, "<rude>"),  # longer than 16 tokens
    ("is good <script>alert(1)</script>", "<rude>"),  # also too long; its label is wrong, so a good model is
)


def weights_of(run: Path) -> dict[str, bytes]:
    """Every array of the best weights of a run, by its name in the file."""
    found: dict[str, bytes] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item.dtype.str.encode() + item[()].tobytes()

    with h5py.File(run / "weights" / "best.weights.h5") as file:
        file.visititems(visit)
    return found
