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
        ids, starts, ends = (ragged[:, :limit] for ragged in tokens)
        column = tf.ones_like(texts, tf.int32)[:, tf.newaxis]
        ids = tf.concat([column * self._cls, ids, column * self._sep], axis=1)
        dense = _dense(ids, self._pad)
        mask = tf.sequence_mask(ids.row_lengths(), tf.shape(dense)[1], tf.int32)
        inputs = {"token_ids": dense, "segment_ids": tf.zeros_like(dense), "padding_mask": mask}
        return Encoded(inputs, {"starts": _aligned(starts, column), "ends": _aligned(ends, column)})

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
