"""Cross-entropy of the tokens that are looked at."""

from typing import Any

import keras

from kerasft_ner.labels import IGNORED


class TokenLoss(keras.losses.Loss):
    """Cross-entropy, added up over the tokens of a text that have a label, and divided by the same for all texts.

    So every token counts as much as any other, in whichever batch it stands. In a mean over the tokens of a batch those
    of a batch of short texts would count more, and batches of similar length have few of them or many.

    Args:
        words: in the mean text: what the sum is divided by.
    """

    def __init__(self, words: float):
        super().__init__(name="cross_entropy")
        self.words = words

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Of shape ``(batch,)``; labels ``(batch, tokens)``, -1 for none; logits ``(batch, tokens, labels)``."""
        ops = keras.ops
        truth = ops.cast(y_true, "int32")
        looked_at = ops.cast(truth != IGNORED, y_pred.dtype)
        losses = keras.losses.sparse_categorical_crossentropy(ops.maximum(truth, 0), y_pred, from_logits=True)
        return ops.sum(losses * looked_at, axis=-1) / self.words
