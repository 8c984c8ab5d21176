"""Words of raw texts in graph operations, and which word each token belongs to.

One rule serves training, prediction and the exported graph, so none of them needs texts that were split beforehand;
texts that were, with blanks between their words, are split at those blanks too.
"""

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf
import tensorflow_text as tf_text

# A word is what stands between white space, but for opening punctuation before it, and for closing punctuation and the
# English 's behind it, which are words of their own; so is an ideograph. Initials such as U.S. keep their points.
_SPACE = r"[\s\p{Z}]"
_END = rf"(?:{_SPACE}+|$)"
_SPLIT = "|".join(
    [
        r"(?:\p{Lu}\.){2,}",
        rf"{_SPACE}+",
        r"[\(\[\{\"“„«‘¿¡]",
        r"['’][sS]\b",
        rf"[\)\]\}}\"”»’,;:!?….]+{_END}",
        r"\p{Han}",
    ]
)
_KEPT = r"(?s).*[^\s\p{Z}].*"


class Words(NamedTuple):
    """The words of all texts one after the other: the text of each, and its first and last byte + 1; int64."""

    rows: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor


def split(texts: tf.Tensor) -> Words:
    """The words of texts of shape ``(batch,)``."""
    pieces, starts, _ = tf_text.regex_split_with_offsets(texts, _SPLIT, _KEPT)
    trimmed = tf.strings.regex_replace(pieces.values, rf"{_SPACE}+$", "")
    lengths = tf.cast(tf.strings.length(trimmed), tf.int64)
    return Words(pieces.value_rowids(), starts.values, starts.values + lengths)


def of_tokens(texts: tf.Tensor, alignment: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Of each token, the word that it belongs to.

    Args:
        texts: of shape ``(inputs,)``.
        alignment: ``starts`` and ``ends`` of tokens in bytes; ``rows``, the text of each row, where several rows may
            belong to one text.

    Returns:
        int32 of shape ``(rows, tokens)``: ``word_starts`` and ``word_ends`` in characters (code points, as Python
        counts them), 0 where there is no word; ``opens``, 1 on the first token of a word.
    """
    starts = tf.cast(alignment["starts"], tf.int64)
    shape = tf.shape(starts, tf.int64)
    rows = tf.cast(alignment["rows"], tf.int64) if "rows" in alignment else tf.range(shape[0])
    words = split(texts)
    real = alignment["ends"] > alignment["starts"]
    at = tf.searchsorted(_key(words.rows, words.starts), _flat_key(rows, starts), side="right") - 1
    at = tf.where(tf.reshape(real, [-1]), at, -1)
    # A token begins a word if the one before it belongs to another; the first one of a later window of a text need not.
    word = tf.reshape(at, shape)
    before = tf.concat([tf.fill([shape[0], 1], -1), word[:, :-1]], axis=1)
    continues = tf.concat([[False], rows[1:] == rows[:-1]], axis=0)[:, tf.newaxis] & (before < 0)
    opens = real & (word != before) & ((starts <= _spread(words.starts, word)) | ~continues)

    characters, offsets = tf.strings.unicode_decode_with_offsets(texts, "UTF-8")
    known = _key(characters.value_rowids(), offsets.values)
    first = tf.gather(characters.row_starts(), words.rows)

    def count(places: tf.Tensor) -> tf.Tensor:
        """Characters before these bytes of the texts of the words."""
        return tf.cast(tf.searchsorted(known, _key(words.rows, places)), tf.int64) - first

    return {
        "word_starts": tf.cast(_spread(count(words.starts), word), tf.int32),
        "word_ends": tf.cast(_spread(count(words.ends), word), tf.int32),
        "opens": tf.cast(opens, tf.int32),
    }


def _spread(values: tf.Tensor, word: tf.Tensor) -> tf.Tensor:
    """Values of words as those of tokens; 0 where there is no word."""
    return tf.gather(tf.concat([[0], values], axis=0), word + 1)


def _key(rows: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """One number for a row and a place in it, in their order."""
    return tf.bitwise.left_shift(tf.cast(rows, tf.int64), tf.constant(32, tf.int64)) + tf.cast(places, tf.int64)


def _flat_key(rows: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    return tf.reshape(_key(rows[:, tf.newaxis], places), [-1])
