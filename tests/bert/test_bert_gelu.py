import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasft_bert.gelu import gelu


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("bfloat16", 2e-2)])
def test_it_and_its_gradient_are_those_of_keras(dtype, tolerance):
    x = tf.cast(np.concatenate([np.linspace(-12, 12, 4001), [0.0, -40.0, 40.0]]), dtype)
    upstream = tf.cast(np.linspace(-2, 2, 4004), dtype)
    found = []
    for function in (gelu, lambda x: keras.ops.gelu(x, approximate=False)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        slope = tape.gradient(y, x, upstream)
        assert y.dtype == slope.dtype == dtype
        found.append((tf.cast(y, "float64").numpy(), tf.cast(slope, "float64").numpy()))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def test_layers_share_a_graph():
    gelu(tf.ones([2, 3, 4]))
    before = gelu.experimental_get_tracing_count()
    gelu(tf.zeros([2, 3, 4]))
    assert gelu.experimental_get_tracing_count() == before
