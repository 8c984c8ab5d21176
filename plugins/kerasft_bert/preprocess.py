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
        ids, starts, ends = self._tokenizer.tokenize(texts)
        return self._framed(ids, starts=starts, ends=ends)

    def _framed(self, ids: tf.RaggedTensor, **alignment: tf.RaggedTensor) -> Encoded:
        """Tokens between the two special ones, cut and padded; the alignment of special tokens and padding is 0."""
        content = self.length - 2
        lengths = tf.minimum(ids.row_lengths(), content)[:, tf.newaxis]
        longest = tf.maximum(tf.reduce_max(lengths), 0)  # of no texts: the model reads [CLS] and [SEP]

        def dense(ragged: tf.RaggedTensor, fill: int = 0) -> tf.Tensor:
            cut = ragged.to_tensor(fill, shape=[None, content])[:, :longest]
            return tf.pad(cut, [[0, 0], [1, 1]], constant_values=fill)

        position = tf.range(longest + 2)
        ids = tf.where(position == lengths + 1, self._sep, dense(ids, self._pad))
        ids = tf.where(position == 0, self._cls, ids)
        mask = tf.cast(position < lengths + 2, tf.int32)
        inputs = {"token_ids": ids, "segment_ids": tf.zeros_like(ids), "padding_mask": mask}
        return Encoded(inputs, {name: dense(ragged) for name, ragged in alignment.items()})

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
        encoded = self._framed(ids, starts=starts, ends=ends, owned=owned)
        return Encoded(encoded.inputs, {**encoded.alignment, "rows": tf.cast(rows, tf.int32)})

    @_traced_once
    def truncated(self, texts: tf.Tensor) -> tf.Tensor:
        """Which texts are cut: bool of shape ``(batch,)``."""
        return self._tokenizer.tokenize(texts).ids.row_lengths() + 2 > self.length
