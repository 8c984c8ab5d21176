"""Logits of tokens to spans of characters, in graph operations: prediction and the exported model run this."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from kerasft_ner import entities


def spans(logits: tf.Tensor, alignment: Mapping[str, tf.Tensor], labels: Sequence[str]) -> dict[str, tf.Tensor]:
    """The entities of each text.

    The score is the mean probability, over the words of an entity, of its label, whether as B or I.

    Args:
        logits: of shape ``(rows, tokens, 1 + 2 * labels)``.
        alignment: from `kerasft_ner.words`, with ``rows`` and ``owned`` if texts came in windows.
        labels: their names.
    """
    count = tf.shape(logits)[0]
    rows = alignment.get("rows", tf.range(count))
    texts = tf.reduce_max(rows) + 1 if "rows" in alignment else count
    asked = (alignment["opens"] == 1) & (alignment.get("owned", alignment["opens"]) == 1)

    def of_words(values: tf.Tensor) -> tf.Tensor:
        return tf.boolean_mask(values, asked)

    row = of_words(tf.repeat(rows[:, tf.newaxis], tf.shape(asked)[1], axis=1))
    probabilities = tf.nn.softmax(of_words(logits))
    best = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
    found = entities.find(best, row)
    kind = tf.maximum(best - 1, 0) // 2
    pairs = tf.reshape(probabilities[:, 1:], [-1, len(labels), 2])
    score = tf.gather(tf.reduce_sum(pairs, axis=-1), kind, batch_dims=1)

    inside = best > 0
    amount = tf.reduce_sum(tf.cast(found.begins, tf.int32))
    scores = tf.math.unsorted_segment_mean(
        tf.boolean_mask(score, inside), tf.boolean_mask(found.number, inside), amount
    )
    first = tf.where(found.begins)[:, 0]
    last = tf.gather(found.last, first)
    owner = tf.gather(row, first)

    def by_text(values: tf.Tensor, nothing: object) -> tf.Tensor:
        ragged = tf.RaggedTensor.from_value_rowids(values, owner, nrows=tf.cast(texts, owner.dtype), validate=False)
        return ragged.to_tensor(nothing)

    return {
        "start": by_text(tf.gather(of_words(alignment["word_starts"]), first), 0),
        "end": by_text(tf.gather(of_words(alignment["word_ends"]), last), 0),
        "label": by_text(tf.gather(tf.constant(list(labels)), tf.gather(kind, first)), ""),
        "score": by_text(scores, 0.0),
        "count": tf.math.bincount(owner, minlength=texts, maxlength=texts),
    }
