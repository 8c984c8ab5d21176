"""Where ids and offsets differ from the `tokenizers` library on purpose, and what happens to broken input."""

import pytest
from token_reference import of_reference, of_wordpiece

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def test_special_tokens_in_a_text_stay_text(wordpiece, reference):
    """A document must not be able to end its own sequence; the reference lets it."""
    for token in SPECIAL:
        special = reference.token_to_id(token)
        theirs, ours = (one([f"a {token} b"])[0] for one in (lambda t: of_reference(reference, t), _ours(wordpiece)))
        assert theirs.ids == [1037, special, 1038]
        assert special not in ours.ids
        assert ours.ids[:2] + ours.ids[-2:] == [1037, reference.token_to_id("["), reference.token_to_id("]"), 1038]


def test_they_tokenize_like_the_same_characters_spaced_out(wordpiece, reference):
    spaced = of_reference(reference, [f"a [ {token[1:-1]} ] b" for token in SPECIAL])
    ours = of_wordpiece(wordpiece, [f"a {token} b" for token in SPECIAL])
    assert [o.ids for o in ours] == [theirs.ids for theirs in spaced]


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("a\u08d4b", "ab"),  # ARABIC SMALL HIGH WORD AR-RUB, Unicode 9: an accent, hence stripped
        ("a\U0001e944b", "ab"),  # ADLAM ALIF LENGTHENER, Unicode 9
        ("a\u2e43b", "a - b"),  # DASH WITH LEFT UPTURN, Unicode 9: punctuation, hence a word by itself
    ],
)
def test_characters_newer_than_the_reference_follow_the_rules(wordpiece, reference, text, like):
    """Its categories are those of Unicode 8; for it these are letters of an unknown word."""
    assert of_reference(reference, [text])[0].ids == [reference.token_to_id("[UNK]")]
    ours = of_wordpiece(wordpiece, [text, like])
    unknown = reference.token_to_id("[UNK]")
    assert ours[0].ids == [unknown if token == reference.token_to_id("-") else token for token in ours[1].ids]


def test_code_points_that_can_never_be_characters_are_removed(wordpiece, reference):
    """Above the last ideograph plane nothing but tags, selectors and private use is assigned."""
    assert of_wordpiece(wordpiece, ["a\U00050000b", "ab"])[0].ids == of_wordpiece(wordpiece, ["ab"])[0].ids
    assert of_reference(reference, ["a\U00050000b"])[0].ids == [reference.token_to_id("[UNK]")]


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        (b"caf\xe9 noir", "Latin-1"),
        (b"\xff\xfeword", "a UTF-16 byte order mark"),
        (b"word \xe4\xb8", "a character cut off"),
        (b"a \xed\xa0\x80 b", "a surrogate"),
        (b"\xc0\xaf overlong", "an overlong encoding"),
    ],
)
def test_bytes_that_are_not_utf8_are_removed_and_the_rest_keeps_its_offsets(wordpiece, broken, where):
    healthy = broken.decode("utf-8", errors="ignore")
    ours, expected = of_wordpiece(wordpiece, [broken, healthy])
    assert ours.ids == expected.ids, where
    pieces = [broken[start:end].decode("utf-8", errors="ignore") for start, end in ours.spans]
    assert pieces == [healthy.encode()[start:end].decode() for start, end in expected.spans]


def test_a_vocabulary_without_its_unknown_token_is_refused():
    from kerasft_bert.tokenizer import WordPiece

    with pytest.raises(ValueError, match=r"no '\[UNK\]'"):
        WordPiece(["a", "b"])


def _ours(wordpiece):
    return lambda texts: of_wordpiece(wordpiece, texts)
