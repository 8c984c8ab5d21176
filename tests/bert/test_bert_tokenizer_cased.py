"""Vocabularies that keep case and accents, and words made of pieces, against the `tokenizers` library."""

import itertools
import string
from types import SimpleNamespace

import pytest
from hard_strings import HARD
from token_reference import of_reference, of_wordpiece
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from kerasft_bert.tokenizer import MAX_WORD_CHARS, WordPiece

ALPHABET = string.ascii_letters + string.digits + string.punctuation + "éÉßñüÄΣσςİıЖж東京日本한국กำ\u0301\u0308ﬁ…“”—"
PIECES = ["Berlin", "berlin", "New", "##York", "York", "##ing", "##ed", "un", "##aff", "##able", "Café", "##fé", "ΣΑΣ"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *ALPHABET, *(f"##{char}" for char in ALPHABET), *PIECES]


OPTIONS = {
    "cased": {"lower_case": False},
    "uncased": {"lower_case": True},
    "lower case with accents": {"lower_case": True, "strip_accents": False},
    "ideographs not split": {"lower_case": True, "split_ideographs": False},
}


@pytest.fixture(scope="module", params=OPTIONS)
def pair(request) -> SimpleNamespace:
    """Both tokenizers with one small vocabulary and the same normalization."""
    options = OPTIONS[request.param]
    ids = {token: i for i, token in enumerate(VOCABULARY)}
    theirs = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=MAX_WORD_CHARS))
    theirs.normalizer = normalizers.BertNormalizer(
        lowercase=options["lower_case"],
        strip_accents=options.get("strip_accents"),
        handle_chinese_chars=options.get("split_ideographs", True),
    )
    theirs.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return SimpleNamespace(theirs=theirs, ours=WordPiece(VOCABULARY, **options))


def assert_same(pair, texts):
    ours, theirs = of_wordpiece(pair.ours, texts), of_reference(pair.theirs, texts)
    for text, mine, other in zip(texts, ours, theirs, strict=True):
        assert mine == other, f"{text!r}"


@pytest.mark.parametrize("topic", HARD)
def test_hard_strings(pair, topic):
    assert_same(pair, HARD[topic])


def test_longest_piece_first_and_back_to_the_unknown_token(pair):
    words = ["Berlin", "BERLIN", "berlining", "NewYork", "Newyorked", "unaffable", "Cafés", "cafe\u0301", "ΣΑΣ", "σας"]
    nearly = ["unaffab中le", "Berlin中", "x漢y", "abcдdef", "ing", "##ing"]
    assert_same(pair, words + nearly)


def test_every_short_string_over_a_nasty_alphabet(pair):
    """Every text of up to four characters: letter, capital, mark, blank, joiner, full stop, ideograph, unknown."""
    alphabet = "aÉ\u0301 \u200d.中д"
    assert_same(pair, ["".join(chars) for n in range(5) for chars in itertools.product(alphabet, repeat=n)])


def test_case_is_kept_only_when_asked_for():
    texts = ["Berlin É", "berlin e\u0301"]
    cased, uncased = (of_wordpiece(WordPiece(VOCABULARY, lower_case=lower), texts) for lower in (False, True))
    assert cased[0].ids == [VOCABULARY.index("Berlin"), VOCABULARY.index("É")]
    assert cased[1].ids == [VOCABULARY.index("berlin"), VOCABULARY.index("e"), VOCABULARY.index("##\u0301")]
    assert uncased[0].ids == uncased[1].ids == [VOCABULARY.index("berlin"), VOCABULARY.index("e")]
