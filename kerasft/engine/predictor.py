"""Answers for many raw inputs."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasft import modeling
from kerasft.errors import UsageError


class Predictor:
    """The task's answers of one model, whose graph is traced at the first call only.

    Args:
        model: from `modeling.build`.
    """

    def __init__(self, model: keras.Model):
        self._serve = tf.function(
            lambda raw: modeling.answers(model, raw),
            input_signature=[tf.TensorSpec([None], tf.string)],
            autograph=False,
        )

    def __call__(self, inputs: Sequence[Any], batch_size: int) -> dict[str, np.ndarray]:
        """Answers by name, one row per input in the order given.

        Texts are batched by length, so that little is padded.

        Raises:
            UsageError: `batch_size` is below 1.
        """
        if batch_size < 1:
            raise UsageError(f"batch_size must be 1 or more. Received: {batch_size}")
        order = list(range(len(inputs)))
        if isinstance(inputs[0], str):
            order.sort(key=lambda i: len(inputs[i]))
        batches: list[dict[str, np.ndarray]] = []
        for start in range(0, len(order), batch_size):
            raw = tf.constant([inputs[i] for i in order[start : start + batch_size]])
            batches.append({name: tensor.numpy() for name, tensor in self._serve(raw).items()})
        back = np.argsort(order)
        return {name: _concatenated([batch[name] for batch in batches])[back] for name in batches[0]}


def _concatenated(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """One behind the other; where they differ in their second dimension, padded to the longest."""
    if arrays[0].ndim > 1 and len({array.shape[1] for array in arrays}) > 1:
        longest = max(array.shape[1] for array in arrays)
        nothing: Any = b"" if arrays[0].dtype == object else 0
        rest = [(0, 0)] * (arrays[0].ndim - 2)
        arrays = [
            np.pad(array, [(0, 0), (0, longest - array.shape[1]), *rest], constant_values=nothing) for array in arrays
        ]
    return np.concatenate(arrays)
