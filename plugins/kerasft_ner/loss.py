"""Cross-entropy of the tokens that are looked at."""

from typing import Any

import keras

from kerasft_ner.labels import IGNORED


class TokenLoss(keras.losses.Loss):
    """Cross-entropy, averaged over all tokens of a batch that have a label, however they are spread over its texts."""

    def __init__(self) -> None:
        super().__init__(name="cross_entropy")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Of shape ``(batch,)``, whose mean is that of the tokens; labels ``(batch, tokens)``, -1 for none."""
        ops = keras.ops
        truth = ops.cast(y_true, "int32")
        looked_at = ops.cast(truth != IGNORED, y_pred.dtype)
        losses = keras.losses.sparse_categorical_crossentropy(ops.maximum(truth, 0), y_pred, from_logits=True)
        of_texts = ops.sum(losses * looked_at, axis=-1)
        share = ops.sum(looked_at) / ops.cast(ops.shape(truth)[0], y_pred.dtype)
        return of_texts / ops.maximum(share, keras.config.epsilon())
