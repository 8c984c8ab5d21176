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

# Everything from here up is private use, tags, variation selectors or unassigned; it is treated as one code point and
# removed.
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


class Normalization(NamedTuple):
    """What is done to text, beyond removing control characters and telling words apart."""

    lower_case: bool
    strip_accents: bool
    split_ideographs: bool = True


@functools.lru_cache(maxsize=2)
def tables(normalization: Normalization) -> Tables:
    """The tables for a vocabulary that was made with this normalization."""
    splits, chars, kinds = [0], [], []
    for point in range(LIMIT):
        for char, kind in _normalize(point, normalization):
            chars.append(char)
            kinds.append(kind)
        splits.append(len(chars))
    splits.append(len(chars))  # the entry of LIMIT itself: removed
    return Tables(np.array(splits, np.int32), np.array(chars, np.int32), np.array(kinds, np.int32))


def _normalize(point: int, how: Normalization) -> list[tuple[int, int]]:
    """The characters that replace one code point, each with its kind."""
    char = chr(point)
    if char in "\t\n\r":
        return [(0x20, SPACE)]
    category = unicodedata.category(char)
    if point in (0, 0xFFFD) or category in ("Cc", "Cf", "Co", "Cs"):
        return []
    if char.isspace():
        return [(0x20, SPACE)]
    text = char
    if how.strip_accents and not char.isascii():
        text = "".join(c for c in unicodedata.normalize("NFD", char) if unicodedata.category(c) != "Mn")
    if how.lower_case:
        text = "".join(c.lower() for c in text)
    if how.split_ideographs and any(first <= point <= last for first, last in _CJK):
        return [(ord(c), ALONE) for c in text]
    return [(ord(c), _kind(c, unicodedata.category(c))) for c in text]


def _kind(char: str, category: str) -> int:
    if char.isspace():
        return SPACE
    return ALONE if char in _ASCII_PUNCTUATION or category[0] == "P" else WORD
