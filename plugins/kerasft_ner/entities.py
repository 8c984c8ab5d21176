"""Labels of words, one after the other, to entities: graph operations that metric and decoding share."""

from typing import NamedTuple

import tensorflow as tf


class Entities(NamedTuple):
    """Of each word, int32: whether an entity begins there, the number of its entity, and that one's last word.

    The last two are of no meaning for words outside of entities.
    """

    begins: tf.Tensor
    number: tf.Tensor
    last: tf.Tensor


def find(labels: tf.Tensor, rows: tf.Tensor) -> Entities:
    """Entities of words of shape ``(words,)``.

    An I that does not go on with its label begins an entity, as in the evaluation of CoNLL-2003.

    Args:
        labels: IOB2, as in `kerasft_ner.labels`.
        rows: the text of each word, ascending.
    """
    same_row = tf.concat([[False], rows[1:] == rows[:-1]], axis=0)
    before = tf.where(same_row, tf.concat([[0], labels[:-1]], axis=0), 0)
    goes_on = (before > 0) & ((before - 1) // 2 == (labels - 1) // 2) & (labels % 2 == 0)
    begins = (labels > 0) & ~goes_on
    number = tf.cumsum(tf.cast(begins, tf.int32)) - 1
    places = tf.range(tf.size(labels))
    inside = tf.where(labels > 0, places, -1)
    last = tf.math.unsorted_segment_max(inside, tf.maximum(number, 0), tf.size(labels))
    return Entities(begins, number, tf.gather(last, tf.maximum(number, 0)))
