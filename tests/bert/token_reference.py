"""The `tokenizers` library as the reference that ours is held against."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple


class Encoding(NamedTuple):
    """Token ids of one text, and the bytes of it that each token stands for."""

    ids: list[int]
    spans: list[tuple[int, int]]


def of_reference(tokenizer: Any, texts: Sequence[str]) -> list[Encoding]:
    """What a `tokenizers.Tokenizer` says; it counts code points, which become bytes here."""
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [Encoding(e.ids, _in_bytes(text, e.offsets)) for text, e in zip(texts, encoded, strict=True)]


def of_wordpiece(wordpiece: Any, texts: Sequence[str | bytes]) -> list[Encoding]:
    """What `kerasft_bert.tokenizer.WordPiece` says about a batch."""
    import tensorflow as tf

    return of_tokens(wordpiece.tokenize(tf.constant(list(texts), tf.string)))


def of_tokens(tokens: Any) -> list[Encoding]:
    """`kerasft_bert.tokenizer.Tokens`, text by text."""
    rows = zip(tokens.ids.to_list(), tokens.starts.to_list(), tokens.ends.to_list(), strict=True)
    return [Encoding(ids, list(zip(starts, ends, strict=True))) for ids, starts, ends in rows]


def _in_bytes(text: str, offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    at = list(accumulate((len(char.encode()) for char in text), initial=0))
    return [(at[start], at[end]) for start, end in offsets]
