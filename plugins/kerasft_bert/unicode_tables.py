"""BERT's text normalization as lookup tables, one entry per code point.

The rules are those of the original BERT tokenizer (Devlin et al. 2018, ``tokenization.py``: clean text, space out CJK
ideographs, NFD, strip accents, lower-case) in the order the Hugging Face ``BertNormalizer`` applies them, because
that is what nearly every published checkpoint was trained and is evaluated with. tensorflow_text's own BERT normalizer
is not used: it case-folds by NFKD, so that "…" becomes "..." and "ﬁ" becomes "fi", and gives other token ids.
"""

import functools
import unicodedata
from typing import NamedTuple

import numpy as np

# Everything from here up is private use, tags or unassigned; it is treated as one code point and removed.
LIMIT = 0x40000

WORD, SPACE, ALONE = 0, 1, 2
"""Kinds of character: part of a word; between words; a word by itself (punctuation, CJK ideographs)."""

_CJK = (
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0x2F800, 0x2FA1F),
)  # fmt: skip
_ASCII_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


class Tables(NamedTuple):
    """Code point ``c`` becomes ``chars[splits[c]:splits[c + 1]]``, whose kinds are the same slice of ``kinds``."""

    splits: np.ndarray
    chars: np.ndarray
    kinds: np.ndarray


@functools.lru_cache(maxsize=2)
def tables(lower_case: bool) -> Tables:
    """The tables for an uncased (``lower_case=True``: also strips accents) or a cased vocabulary."""
    chars: list[int] = []
    kinds: list[int] = []
    counts = np.ones(LIMIT + 1, np.int32)
    counts[LIMIT] = 0
    for point in range(LIMIT):
        if _stays(point):
            chars.append(point)
            kinds.append(WORD)
            continue
        replacement = _normalize(point, lower_case)
        counts[point] = len(replacement)
        for char, kind in replacement:
            chars.append(char)
            kinds.append(kind)
    splits = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return Tables(splits, np.array(chars, np.int32), np.array(kinds, np.int8))


def _stays(point: int) -> bool:
    """A shortcut for most of Unicode: letters without case or parts, and code points without a character."""
    char = chr(point)
    return (
        unicodedata.category(char) in ("Lo", "Cn")
        and not unicodedata.decomposition(char)
        and not 0xAC00 <= point <= 0xD7A3  # Hangul decomposes by rule
        and not _is_cjk(point)
    )


def _is_cjk(point: int) -> bool:
    return point >= 0x3400 and any(first <= point <= last for first, last in _CJK)


def _normalize(point: int, lower_case: bool) -> list[tuple[int, int]]:
    """The characters that replace one code point, each with its kind."""
    char = chr(point)
    if char in "\t\n\r":
        return [(0x20, SPACE)]
    category = unicodedata.category(char)
    if point in (0, 0xFFFD) or category in ("Cc", "Cf", "Co", "Cs"):
        return []
    if char.isspace():
        return [(0x20, SPACE)]
    if _is_cjk(point):
        return [(ord(c), ALONE) for c in (unicodedata.normalize("NFD", char) if lower_case else char)]
    if not lower_case:
        return [(point, _kind(char, category))]
    decomposed = char if char.isascii() else unicodedata.normalize("NFD", char)
    lowered = "".join(c.lower() for c in decomposed if unicodedata.category(c) != "Mn")
    return [(ord(c), _kind(c, unicodedata.category(c))) for c in lowered]


def _kind(char: str, category: str) -> int:
    if char.isspace():
        return SPACE
    return ALONE if char in _ASCII_PUNCTUATION or category[0] == "P" else WORD
