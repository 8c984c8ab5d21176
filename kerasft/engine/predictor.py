"""Answers for many raw inputs."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasft import modeling


def predict_batches(model: keras.Model, inputs: Sequence[Any], batch_size: int) -> dict[str, np.ndarray]:
    """The task's answers by name, one row per input in the order given.

    Inputs are batched by their length in bytes, so that little is padded.
    """
    serve = tf.function(
        lambda raw: modeling.answers(model, raw),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    order = sorted(range(len(inputs)), key=lambda i: len(inputs[i]))
    batches: list[dict[str, np.ndarray]] = []
    for start in range(0, len(order), batch_size):
        raw = tf.constant([inputs[i] for i in order[start : start + batch_size]])
        batches.append({name: tensor.numpy() for name, tensor in serve(raw).items()})
    back = np.argsort(order)
    return {name: np.concatenate([batch[name] for batch in batches])[back] for name in batches[0]}
