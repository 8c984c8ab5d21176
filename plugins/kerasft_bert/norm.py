"""Layer normalization (Ba et al. 2016) with a gradient of its own."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def put_into(layer: keras.layers.LayerNormalization) -> None:
    """Let Keras's layer use `layer_norm`."""

    def call(inputs: tf.Tensor) -> tf.Tensor:
        return layer_norm(inputs, tf.convert_to_tensor(layer.gamma), tf.convert_to_tensor(layer.beta), layer.epsilon)

    layer.call = call


@tf.function(autograph=False)  # layers share a graph, and with it the time that tracing takes
def layer_norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    """``(x - mean) / √(variance + ε) · γ + β`` over the last axis, computed in float32.

    Args:
        x: ``[…, width]``.
        gamma, beta: ``[width]``.
        epsilon: ε.
    """
    dtype, width = x.dtype, x.shape[-1]

    @tf.custom_gradient
    def normalized(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tuple[tf.Tensor, Callable[[Any], Any]]:
        centred = x - tf.reduce_mean(x, -1, keepdims=True)
        inverse = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), -1, keepdims=True) + epsilon)
        unit = centred * inverse

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            along = upstream * unit
            # Products with vectors, for they read a tensor once and write nothing of its size.
            first, second = (tf.linalg.matvec(tensor, gamma / width)[..., tf.newaxis] for tensor in (upstream, along))
            to_x = (upstream * gamma - first - unit * second) * inverse
            rows = tf.reshape(upstream, [-1, width]), tf.reshape(along, [-1, width])
            to_beta, to_gamma = (tf.linalg.matvec(row, tf.ones([tf.shape(row)[0]]), transpose_a=True) for row in rows)
            return to_x, to_gamma, to_beta

        return unit * gamma + beta, gradient

    wide = (tf.cast(tensor, tf.float32) for tensor in (x, gamma, beta))
    return tf.cast(normalized(*wide), dtype)
