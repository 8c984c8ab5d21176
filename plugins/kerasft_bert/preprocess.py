"""Raw strings to BERT's inputs: one piece of graph code for training, prediction and the exported model."""

import tensorflow as tf

from kerasft import Encoded
from kerasft_bert.tokenizer import WordPiece
from kerasft_bert.vocabulary import Vocabulary

# Training, validation, prediction and export map the same function: it is traced for the first of them only.
_traced_once = tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)


class BertPreprocess(tf.Module):
    """``[CLS] tokens … [SEP]``, padded to the longest text of the batch.

    Args:
        vocabulary: tokens, case handling and special tokens of the checkpoint.
        length: most tokens of a text, the two special ones included; longer texts are cut at the end.
    """

    def __init__(self, vocabulary: Vocabulary, length: int):
        super().__init__()
        self.length = length
        self._tokenizer = WordPiece(
            vocabulary.tokens,
            unk_token=vocabulary.unk_token,
            lower_case=vocabulary.lower_case,
            strip_accents=vocabulary.strip_accents,
            split_ideographs=vocabulary.split_ideographs,
        )
        self._cls = vocabulary.tokens.index(vocabulary.cls_token)
        self._sep = vocabulary.tokens.index(vocabulary.sep_token)
        self._pad = vocabulary.tokens.index(vocabulary.pad_token)

    @_traced_once
    def __call__(self, texts: tf.Tensor) -> Encoded:
        """`Encoded` for a ``(batch,)`` string tensor."""
        tokens = self._tokenizer.tokenize(texts)
        limit = self.length - 2
        return self._framed(*(ragged[:, :limit] for ragged in tokens))

    def _framed(self, ids: tf.RaggedTensor, starts: tf.RaggedTensor, ends: tf.RaggedTensor) -> Encoded:
        """Tokens between the two special ones, padded."""
        column = tf.ones((ids.nrows(), 1), tf.int32)
        ids = tf.concat([column * self._cls, ids, column * self._sep], axis=1)
        dense = _dense(ids, self._pad)
        mask = tf.sequence_mask(ids.row_lengths(), tf.shape(dense)[1], tf.int32)
        inputs = {"token_ids": dense, "segment_ids": tf.zeros_like(dense), "padding_mask": mask}
        return Encoded(inputs, {"starts": _aligned(starts, column), "ends": _aligned(ends, column)})

    @_traced_once
    def whole(self, texts: tf.Tensor) -> Encoded:
        """As a call, but a text of more tokens than `length` comes in several windows, which overlap by a quarter.

        The alignment also has ``rows``, the text of each window, and ``owned``: of the windows that hold a token, the
        one in which it is farther from an end has 1.
        """
        tokens = self._tokenizer.tokenize(texts)
        content = self.length - 2
        overlap = content // 4
        step = content - overlap
        lengths = tokens.ids.row_lengths()
        counts = 1 + tf.maximum(lengths - content + step - 1, 0) // step
        rows = tf.repeat(tf.range(tf.size(lengths, tf.int64)), counts)
        number = tf.range(tf.size(rows, tf.int64)) - tf.gather(tf.cumsum(counts, exclusive=True), rows)
        first = number * step
        length = tf.minimum(tf.gather(lengths, rows) - first, content)
        at = tf.ragged.range(length)
        begin = tf.gather(tokens.ids.row_starts(), rows) + first
        index = tf.expand_dims(begin, 1) + at
        ids, starts, ends = (tf.gather(ragged.values, index) for ragged in tokens)
        # A window decides on all of its tokens but half of each overlap.
        low = tf.minimum(number, 1) * (overlap // 2)
        ends_text = first + length == tf.gather(lengths, rows)
        high = tf.where(ends_text, length, tf.fill(tf.shape(length), tf.cast(step + overlap // 2, tf.int64)))
        owned = tf.cast((at >= tf.expand_dims(low, 1)) & (at < tf.expand_dims(high, 1)), tf.int32)
        encoded = self._framed(ids, starts, ends)
        column = tf.ones_like(rows, tf.int32)[:, tf.newaxis]
        alignment = {**encoded.alignment, "owned": _aligned(owned, column), "rows": tf.cast(rows, tf.int32)}
        return Encoded(encoded.inputs, alignment)

    @_traced_once
    def truncated(self, texts: tf.Tensor) -> tf.Tensor:
        """Which texts are cut: bool of shape ``(batch,)``."""
        return self._tokenizer.tokenize(texts).ids.row_lengths() + 2 > self.length


def _aligned(offsets: tf.RaggedTensor, column: tf.Tensor) -> tf.Tensor:
    """Offsets in the layout of the token ids; 0 where no original text stands behind a token."""
    none = tf.zeros_like(column)
    return _dense(tf.concat([none, offsets, none], axis=1), 0)


def _dense(ragged: tf.RaggedTensor, value: int) -> tf.Tensor:
    """Padded to the longest row, and to the two special tokens when there is no row at all: the model reads [CLS]."""
    dense = ragged.to_tensor(default_value=value)
    return tf.pad(dense, [[0, 0], [0, tf.maximum(2 - tf.shape(dense)[1], 0)]])
