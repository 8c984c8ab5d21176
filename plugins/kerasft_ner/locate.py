"""Entities as they stand in data, to spans of characters in their texts, checked."""

import contextlib
import itertools
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kerasft.errors import DataError
from kerasft.task import Where
from kerasft_ner import tags

_STARTS = ("start", "start_offset", "begin", "start_char")
_ENDS = ("end", "end_offset", "stop", "end_char")
_LABELS = ("label", "type", "tag", "entity", "entity_group")
_JOINER, _VARIATIONS = "\u200d", range(0xFE00, 0xFE10)
_SKIN_TONES = range(0x1F3FB, 0x1F400)


class Span(NamedTuple):
    """Characters `start` to before `end` of a text."""

    start: int
    end: int
    label: str


class Entities(list[Span]):
    """The entities of a text of so many words."""

    def __init__(self, spans: Iterable[Span] = (), words: int = 0):
        super().__init__(spans)
        self.words = words


def spans(
    inputs: Sequence[Any], targets: Sequence[Any], where: Where, names: Sequence[str] = ()
) -> tuple[list[Entities], list[str]]:
    """The entities of each text, in order and apart from each other, and what is odd about them, one line each.

    Args:
        inputs: texts, or lists of words, which are read with blanks between them.
        targets: for each, a list of ``{"start", "end", "label"}`` in characters; or a tag for each word of a list, in
            IOB1, IOB2 or IOBES, as a string or as a position in `names`.
        where: names an example.
        names: the tags, where data have their positions.

    Raises:
        DataError: with every tag or span that cannot be.
    """
    problems: list[str] = []
    odd: list[str] = []
    named = [_named(target, i, where, names, problems) for i, target in enumerate(targets)]
    tagged = [target for target in named if _is_tags(target)]
    iob1 = False
    with contextlib.suppress(ValueError):  # a tag that is none is named below, with its place
        iob1 = tags.is_iob1(tagged)
    found = []
    for i, (text, target) in enumerate(zip(inputs, named, strict=True)):
        try:
            of_one = _of_words if tagged and isinstance(target, (list, tuple)) else _of_text
            located, oddities = of_one(text, target, iob1)
            found.append(Entities(located, len(text.split() if isinstance(text, str) else text)))
            odd += [f"{where(i)}{oddity}" for oddity in oddities]
        except _WrongError as error:
            problems += [f"{where(i)}{problem}" for problem in error.problems]
    if problems:
        raise DataError(f"{len(problems)} entities do not fit their texts.", problems)
    return found, odd


class _WrongError(Exception):
    def __init__(self, problems: Sequence[str]):
        super().__init__()
        self.problems = problems


def _named(target: Any, index: int, where: Where, names: Sequence[str], problems: list[str]) -> Any:
    """Tags for their positions."""
    if not isinstance(target, (list, tuple)) or not target or not all(isinstance(tag, int) for tag in target):
        return target
    if outside := sorted({tag for tag in target if not 0 <= tag < len(names)}):
        given = (
            f"there are {len(names)} names of tags" if names else "say which they are: --task-option names='[\"O\",…]'"
        )
        problems.append(f"{where(index)}: tags are numbers, {', '.join(map(str, outside))} among them; {given}")
        return ["O"] * len(target)
    return [names[tag] for tag in target]


def _is_tags(target: Any) -> bool:
    return isinstance(target, (list, tuple)) and bool(target) and isinstance(target[0], str)


def _of_words(words: Any, target: Sequence[str], iob1: bool) -> tuple[list[Span], list[str]]:
    if isinstance(words, str):
        raise _WrongError([f": tags need a list of words. Received a text: {words[:60]!r}"])
    if len(words) != len(target):
        raise _WrongError([f": {len(words)} words and {len(target)} tags"])
    wrong = []
    for i, tag in enumerate(target):
        try:
            tags.parse(tag)
        except ValueError as error:
            wrong.append(f", word {i + 1} {words[i]!r}: {error}")
    if wrong:
        raise _WrongError(wrong)
    starts, place = [], 0
    for word in words:
        starts.append(place)
        place += len(word) + 1
    found, odd = tags.entities(target, iob1=iob1)
    located = [Span(starts[e.first], starts[e.last] + len(words[e.last]), e.label) for e in found]
    return located, [f", word {i + 1} {words[i]!r}: {what}" for i, what in odd]


def _of_text(text: Any, target: Any, iob1: bool) -> tuple[list[Span], list[str]]:
    text = text if isinstance(text, str) else " ".join(text)
    problems: list[str] = []
    odd: list[str] = []
    found: list[Span] = []
    if not isinstance(target, (list, tuple)):
        raise _WrongError([f": expected a list of entities. Received: {target!r}"])
    for entity in target:
        try:
            span = _span(entity)
        except ValueError as error:
            problems.append(f": {error}")
            continue
        if problem := _problem(text, span):
            problems.append(f": {_shown(span)} {problem}")
            continue
        inside = text[span.start : span.end]
        trimmed = span._replace(
            start=span.start + len(inside) - len(inside.lstrip()), end=span.end - len(inside) + len(inside.rstrip())
        )
        if trimmed != span:
            odd.append(f": {_shown(span)} begins or ends in white space, which is left out: {inside!r}")
        if _is_inside_word(text, trimmed):
            odd.append(f": {_shown(trimmed)} begins or ends inside a word: {inside!r}")
        found.append(trimmed)
    found.sort()
    problems += [
        f": {_shown(one)} and {_shown(other)} overlap"
        for one, other in itertools.pairwise(found)
        if other.start < one.end
    ]
    if problems:
        raise _WrongError(problems)
    return found, odd


def _span(entity: Any) -> Span:
    """An entity as annotation tools write it.

    Raises:
        ValueError: it lacks a start, an end or a label.
    """
    if not isinstance(entity, Mapping):
        raise ValueError(f"expected an entity with start, end and label. Received: {entity!r}")

    def value(names: Sequence[str], kind: type) -> Any:
        for name in names:
            if isinstance(found := entity.get(name), kind) and not isinstance(found, bool) and found != "":
                return found
        raise ValueError(f"an entity without {names[0]}: {dict(entity)}")

    return Span(value(_STARTS, int), value(_ENDS, int), value(_LABELS, str))


def _problem(text: str, span: Span) -> str:
    """Why there cannot be such a span, or nothing."""
    if not 0 <= span.start < span.end:
        return "holds no character"
    if span.end > len(text):
        return f"reaches beyond the text of {len(text)} characters: {text[:60]!r}"
    if not text[span.start : span.end].strip():
        return "holds white space only"
    for place in (span.start, span.end):
        if 0 < place < len(text) and _is_inside_character(text, place):
            return f"cuts the character {text[max(0, place - 2) : place + 2]!r} at {place}"
    return ""


def _is_inside_character(text: str, place: int) -> bool:
    """Whether what is seen as one character goes on at `place`: an accent, an emoji of several parts."""
    after = text[place]
    return (
        unicodedata.category(after).startswith("M")
        or after == _JOINER
        or text[place - 1] == _JOINER
        or ord(after) in _VARIATIONS
        or ord(after) in _SKIN_TONES
    )


def _is_inside_word(text: str, span: Span) -> bool:
    return any(
        0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum() and text[place].isascii()
        for place in (span.start, span.end)
    )


def _shown(span: Span) -> str:
    return f"{span.label} at {span.start}-{span.end}"
