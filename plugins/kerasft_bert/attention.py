"""Scaled dot-product attention (Vaswani et al. 2017) with dropout, for CPUs: a few examples at a time."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kerasft import keras_private

# Weights in hand at once. All of a batch, one matrix for each head of each example, would leave the CPU's caches at
# every operation, and take most of the memory that a batch of long texts takes.
_AT_ONCE = 500_000
_MASKED = -1e9  # added to a score; exp() of it is 0


def put_into(layer: keras.layers.MultiHeadAttention) -> None:
    """Let Keras's layer use `attend` between its projections, where all queries of an example share a mask.

    Not where there are other devices than CPUs: caches are why this is fast, and nothing of it was measured there.
    """
    if all(device.device_type == "CPU" for device in tf.config.list_physical_devices()):
        keras_private.attend_by(layer, attend)


@tf.function(autograph=False)  # layers share a graph, and with it the time that tracing takes
def attend(
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    mask: tf.Tensor,
    rate: float = 0.0,
    seed: tf.Tensor | None = None,
) -> tf.Tensor:
    """The mean of the values for each query, weighted by ``softmax(query · key / √size)``.

    Backward, weights are computed again instead of kept: memory grows with the length of texts and not with its
    square (Rabe and Staats 2021, Dao et al. 2022).

    Args:
        query: ``[examples, queries, heads, size]``.
        key: ``[examples, tokens, heads, size]``.
        value: as `key`.
        mask: ``[examples, tokens]``: what may be attended to. At least one token of each example.
        rate: of weights that are dropped, a fraction of 1; 255/256 at most.
        seed: two integers, of the draws of dropout; None drops nothing.

    Returns:
        As `query`.
    """
    size = query.shape[-1]
    query = tf.transpose(query, [0, 2, 1, 3]) * size**-0.5
    key = tf.transpose(key, [0, 2, 1, 3])
    value = tf.transpose(value, [0, 2, 1, 3])
    # The mask is one more column of the product of queries and keys, so that it costs no pass over the weights.
    bias = tf.cast(tf.where(tf.cast(mask, tf.bool), 0.0, _MASKED), key.dtype)[:, None, :, None]
    query = tf.concat([query, tf.ones_like(query[..., :1])], -1)
    key = tf.concat([key, tf.broadcast_to(bias, tf.shape(key[..., :1]))], -1)
    if seed is not None:
        value *= 1 / (1 - rate)

    def weights(part: slice, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """All of them, and what dropout leaves of them: ``[examples of the part, heads, queries, tokens]``."""
        every = tf.nn.softmax(tf.matmul(query[part], key[part], transpose_b=True))
        if seed is None:
            return every, every
        return every, tf.where(_kept(tf.shape(every), rate, seed, number), every, tf.zeros([], every.dtype))

    @tf.custom_gradient
    def attended(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) -> Any:
        def forward(part: slice, number: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return (tf.matmul(weights(part, number)[1], value[part]),)

        (found,) = _by_parts(forward, query, key, sizes=[size])

        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            def backward(part: slice, number: tf.Tensor) -> tuple[tf.Tensor, ...]:
                every, left = weights(part, number)
                up = upstream[part]
                # The sum over tokens in the gradient of softmax is this one over the size of a head.
                total = tf.reduce_sum(up * found[part], -1, keepdims=True)
                scores = left * tf.matmul(up, value[part], transpose_b=True) - every * total
                # Where a product needs the large matrix transposed, the small one is instead: twice as fast.
                to_key = tf.matmul(query[part], scores, transpose_a=True)
                to_value = tf.matmul(up, left, transpose_a=True)
                return tf.matmul(scores, key[part]), *map(tf.linalg.matrix_transpose, (to_key, to_value))

            return _by_parts(backward, query, key, sizes=[size + 1, size + 1, size])

        return found, gradient

    return tf.transpose(attended(query, key, value), [0, 2, 1, 3])


def _by_parts(
    compute: Callable[[slice, tf.Tensor], tuple[tf.Tensor, ...]], query: tf.Tensor, key: tf.Tensor, sizes: list[int]
) -> list[tf.Tensor]:
    """Results of all parts of the examples, one after another; two parts are computed at a time.

    Args:
        compute: called with a part of the examples and its number.
        query: ``[examples, heads, queries, …]``.
        key: ``[examples, heads, tokens, …]``.
        sizes: of the last axis of each result.
    """
    examples, heads = tf.shape(query)[0], query.shape[1]
    each = heads * tf.shape(query)[2] * tf.shape(key)[2]
    together = tf.clip_by_value(_AT_ONCE // tf.maximum(each, 1), 1, tf.maximum(examples, 1))
    count = tf.maximum((examples + together - 1) // together, 1)  # one without examples, if there are none
    shapes = [[None, heads, None, size] for size in sizes]
    arrays = [tf.TensorArray(query.dtype, count, infer_shape=False, element_shape=shape) for shape in shapes]

    def body(number: tf.Tensor, *arrays: tf.TensorArray) -> tuple[Any, ...]:
        found = compute(slice(number * together, (number + 1) * together), number)
        return number + 1, *(array.write(number, part) for array, part in zip(arrays, found, strict=True))

    _, *arrays = tf.while_loop(lambda number, *_: number < count, body, (0, *arrays), parallel_iterations=2)
    return [array.concat() for array in arrays]


def _kept(shape: tf.Tensor, rate: float, seed: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """Draws of dropout for a part, a byte each: true where a weight is kept."""
    # Keras counts the second integer up from call to call: parts must not meet the next ones.
    seed = tf.cast(seed, tf.int64) + tf.cast(number, tf.int64) * tf.constant([0, 2**32], tf.int64)
    # Rounded up or down at random, so that the rate is exact in the mean.
    least = tf.cast(tf.minimum(rate * 256 + tf.random.stateless_uniform([], seed), 255), tf.uint8)
    count = tf.reduce_prod(shape)
    fours = tf.random.stateless_uniform([(count + 3) // 4], seed + 1, minval=None, maxval=None, dtype=tf.int32)
    return tf.reshape(tf.reshape(tf.bitcast(fours, tf.uint8), [-1])[:count], shape) >= least
