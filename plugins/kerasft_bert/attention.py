"""Scaled dot-product attention (Vaswani et al. 2017) with dropout, for CPUs: a few examples at a time."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from kerasft import keras_private
from kerasft_bert.dropout import kept

# Weights in hand at once. All of a batch, one matrix for each head of each example, would leave the CPU's caches at
# every operation, and take most of the memory that a batch of long texts takes.
_AT_ONCE = 500_000
_MASKED = -1e9  # added to a score; exp() of it is 0


def put_into(layer: keras.layers.MultiHeadAttention) -> None:
    """Let Keras's layer use `attend` between its projections, where all queries of an example share a mask."""
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

    Backward, weights are computed again instead of kept (Rabe and Staats 2021, Dao et al. 2022). Of dropout a byte for
    each of them is kept: to draw it again takes longer.

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
    with_one = tf.concat([query, tf.ones_like(query[..., :1])], -1)
    with_bias = tf.concat([key, tf.broadcast_to(bias, tf.shape(key[..., :1]))], -1)
    if seed is not None:
        value *= 1 / (1 - rate)

    def weights(part: slice) -> tf.Tensor:
        """``[examples of the part, heads, queries, tokens]``."""
        return tf.nn.softmax(tf.matmul(with_one[part], with_bias[part], transpose_b=True))

    @tf.custom_gradient
    def attended(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) -> Any:
        def forward(part: slice, number: tf.Tensor) -> tuple[tf.Tensor, ...]:
            every = weights(part)
            if seed is None:
                return (tf.matmul(every, value[part]),)
            # Keras counts the second integer up from call to call: parts must not meet the next ones.
            own = tf.cast(seed, tf.int64) + tf.cast(number, tf.int64) * tf.constant([0, 2**32], tf.int64)
            which = kept(tf.shape(every), rate, own)
            return tf.matmul(tf.where(which, every, tf.zeros([], every.dtype)), value[part]), which

        draws = [] if seed is None else [_Result(None, tf.bool)]
        found, *draws = _by_parts(forward, query, key, [_Result(size, query.dtype), *draws])

        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            def backward(part: slice, number: tf.Tensor) -> tuple[tf.Tensor, ...]:
                every = weights(part)
                left = tf.where(draws[0][part], every, tf.zeros([], every.dtype)) if draws else every
                up = upstream[part]
                # The sum over tokens in the gradient of softmax is this one over the size of a head.
                total = tf.reduce_sum(up * found[part], -1, keepdims=True)
                scores = left * tf.matmul(up, value[part], transpose_b=True) - every * total
                # Where a product needs the large matrix transposed, the small one is instead: twice as fast.
                to_key = tf.matmul(query[part], scores, transpose_a=True)
                to_value = tf.matmul(up, left, transpose_a=True)
                return tf.matmul(scores, key[part]), *map(tf.linalg.matrix_transpose, (to_key, to_value))

            return _by_parts(backward, query, key, [_Result(size, query.dtype)] * 3)

        return found, gradient

    return tf.transpose(attended(query, key, value), [0, 2, 1, 3])


class _Result(NamedTuple):
    """``[examples, heads, …, size]``, of this type."""

    size: int | None
    dtype: tf.DType


def _by_parts(
    compute: Callable[[slice, tf.Tensor], tuple[tf.Tensor, ...]],
    query: tf.Tensor,
    key: tf.Tensor,
    results: Sequence[_Result],
) -> list[tf.Tensor]:
    """Results of all parts of the examples, one after another; two parts are computed at a time.

    Args:
        compute: called with a part of the examples and its number.
        query: ``[examples, heads, queries, …]``.
        key: ``[examples, heads, tokens, …]``.
        results: what it gives.
    """
    examples, heads = tf.shape(query)[0], query.shape[1]
    each = heads * tf.shape(query)[2] * tf.shape(key)[2]
    together = tf.clip_by_value(_AT_ONCE // tf.maximum(each, 1), 1, tf.maximum(examples, 1))
    count = tf.maximum((examples + together - 1) // together, 1)  # one without examples, if there are none
    arrays = [
        tf.TensorArray(result.dtype, count, infer_shape=False, element_shape=[None, heads, None, result.size])
        for result in results
    ]

    def body(number: tf.Tensor, *arrays: tf.TensorArray) -> tuple[Any, ...]:
        found = compute(slice(number * together, (number + 1) * together), number)
        return number + 1, *(array.write(number, part) for array, part in zip(arrays, found, strict=True))

    _, *arrays = tf.while_loop(lambda number, *_: number < count, body, (0, *arrays), parallel_iterations=2)
    return [array.concat() for array in arrays]
