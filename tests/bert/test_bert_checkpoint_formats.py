"""Every way a BERT comes from Hugging Face gives the features that BERT written again in numpy gives."""

import json

import ml_dtypes
import numpy as np
import numpy_bert
import pytest
import tensorflow as tf
import tiny_checkpoints as tiny
from tiny_checkpoints import CONFIG

from kerasft import pretrained

# "Good film, not bad", "a", "" and "bad films good films a", as `test_texts_become_these_inputs` checks.
IDS = np.array([[2, 6, 8, 5, 11, 7, 3, 0, 0], [2, 9, 3] + [0] * 6, [2, 3] + [0] * 7, [2, 7, 8, 10, 6, 8, 10, 9, 3]])
MASK = (IDS > 0).astype(np.int32)


def features(directory, **options):
    """What a backbone makes of `IDS`, loaded as a user loads a directory."""
    backbone = pretrained.locate(str(directory)).create(options)
    inputs = {"token_ids": IDS, "segment_ids": np.zeros_like(IDS), "padding_mask": MASK}
    return {name: value.numpy() for name, value in backbone.model(inputs, training=False).items()}


def assert_equal_to_reference(directory, arrays, config=CONFIG, activation=numpy_bert.gelu):
    outputs = features(directory)
    expected = numpy_bert.hidden_states(arrays, config, IDS, MASK, activation)
    np.testing.assert_allclose(outputs["tokens"][MASK > 0], expected[MASK > 0], atol=2e-5, rtol=2e-5)
    assert ("pooled" in outputs) == ("pooler.dense.weight" in arrays)
    if "pooled" in outputs:
        np.testing.assert_allclose(outputs["pooled"], numpy_bert.pooled(arrays, expected), atol=2e-5)


def test_texts_become_these_inputs(tmp_path):
    texts = tf.constant(["Good film, not bad", "a", "", "bad films good films a"])
    inputs = pretrained.locate(str(tiny.write(tmp_path))).create().preprocess(texts).inputs
    assert inputs["token_ids"].numpy().tolist() == IDS.tolist()
    assert inputs["padding_mask"].numpy().tolist() == MASK.tolist()


@pytest.mark.parametrize("prefix", ["", "bert.", "model.", "model.bert."])
def test_weights_of_a_bare_encoder_or_of_a_model_with_a_head(tmp_path, prefix):
    arrays = tiny.weights()
    stored = {prefix + name: array for name, array in arrays.items()}
    stored["classifier.weight"] = stored["cls.predictions.bias"] = np.ones((2, 2), np.float32)  # not ours to read
    assert_equal_to_reference(tiny.write(tmp_path, stored), arrays)


def test_norms_called_gamma_and_beta_as_tensorflow_did(tmp_path):
    arrays = tiny.weights()
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    stored = {}
    for name, array in arrays.items():
        for new, before in old.items():
            name = name.replace(new, before)
        stored[f"bert.{name}"] = array
    assert sum("gamma" in name for name in stored) == 5
    assert_equal_to_reference(tiny.write(tmp_path, stored), arrays)


@pytest.mark.parametrize("shards", [2, 3])
def test_weights_spread_over_several_files(tmp_path, shards):
    arrays = tiny.weights()
    assert_equal_to_reference(tiny.write(tmp_path, arrays, shards=shards), arrays)


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_weights_of_any_floating_type(tmp_path, kind):
    rounded = {name: array.astype(kind) for name, array in tiny.weights().items()}
    assert_equal_to_reference(tiny.write(tmp_path, rounded), {n: a.astype(np.float32) for n, a in rounded.items()})


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("gelu", numpy_bert.gelu),
        ("gelu_new", numpy_bert.gelu_tanh),
        ("gelu_approximate", numpy_bert.gelu_tanh),
        ("relu", lambda x: np.maximum(x, 0.0)),
        (None, numpy_bert.gelu),  # what a config.json that does not say means
    ],
)
def test_activations(tmp_path, name, function):
    arrays = tiny.weights()
    assert_equal_to_reference(tiny.write(tmp_path, arrays, hidden_act=name), arrays, activation=function)


def test_the_epsilon_of_the_norms_is_that_of_the_checkpoint(tmp_path):
    arrays = tiny.weights()
    tiny.write(tmp_path, arrays, layer_norm_eps=0.1)
    assert_equal_to_reference(tmp_path, arrays, {**CONFIG, "layer_norm_eps": 0.1})


@pytest.mark.parametrize("changes", [{"type_vocab_size": 1}, {"num_hidden_layers": 1}, {"num_attention_heads": 4}])
def test_other_architectures(tmp_path, changes):
    config = {**CONFIG, **changes}
    arrays = tiny.weights(config)
    assert_equal_to_reference(tiny.write(tmp_path, arrays, **changes), arrays, config)


def test_more_rows_of_embeddings_than_tokens(tmp_path):
    """Many checkpoints pad their vocabulary to a multiple of 8 or 64."""
    config = {**CONFIG, "vocab_size": 64}
    arrays = tiny.weights(config)
    assert arrays["embeddings.word_embeddings.weight"].shape == (64, 12)
    assert_equal_to_reference(tiny.write(tmp_path, arrays, vocab_size=64), arrays, config)


def test_without_a_pooler_there_is_no_pooled_and_the_user_hears_of_the_bridge(tmp_path):
    arrays = tiny.weights(pooler=False)
    tiny.write(tmp_path, {f"bert.{name}": array for name, array in arrays.items()})
    assert_equal_to_reference(tmp_path, arrays)
    backbone = pretrained.locate(str(tmp_path)).create()
    assert set(backbone.model.output) == {"tokens"}
    assert [note for note in backbone.notes if "no `pooled`" in note and "the bridge" in note]


def test_with_a_pooler_there_is_nothing_to_say(tmp_path):
    backbone = pretrained.locate(str(tiny.write(tmp_path))).create()
    assert set(backbone.model.output) == {"tokens", "pooled"}
    assert backbone.notes == ()


def test_a_pooler_can_be_left_out(tmp_path):
    assert set(features(tiny.write(tmp_path), pooler=False)) == {"tokens"}


@pytest.mark.parametrize("averages", [True, False])
def test_sentence_encoders_that_average_their_tokens(tmp_path, averages):
    tiny.write(tmp_path / "model")
    pooling = tmp_path / "model" / "1_Pooling"
    pooling.mkdir()
    (pooling / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": averages}))
    assert ("pooled" in features(tmp_path / "model")) is not averages
    # Its pooler is there all the same, for who asks for it.
    tiny.write(tmp_path / "plain")
    asked, plain = features(tmp_path / "model", pooler=True), features(tmp_path / "plain")
    np.testing.assert_array_equal(asked["pooled"], plain["pooled"])


def test_the_vocabulary_may_stand_in_tokenizer_json_alone(tmp_path):
    tiny.write(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    model = {"type": "WordPiece", "vocab": {token: i for i, token in enumerate(tiny.TOKENS)}}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model, "normalizer": None}))
    backbone = pretrained.locate(str(tmp_path)).create()
    assert backbone.preprocess(tf.constant(["bad films"])).inputs["token_ids"].numpy().tolist() == [[2, 7, 8, 10, 3]]
