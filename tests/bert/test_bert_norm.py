import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasft_bert import norm

WIDTH = 24


def with_gradients(layer, x, upstream):
    values = [weight.value for weight in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch([x, *values])
        found = layer(x)
    return [found, *tape.gradient(found, [x, *values], upstream)]


@pytest.mark.parametrize("shape", [(5, WIDTH), (3, 7, WIDTH), (0, 7, WIDTH)])
@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 3e-2)])
def test_a_layer_with_it_and_its_gradients_are_those_of_keras(shape, policy, tolerance):
    draw = np.random.default_rng(0).normal
    layer = keras.layers.LayerNormalization(epsilon=1e-12, dtype=policy)
    layer.build(shape)
    layer.gamma.assign(draw(size=WIDTH) + 1)
    layer.beta.assign(draw(size=WIDTH))
    x = tf.cast(draw(size=shape) * np.linspace(0.1, 3, WIDTH) + 2, layer.compute_dtype)
    upstream = tf.cast(draw(size=shape), layer.compute_dtype)
    theirs = with_gradients(layer, x, upstream)
    norm.put_into(layer)
    for ours, keras_own in zip(with_gradients(layer, x, upstream), theirs, strict=True):
        assert ours.dtype == keras_own.dtype
        one, other = (tf.cast(tensor, "float64").numpy() for tensor in (ours, keras_own))
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * max(1, np.abs(other).max(initial=0)))


def test_layers_share_a_graph():
    x, gamma, beta = tf.ones([2, WIDTH]), tf.ones([WIDTH]), tf.zeros([WIDTH])
    norm.layer_norm(x, gamma, beta, 1e-5)
    before = norm.layer_norm.experimental_get_tracing_count()
    norm.layer_norm(2 * x, beta, gamma, 1e-5)
    assert norm.layer_norm.experimental_get_tracing_count() == before
