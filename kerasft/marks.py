"""Texts with places in them marked, for terminals and pages."""

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from kerasft.task import Mark

# Of the sixteen colours of every terminal, those that can be read on dark and light.
_COLOURS = ("green", "magenta", "cyan", "yellow", "blue", "red")

Piece = tuple[str, str]
"""A stretch of text and the label of its mark; empty for none."""


def pieces(text: str, marks: Sequence[Mark], context: int | None = None) -> list[Piece]:
    """A text as stretches with and without marks.

    Args:
        text: all of it.
        marks: in order and apart from each other.
        context: characters of an unmarked stretch to keep beside a mark; the rest becomes ``…``. None keeps all.
    """
    found: list[Piece] = []
    place = 0
    for number, mark in enumerate(marks):
        found.append((_cut(text[place : mark.start], context, left=number > 0, right=True), ""))
        found.append((text[mark.start : mark.end], mark.label))
        place = mark.end
    found.append((_cut(text[place:], context, left=bool(marks), right=False), ""))
    return [piece for piece in found if piece[0]]


def _cut(text: str, context: int | None, *, left: bool, right: bool) -> str:
    """The ends of a stretch that stand beside a mark."""
    if context is None or len(text) <= context * (left + right):
        return text
    return (text[:context] if left else "") + "…" + (text[-context:] if right else "")


def coloured(text: str, marks: Sequence[Mark], labels: Sequence[str]) -> Text:
    """For a terminal: each label behind its place, in a colour of its own as far as there are any."""
    found = Text()
    for piece, label in pieces(text, marks):
        if not label:
            found.append(piece)
            continue
        colour = _COLOURS[labels.index(label) % len(_COLOURS)]
        found.append(piece, Style(color=colour, bold=True))
        found.append(f" {label}", Style(color=colour, dim=True))
    return found
