"""Dropout (Srivastava et al. 2014) whose draws are a byte each."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def put_into(layer: keras.layers.Dropout) -> None:
    """Let Keras's layer use `dropout`."""

    def call(inputs: tf.Tensor, training: bool | None = False) -> tf.Tensor:
        return dropout(inputs, layer.rate, layer.seed_generator.next()) if training and layer.rate else inputs

    layer.call = call


@tf.function(autograph=False)  # layers share a graph, and with it the time that tracing takes
def dropout(x: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """`x` with a share of `rate` replaced by 0, and the rest larger for it: the mean stays.

    Keras draws a float for each number; with bytes it takes about half the time (`benchmarks/layers.py`).

    Args:
        x: of any shape.
        rate: a fraction of 1; 255/256 at most.
        seed: two integers.
    """

    @tf.custom_gradient
    def dropped(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[Any], tf.Tensor]]:
        which = kept(tf.shape(x), rate, seed)

        def of(values: tf.Tensor) -> tf.Tensor:
            return tf.where(which, values * (1 / (1 - rate)), tf.zeros([], x.dtype))

        return of(x), of

    return dropped(x)


def kept(shape: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Draws, bool: true where a number is kept.

    Args:
        shape: of the draws.
        rate: share of the others in the mean; 255/256 at most.
        seed: two integers; for other draws others, and not both of them one more.
    """
    # A byte's limit is rounded up or down at random, so that the rate is exact in the mean.
    least = tf.cast(tf.minimum(rate * 256 + tf.random.stateless_uniform([], seed), 255), tf.uint8)
    count = tf.reduce_prod(shape)
    fours = tf.random.stateless_uniform([(count + 3) // 4], seed + 1, minval=None, maxval=None, dtype=tf.int32)
    return tf.reshape(tf.reshape(tf.bitcast(fours, tf.uint8), [-1])[:count], shape) >= least
