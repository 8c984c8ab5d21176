import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasft_bert import attention

HEADS, SIZE = 4, 8
# Of one part; of several, where the last one is smaller; of one example a part; of none.
SIZES = [(3, 5), (12, 128), (2, 400), (0, 5)]


def draw(*shape, seed=0):
    return tf.cast(np.random.default_rng(seed).normal(size=shape), "float32")


def made(examples, tokens):
    """Queries, keys, values, an upstream gradient, and a mask of texts of many lengths."""
    tensors = [draw(examples, tokens, HEADS, SIZE, seed=seed) for seed in range(4)]
    lengths = np.random.default_rng(4).integers(1, tokens + 1, examples)
    return *tensors, tf.sequence_mask(lengths, tokens)


def with_gradients(function, query, key, value, upstream):
    with tf.GradientTape() as tape:
        tape.watch([query, key, value])
        found = function(query, key, value)
    return [tf.cast(x, "float64").numpy() for x in (found, *tape.gradient(found, [query, key, value], upstream))]


def written_out(query, key, value, mask, kept=None, rate=0.0):
    """The formula of the paper, with all weights at once."""
    scores = tf.einsum("bqhd,bkhd->bhqk", query, key) / np.sqrt(SIZE)
    weights = tf.nn.softmax(tf.where(mask[:, None, None], scores, -np.inf))
    if kept is not None:
        weights = tf.where(kept, weights, 0.0) / (1 - rate)
    return tf.einsum("bhqk,bkhd->bqhd", weights, value)


@pytest.mark.parametrize(("examples", "tokens"), SIZES)
def test_it_and_its_gradients_are_those_of_the_formula(examples, tokens):
    query, key, value, upstream, mask = made(examples, tokens)
    ours = with_gradients(lambda *x: attention.attend(*x, mask), query, key, value, upstream)
    formula = with_gradients(lambda *x: written_out(*x, mask), query, key, value, upstream)
    for one, other in zip(ours, formula, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 3e-2)])
def test_a_layer_with_it_answers_as_without(training, policy, tolerance):
    """What `keras.layers.MultiHeadAttention` computes, from the inputs of the layer to the gradients of its weights."""
    x, mask = draw(3, 6, 16), tf.sequence_mask([6, 1, 4], 6)[:, None]
    found = []
    for patched in (True, False):
        keras.utils.set_random_seed(0)
        layer = keras.layers.MultiHeadAttention(2, 8, dropout=0.0, dtype=policy)
        layer.build(x.shape, x.shape)
        if patched:
            attention.put_into(layer)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, x, attention_mask=tf.cast(mask, "int32"), training=training)
        values = [weight.value for weight in layer.trainable_variables]
        gradients = tape.gradient(y, [x, *values], tf.ones_like(y) * tf.cast(np.arange(16) / 16, y.dtype))
        found.append([tf.cast(t, "float64").numpy() for t in (y, *gradients)])
    largest = max(np.abs(theirs).max() for theirs in found[1])  # the gradient of the keys' bias is 0 but for rounding
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * largest)


@pytest.mark.parametrize("mask", [None, "causal"])
def test_what_it_cannot_do_is_left_to_keras(mask):
    x = draw(2, 6, 16)
    mask = None if mask is None else tf.linalg.band_part(tf.ones([2, 6, 6]), -1, 0) > 0
    layer = keras.layers.MultiHeadAttention(2, 8, dropout=0.1)
    expected = layer(x, x, attention_mask=mask, return_attention_scores=True)
    attention.put_into(layer)
    np.testing.assert_array_equal(layer(x, x, attention_mask=mask), expected[0])
    for ours, theirs in zip(layer(x, x, attention_mask=mask, return_attention_scores=True), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def kept_by(seed, examples, tokens, rate):
    """Which weights dropout keeps: values that are a unit matrix for every head show the weights themselves."""
    query, key = draw(examples, tokens, HEADS, tokens), draw(examples, tokens, HEADS, tokens, seed=1)
    unit = tf.tile(tf.eye(tokens)[None, :, None], [examples, 1, HEADS, 1])
    weights = attention.attend(query, key, unit, tf.ones([examples, tokens], tf.bool), rate, tf.constant(seed))
    return tf.transpose(weights, [0, 2, 1, 3]) > 0


@pytest.mark.parametrize("examples", [2, 500])  # of one part, and of several
def test_dropout_and_its_gradients_are_those_of_the_formula_with_the_same_draws(examples):
    tokens, rate, seed = SIZE * 3, 0.3, [7, 5]
    kept = kept_by(seed, examples, tokens, rate)
    assert 0.5 < np.mean(kept) < 0.9
    query, key, value, upstream, _ = made(examples, tokens)
    mask = tf.ones([examples, tokens], tf.bool)
    seen = tf.constant(seed)
    ours = with_gradients(lambda *x: attention.attend(*x, mask, rate, seen), query, key, value, upstream)
    formula = with_gradients(lambda *x: written_out(*x, mask, kept, rate), query, key, value, upstream)
    for one, other in zip(ours, formula, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-5)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.99])
def test_dropout_drops_as_many_as_it_is_told(rate):
    """Within 4.5 standard errors; a byte alone would drop 0.1016 instead of 0.1, which is more than 5 of them."""
    draws = np.concatenate([np.ravel(kept_by([3, call], 24, 64, rate)) for call in range(50)])
    # Whether a byte's threshold is rounded up is drawn once a call: 1/256 at most, half of it in the root mean square.
    error = np.sqrt(rate * (1 - rate) / len(draws) + (0.5 / 256) ** 2 / 50)
    assert abs(np.mean(~draws) - rate) < 4.5 * error


def test_dropout_differs_between_parts_calls_and_layers_and_not_between_equal_calls():
    first = kept_by([1, 0], 500, 24, 0.5).numpy()
    np.testing.assert_array_equal(first, kept_by([1, 0], 500, 24, 0.5))
    together = attention._AT_ONCE // (HEADS * 24 * 24)
    assert 2 * together < 500
    others = [first[together : 2 * together], *(kept_by(seed, 500, 24, 0.5)[:together] for seed in ([1, 1], [2, 0]))]
    for other in others:
        assert 0.45 < np.mean(first[:together] == other) < 0.55
    assert 0.45 < np.mean(others[0] == others[1]) < 0.55  # the second part, and the first one of the next call


def test_layers_share_a_graph():
    query, key, value, _, mask = made(2, 5)
    attention.attend(query, key, value, mask, 0.25, tf.constant([1, 2]))
    before = attention.attend.experimental_get_tracing_count()
    attention.attend(key, value, query, mask, 0.25, tf.constant([3, 4]))
    assert attention.attend.experimental_get_tracing_count() == before
