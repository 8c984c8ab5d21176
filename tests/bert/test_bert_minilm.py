"""The real pretrained weights give the numbers they should: checked against BERT written again in numpy."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import numpy_bert
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from kerasft import pretrained

MARKET = "The stock market fell sharply on Monday after the central bank raised interest rates."
SHARES = "Shares dropped when the central bank increased rates."
# The first two are the example of the model card of sentence-transformers/all-MiniLM-L6-v2.
SENTENCES = ["This is an example sentence", "Each sentence is converted", MARKET, SHARES, ""]


@pytest.fixture(scope="module")
def real(minilm):
    """The backbone, one padded batch through it, and the same batch through the reference."""
    backbone = pretrained.locate(str(minilm)).create()
    inputs = {name: value.numpy() for name, value in backbone.preprocess(tf.constant(SENTENCES)).inputs.items()}
    arrays = load_file(minilm / "model.safetensors")
    config = json.loads((minilm / "config.json").read_text())

    def reference(**changes):
        return numpy_bert.hidden_states(arrays, config, inputs["token_ids"], inputs["padding_mask"], **changes)

    return SimpleNamespace(
        backbone=backbone,
        mask=inputs["padding_mask"],
        tokens=backbone.model(inputs, training=False)["tokens"].numpy(),
        expected=reference(),
        reference=reference,
    )


def test_hidden_states_equal_the_reference(real):
    here = real.mask > 0
    np.testing.assert_allclose(real.tokens[here], real.expected[here], atol=1e-4)


def test_so_close_that_the_approximate_gelu_would_be_seen(real):
    here = real.mask > 0
    approximate = real.reference(activation=numpy_bert.gelu_tanh)
    assert np.abs(real.tokens - real.expected)[here].max() < 0.1 * np.abs(approximate - real.expected)[here].max()


def test_embeddings_of_the_model_cards_example_sentences(real):
    ours, theirs = (numpy_bert.sentence_embeddings(hidden, real.mask) for hidden in (real.tokens, real.expected))
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-5)
    assert ours[0] @ ours[1] == pytest.approx(0.40456, abs=1e-4)
    # As other implementations of this model print them (Spark, R, sentence-transformers).
    np.testing.assert_allclose(ours[0][:6], [0.067657, 0.063496, 0.048713, 0.079305, 0.037448, 0.002653], atol=1e-5)
    assert ours[1][0] == pytest.approx(0.086439, abs=1e-5)


def test_what_means_the_same_is_near(real):
    embeddings = numpy_bert.sentence_embeddings(real.tokens, real.mask)
    similar = embeddings @ embeddings.T
    shares = SENTENCES.index(SHARES)
    assert similar[shares].argsort()[-2] == SENTENCES.index(MARKET)
    assert similar[shares, SENTENCES.index(MARKET)] > 0.5 > 0.2 > similar[shares, 0]


def test_it_is_a_sentence_encoder_whose_pooler_means_nothing(real):
    """``1_Pooling`` says that tokens are averaged: so does the bridge, and the user is told."""
    assert set(real.backbone.model.output) == {"tokens"}
    assert any("mean over the tokens" in note for note in real.backbone.notes)
    pooled = keras.layers.GlobalAveragePooling1D()(real.tokens, mask=real.mask)
    ours = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    np.testing.assert_allclose(ours, numpy_bert.sentence_embeddings(real.expected, real.mask), atol=1e-5)


def test_it_has_as_many_weights_as_its_preset_says(real):
    presets = {preset.name: preset for preset in pretrained.locate("bert/tiny").spec.presets}
    pooler = 384 * 384 + 384  # in the file, of no use here
    assert real.backbone.model.count_params() + pooler == presets["minilm-l6"].parameters


def test_texts_are_read_up_to_all_512_positions(minilm):
    words = "the quick brown fox " * 200
    backbone = pretrained.locate(str(minilm)).create({"length": 512}, weights=False)
    inputs = backbone.preprocess(tf.constant([words])).inputs
    assert inputs["token_ids"].shape == (1, 512)
    assert backbone.model(inputs)["tokens"].shape == (1, 512, 384)
