"""WordPiece as graph operations, with every token's byte offsets in the original string.

Token ids and offsets equal those of the Hugging Face ``tokenizers`` library for the same vocabulary, except that
special tokens written out in a text ("[SEP]") stay ordinary text: a document must not be able to end its own sequence.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
import tensorflow_text as tf_text

from kerasft_bert import unicode_tables
from kerasft_bert.unicode_tables import Normalization, Tables

# Longer words become one unknown token (WordpieceTokenizer.max_input_chars_per_word in the original BERT).
MAX_WORD_CHARS = 100
_MAX_CHAR_BYTES = 4


class Tokens(NamedTuple):
    """Three ragged int32 tensors of shape ``(batch, tokens)``; offsets count bytes of the UTF-8 input."""

    ids: tf.RaggedTensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor


class _Chars(NamedTuple):
    """Normalized characters of a whole batch, flat: code point, kind, text it stands in, original byte span."""

    points: tf.Tensor
    kinds: tf.Tensor
    rows: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor


class WordPiece(tf.Module):
    """BERT's tokenizer for one vocabulary.

    Args:
        vocabulary: the tokens in the order of their ids.
        unk_token: stands for words that cannot be spelled with the vocabulary.
        lower_case: lower-case the text, as uncased checkpoints were trained.
        strip_accents: remove accents from it; None: if it is lower-cased.
        split_ideographs: make each Chinese ideograph a word by itself.

    Raises:
        ValueError: the vocabulary lacks `unk_token`.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        *,
        unk_token: str = "[UNK]",
        lower_case: bool = True,
        strip_accents: bool | None = None,
        split_ideographs: bool = True,
    ):
        super().__init__()
        if unk_token not in vocabulary:
            raise ValueError(f"The vocabulary has no {unk_token!r}. Received {len(vocabulary)} tokens.")
        strip_accents = lower_case if strip_accents is None else strip_accents
        tables = unicode_tables.tables(Normalization(lower_case, strip_accents, split_ideographs))
        # As tensors, not arrays: every traced graph refers to them instead of holding 2 MB of its own.
        self._tables = Tables(*(tf.constant(table) for table in tables))
        self._wordpiece = tf_text.FastWordpieceTokenizer(
            vocab=list(vocabulary),
            token_out_type=tf.int32,
            unknown_token=unk_token,
            no_pretokenization=True,
            max_bytes_per_word=MAX_WORD_CHARS * _MAX_CHAR_BYTES,
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)  # traced once for all who call it
    def tokenize(self, texts: tf.Tensor) -> Tokens:
        """Token ids and offsets of a ``(batch,)`` string tensor. No special tokens are added.

        Bytes that are not UTF-8 are read as U+FFFD, which the normalization removes.
        """
        chars, opens_word = self._words(self._normalized(texts))
        words = tf.RaggedTensor.from_value_rowids(chars.points, tf.cumsum(opens_word) - 1, validate=False)
        lengths = tf.cast(words.row_lengths(), tf.int32)
        too_long = lengths > MAX_WORD_CHARS
        # U+E000 is removed by the normalization, hence in no vocabulary: it becomes the unknown token.
        spelled = tf.where(too_long, "\ue000", tf.strings.unicode_encode(words, "UTF-8"))
        ids, starts, ends = self._wordpiece.tokenize_with_offsets(spelled)

        # From bytes within a normalized word to characters of the batch, and from there to the original bytes.
        word = ids.value_rowids()
        char_bytes = _utf8_bytes(chars.points)
        char_at_byte = tf.repeat(tf.range(tf.size(char_bytes)), char_bytes)
        first_char = tf.cumsum(lengths, exclusive=True)
        last_char = first_char + lengths - 1
        first_byte = tf.gather(tf.cumsum(char_bytes, exclusive=True), tf.gather(first_char, word))
        unknown = tf.gather(too_long, word)
        starts = tf.where(unknown, 0, tf.cast(starts.values, tf.int32))
        ends = tf.where(unknown, 1, tf.cast(ends.values, tf.int32))
        start_char = tf.gather(char_at_byte, first_byte + starts)
        end_char = tf.gather(char_at_byte, first_byte + ends - 1)
        end_char = tf.where(unknown, tf.gather(last_char, word), end_char)

        rows = tf.gather(chars.rows, start_char)

        def by_text(values: tf.Tensor) -> tf.RaggedTensor:
            return tf.RaggedTensor.from_value_rowids(values, rows, nrows=tf.size(texts, tf.int64), validate=False)

        return Tokens(
            by_text(ids.values),
            by_text(tf.gather(chars.starts, start_char)),
            by_text(tf.gather(chars.ends, end_char)),
        )

    def _normalized(self, texts: tf.Tensor) -> _Chars:
        points, starts = tf.strings.unicode_decode_with_offsets(texts, "UTF-8")
        rows, points, starts = points.value_rowids(), points.values, tf.cast(starts.values, tf.int32)
        ends = starts + _utf8_bytes(points)
        entries = tf.minimum(points, unicode_tables.LIMIT)
        first = tf.gather(self._tables.splits, entries)
        counts = tf.gather(self._tables.splits, entries + 1) - first
        source = tf.repeat(tf.range(tf.size(points)), counts)
        within = tf.range(tf.size(source)) - tf.gather(tf.cumsum(counts, exclusive=True), source)
        entry = tf.gather(first, source) + within
        return _Chars(
            tf.gather(self._tables.chars, entry),
            tf.gather(self._tables.kinds, entry),
            tf.gather(rows, source),
            tf.gather(starts, source),
            tf.gather(ends, source),
        )

    def _words(self, chars: _Chars) -> tuple[_Chars, tf.Tensor]:
        """Drops the white space; beside the rest, 1 where a character opens a word and 0 inside one."""
        continues = tf.logical_and(
            tf.logical_and(chars.kinds[1:] == unicode_tables.WORD, chars.kinds[:-1] == unicode_tables.WORD),
            chars.rows[1:] == chars.rows[:-1],
        )
        opens = tf.cast(tf.logical_not(tf.concat([tf.zeros_like(chars.kinds[:1], tf.bool), continues], 0)), tf.int64)
        kept = tf.where(chars.kinds != unicode_tables.SPACE)[:, 0]
        return _Chars(*(tf.gather(field, kept) for field in chars)), tf.gather(opens, kept)


def _utf8_bytes(points: tf.Tensor) -> tf.Tensor:
    """How many bytes each code point takes in UTF-8."""
    return 1 + sum(tf.cast(points >= limit, tf.int32) for limit in (0x80, 0x800, 0x10000))
