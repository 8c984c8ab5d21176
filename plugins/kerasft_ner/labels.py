"""Labels of tokens: one scheme inside, IOB2. 0 is O; label k has B at 1 + 2k and I at 2 + 2k; -1 is not looked at.

Graph operations on tensors of shape ``(batch, tokens)``.
"""

from collections.abc import Mapping

import tensorflow as tf

IGNORED = -1


def width(labels: int) -> int:
    """How many there are for so many labels of entities."""
    return 1 + 2 * labels


def of_tokens(spans: tf.RaggedTensor, alignment: Mapping[str, tf.Tensor], *, all_tokens: bool) -> tf.Tensor:
    """int32: what each token should be.

    Args:
        spans: of each text, in order and apart from each other: start, end, label; ragged, ``(batch, spans, 3)``.
        alignment: from `words.of_tokens`.
        all_tokens: label every token of a word, with I behind its first one; otherwise its first one alone.
    """
    starts, ends = alignment["word_starts"], alignment["word_ends"]
    dense = spans.to_tensor(tf.int32.max)
    # The first span that ends behind the beginning of the word; one more, so that there always is one.
    dense = tf.pad(dense, [[0, 0], [0, 1], [0, 0]], constant_values=tf.int32.max)
    at = tf.searchsorted(dense[..., 1], starts, side="right")
    span = tf.gather(dense, at, batch_dims=1)
    inside = (span[..., 0] < ends) & (ends > starts)
    begins = (starts <= span[..., 0]) & (alignment["opens"] == 1)
    label = tf.where(inside, 2 + 2 * span[..., 2] - tf.cast(begins, tf.int32), 0)
    looked_at = ends > starts if all_tokens else alignment["opens"] == 1
    return tf.where(looked_at, label, IGNORED)
