"""The normalization of every code point there is, against `tokenizers.normalizers.BertNormalizer`."""

import unicodedata

import numpy as np
import pytest
import tensorflow as tf
from token_reference import of_reference
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from kerasft_bert import unicode_tables
from kerasft_bert.tokenizer import WordPiece
from kerasft_bert.unicode_tables import Normalization

EVERY = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]
OLDEST = unicodedata.ucd_3_2_0


NORMALIZATIONS = {
    "uncased": Normalization(lower_case=True, strip_accents=True),
    "cased": Normalization(lower_case=False, strip_accents=False),
}


@pytest.fixture(scope="module", params=NORMALIZATIONS)
def normalization(request):
    return NORMALIZATIONS[request.param]


def ours(normalization: Normalization) -> dict[int, str]:
    tables = unicode_tables.tables(normalization)
    chars = [*map(chr, tables.chars.tolist())]
    splits = tables.splits.tolist()
    return {p: "".join(chars[splits[e] : splits[e + 1]]) for p in EVERY for e in [min(p, unicode_tables.LIMIT)]}


def theirs(how: Normalization) -> dict[int, str]:
    """Many at once, between bars: normalization never looks past a bar."""
    normalizer = normalizers.BertNormalizer(
        lowercase=how.lower_case, strip_accents=how.strip_accents, handle_chinese_chars=how.split_ideographs
    )
    found = {ord("|"): "|"}
    points = [point for point in EVERY if point != ord("|")]
    for start in range(0, len(points), 2000):
        some = points[start : start + 2000]
        results = normalizer.normalize_str("|".join(map(chr, some))).split("|")
        found.update(zip(some, results, strict=True))
    return found


def newer_than_the_reference(point: int) -> bool:
    """Whether Unicode has assigned this character, or changed its category, since the first tables Python keeps."""
    return unicodedata.category(chr(point)) != OLDEST.category(chr(point))


def test_every_code_point_is_normalized_as_the_reference_does_or_is_newer(normalization):
    mine, other = ours(normalization), theirs(normalization)
    # The reference sets ideographs apart by blanks, we by their kind: `test_where_words_end` compares that.
    different = [p for p in EVERY if mine[p] != (other[p].strip(" ") or other[p])]
    for point in different:
        category = unicodedata.category(chr(point))
        if category == "Cn":  # not in Python's tables: kept, or above the last plane in use removed
            assert mine[point] == ("" if point >= unicode_tables.LIMIT else chr(point)), hex(point)
        else:
            assert newer_than_the_reference(point), hex(point)
            # A mark or format character that the reference takes for a letter and keeps. Or the opposite.
            assert {mine[point], other[point]} == {"", chr(point)} or category == "Mc", hex(point)


def test_where_words_end_for_every_character():
    """``a?b`` is one word, two, three, or ``ab``, by the kind of the character between.

    Of the ideographs beyond the common block, which are all alike, every tenth.
    """
    vocabulary = ["[UNK]", "a", "b", "##b"]
    theirs = Tokenizer(models.WordPiece({token: i for i, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    theirs.normalizer, theirs.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    points = [*range(0x20000), *range(0x20000, unicode_tables.LIMIT, 10)]
    points = [point for point in points if unicodedata.category(chr(point)) not in ("Cn", "Cs")]
    texts = [f"a{chr(point)}b" for point in points]
    wordpiece = WordPiece(vocabulary)
    ids = wordpiece.tokenize(tf.constant(texts)).ids.to_list()
    expected = [encoding.ids for encoding in of_reference(theirs, texts)]
    different = {p for p, mine, other in zip(points, ids, expected, strict=True) if mine != other}
    assert all(newer_than_the_reference(point) for point in different), [hex(p) for p in different]
    # Of all that European, Hebrew and Arabic texts are written with: END OF TEXT MARK and NKO DANTAYALAN.
    assert {point for point in different if point < 0x800} == {0x61D, 0x7FD}


def test_the_kinds_of_characters():
    kinds = {
        unicode_tables.SPACE: " \t\n\r\u00a0\u2003\u3000",
        unicode_tables.ALONE: "!-_[…“。、。$^`~|=<+中㐀豈\U00020000",
        unicode_tables.WORD: "azéßж9½€™©°あカ한กअ😀",
    }
    tables = unicode_tables.tables(NORMALIZATIONS["uncased"])
    for kind, characters in kinds.items():
        for char in characters:
            first, last = tables.splits[ord(char) : ord(char) + 2]
            assert set(tables.kinds[first:last]) == {kind}, char


def test_tables_are_compact_and_complete(normalization):
    tables = unicode_tables.tables(normalization)
    assert len(tables.splits) == unicode_tables.LIMIT + 2
    assert np.all(np.diff(tables.splits) >= 0) and tables.splits[-1] == len(tables.chars) == len(tables.kinds)
    assert tables.splits[-1] == tables.splits[-2]  # whatever stands above LIMIT is removed
    assert sum(array.nbytes for array in tables) < 4_000_000
