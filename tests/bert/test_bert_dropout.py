import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasft_bert import dropout


def dropped(x, rate, seed, upstream=None):
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = dropout.dropout(x, rate, tf.constant(seed))
    return found, tape.gradient(found, x, upstream)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.99])
def test_it_drops_as_many_as_it_is_told(rate):
    """Within 4.5 standard errors; a byte alone would drop 0.1016 instead of 0.1, which is more than 5 of them."""
    x = tf.ones([300, 2000])
    zeros = [float(tf.reduce_mean(tf.cast(dropped(x, rate, [3, call])[0] == 0, tf.float64))) for call in range(50)]
    error = np.sqrt(rate * (1 - rate) / (50 * 300 * 2000) + (0.5 / 256) ** 2 / 50)
    assert abs(np.mean(zeros) - rate) < 4.5 * error


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("bfloat16", 1e-2)])
def test_what_is_left_is_larger_and_the_gradient_is_dropped_alike(dtype, tolerance):
    x = tf.cast(np.random.default_rng(0).normal(size=(7, 11, 13)) + 9, dtype)  # its size is no multiple of four
    upstream = tf.cast(np.random.default_rng(1).normal(size=x.shape), dtype)
    found, gradient = dropped(x, 0.25, [1, 2], upstream)
    assert found.dtype == gradient.dtype == dtype
    kept = tf.cast(found != 0, "float64").numpy()
    assert 0.7 < kept.mean() < 0.8
    for ours, of in ((found, x), (gradient, upstream)):
        of = tf.cast(of, "float64").numpy()
        np.testing.assert_allclose(tf.cast(ours, "float64").numpy(), kept * of / 0.75, rtol=tolerance, atol=0)


def test_calls_and_layers_draw_differently_and_equal_calls_alike():
    x = tf.ones([100, 100])
    first = dropped(x, 0.5, [1, 0])[0].numpy()
    np.testing.assert_array_equal(first, dropped(x, 0.5, [1, 0])[0])
    for seed in ([1, 1], [2, 0]):
        assert 0.45 < np.mean(first == dropped(x, 0.5, seed)[0]) < 0.55


def test_a_layer_with_it_drops_only_while_it_trains():
    x = tf.ones([4, 50])
    layer = keras.layers.Dropout(0.5, seed=1)
    dropout.put_into(layer)
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer(x, training=False), x)
    first, second = layer(x, training=True), layer(x, training=True)
    assert set(np.unique(first)) == {0.0, 2.0} and not np.array_equal(first, second)


def test_layers_share_a_graph():
    x = tf.ones([4, 50])
    dropped(x, 0.25, [1, 2])
    before = dropout.dropout.experimental_get_tracing_count()
    dropped(2 * x, 0.25, [3, 4])
    assert dropout.dropout.experimental_get_tracing_count() == before
