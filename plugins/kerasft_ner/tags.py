"""Tags of words in any of the usual schemes, to entities.

IOB1 and IOB2: Ramshaw and Marcus 1995, Tjong Kim Sang and Veenstra 1999. IOBES, also called BILOU: Ratinov and Roth
    2009.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

_TAG = re.compile(r"([BIESLU])-(\S.*)\Z")
_BEGINS, _ENDS = "BSU", "ESLU"  # U and S: an entity of one word; L and E: its last word


class Entity(NamedTuple):
    """From word `first` to word `last`, both of them in it."""

    first: int
    last: int
    label: str


def parse(tag: str) -> tuple[str, str]:
    """Prefix and label; ``("O", "")`` outside of entities.

    Raises:
        ValueError: it is neither ``O`` nor a prefix and a label.
    """
    if tag == "O":
        return "O", ""
    if not (match := _TAG.match(tag)):
        raise ValueError(f"expected O, or a tag such as B-PER or I-PER; received {tag!r}")
    return match[1], match[2]


def is_iob1(sentences: Sequence[Sequence[str]]) -> bool:
    """Whether entities begin with I-, and with B- only behind another one of their label."""
    begins_with_i = False
    for tags in sentences:
        before = "O", ""
        for tag in tags:
            prefix, label = parse(tag)
            if prefix in "ESLU" or (prefix == "B" and (before[0] == "O" or before[1] != label)):
                return False
            begins_with_i |= prefix == "I" and (before[0] == "O" or before[1] != label)
            before = prefix, label
    return begins_with_i


def entities(tags: Sequence[str], *, iob1: bool) -> tuple[list[Entity], list[tuple[int, str]]]:
    """The entities of a sentence, and the words at which its tags break their scheme, with what is wrong there.

    A tag that goes on with an entity that did not begin begins one, as the CoNLL evaluation has it.

    Args:
        tags: of each word.
        iob1: see `is_iob1`; otherwise IOB2 or IOBES.
    """
    found: list[Entity] = []
    odd: list[tuple[int, str]] = []
    before, open_ = ("O", ""), False  # whether the entity before may go on
    for i, tag in enumerate(tags):
        prefix, label = parse(tag)
        if prefix == "O":
            before, open_ = (prefix, label), False
            continue
        goes_on = prefix in "IEL" and before[0] != "O" and before[1] == label and open_
        if goes_on:
            found[-1] = found[-1]._replace(last=i)
        else:
            found.append(Entity(i, i, label))
            if prefix in "IEL" and not (iob1 and prefix == "I"):
                behind = f"behind {tags[i - 1]}" if i else "at the beginning"
                odd.append((i, f"{tag} {behind} does not begin an entity; read as B-{label}"))
        before, open_ = (prefix, label), prefix not in _ENDS
    return found, odd
