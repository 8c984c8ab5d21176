"""Directories that KerasHub's `save_to_preset` wrote give KerasHub's own features."""

import json
import shutil

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from kerasft import pretrained
from kerasft.errors import AssetError, UsageError

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "##s", ",", "not", "Good"]


@pytest.fixture(scope="module")
def upstream():
    keras.utils.set_random_seed(5)
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(TOKENS),
        num_layers=2,
        num_heads=3,
        hidden_dim=12,
        intermediate_dim=20,
        max_sequence_length=24,
    )
    for weight in backbone.weights:
        weight.assign(weight + keras.random.normal(weight.shape, stddev=0.5))
    return backbone


@pytest.fixture(scope="module")
def saved(upstream, tmp_path_factory):
    """With an uncased tokenizer."""
    directory = tmp_path_factory.mktemp("preset")
    upstream.save_to_preset(str(directory))
    keras_hub.models.BertTokenizer(vocabulary=TOKENS, lowercase=True).save_to_preset(str(directory))
    return directory


@pytest.fixture
def copy(saved, tmp_path, monkeypatch):
    """A copy to damage, named by ``./preset``."""
    shutil.copytree(saved, tmp_path / "preset")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "preset"


def assert_features_of(upstream, directory):
    backbone = pretrained.locate(str(directory)).create()
    ids = np.array([[2, 5, 7, 8, 9, 10, 6, 3], [2, 7, 3, 0, 0, 0, 0, 0], [2, 3, 0, 0, 0, 0, 0, 0]])
    inputs = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": np.int32(ids > 0)}
    expected, found = upstream(inputs, training=False), backbone.model(inputs, training=False)
    here = ids > 0
    # Norms are added up in another order.
    np.testing.assert_allclose(found["tokens"][here], expected["sequence_output"][here], atol=5e-6)
    np.testing.assert_allclose(found["pooled"], expected["pooled_output"], atol=5e-6)


def test_features_equal_keras_hubs(upstream, copy):
    found = pretrained.locate("./preset")
    assert (found.spec.name, found.directory) == ("bert", copy)
    assert_features_of(upstream, "./preset")


def test_in_shards_too(upstream, copy):
    (copy / "model.weights.h5").unlink()
    upstream.save_weights(copy / "model.weights.json", max_shard_size=1e-5)
    assert len(list(copy.glob("*.h5"))) > 1
    assert_features_of(upstream, copy)


@pytest.mark.parametrize("lowercase", [True, False])
def test_case_is_as_its_tokenizer_says(upstream, tmp_path, lowercase):
    upstream.save_to_preset(str(tmp_path))
    keras_hub.models.BertTokenizer(vocabulary=TOKENS, lowercase=lowercase).save_to_preset(str(tmp_path))
    ids = pretrained.locate(str(tmp_path)).create().preprocess(tf.constant(["Good"])).inputs["token_ids"]
    assert ids.numpy().tolist() == [[2, TOKENS.index("good" if lowercase else "Good"), 3]]


@pytest.mark.parametrize("content", [None, b"", b"<html>404</html>"])
def test_missing_or_damaged_weights(copy, content):
    path = copy / "model.weights.h5"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AssetError, match=r"preset/model\.weights\.(h5|json) is missing, damaged"):
        pretrained.locate("./preset").create()


def test_weights_of_another_architecture(copy):
    described = json.loads((copy / "config.json").read_text())
    described["config"]["intermediate_dim"] = 24
    (copy / "config.json").write_text(json.dumps(described))
    with pytest.raises(AssetError, match="another architecture"):
        pretrained.locate("./preset").create()


def test_no_vocabulary(copy):
    shutil.rmtree(copy / "assets")
    with pytest.raises(AssetError, match=r"vocabulary\.txt, which is missing"):
        pretrained.locate("./preset").create()


def test_a_config_without_its_fields(copy):
    (copy / "config.json").write_text(json.dumps({"registered_name": "keras_hub>BertBackbone", "config": {}}))
    with pytest.raises(AssetError, match=r"config\.json lacks vocabulary_size, num_layers"):
        pretrained.locate("./preset").create()


def test_another_keras_hub_model(copy):
    (copy / "config.json").write_text(json.dumps({"registered_name": "keras_hub>GemmaBackbone", "config": {}}))
    with pytest.raises(UsageError, match="keras_hub>GemmaBackbone"):
        pretrained.locate("./preset")


def test_a_path_that_does_not_exist_suggests_its_neighbour(copy):
    with pytest.raises(AssetError, match="beside it: preset"):
        pretrained.locate("./presett")
