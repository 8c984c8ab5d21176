"""Attention rollout (Abnar and Zuidema 2020): which patches the class token is made of."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf


def rollout(embed: keras.Model, blocks: Any, grid: tuple[int, int]) -> Callable[[Mapping[str, tf.Tensor]], tf.Tensor]:
    """A function from the model's inputs to the share of each patch, of shape ``(batch, height, width)``.

    Attention of all heads is averaged; half of each block's output is its input (equation 1 of the paper).

    Args:
        embed: from images to tokens.
        blocks: KerasHub's encoder blocks.
        grid: height and width in patches.
    """

    def heat(inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        tokens = embed(dict(inputs), training=False)
        shares = tf.eye(grid[0] * grid[1] + 1, batch_shape=[tf.shape(tokens)[0]])
        for block in blocks:
            normal = block.layer_norm_1(tokens)
            _, scores = block.mha(normal, normal, return_attention_scores=True, training=False)
            attention = tf.reduce_mean(tf.cast(scores, tf.float32), axis=1)
            shares = tf.matmul(0.5 * attention + 0.5 * tf.eye(tf.shape(attention)[-1]), shares)
            tokens = block(tokens, training=False)
        return tf.reshape(shares[:, 0, 1:], (-1, *grid))

    return heat
