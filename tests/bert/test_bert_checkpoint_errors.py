"""What a user hears when a checkpoint directory cannot be read: one error, everything that is wrong, no traceback."""

import json
import pickle

import numpy as np
import pytest
import tiny_checkpoints as tiny

from kerasft import pretrained
from kerasft.errors import AssetError, UsageError


def create(directory, **options):
    return pretrained.locate(str(directory)).create(options)


def refusal(directory, **options):
    with pytest.raises(AssetError) as caught:
        create(directory, **options)
    assert str(directory) in str(caught.value)
    return str(caught.value)


def test_every_weight_of_a_wrong_shape_is_listed(tmp_path):
    arrays = tiny.weights()
    wrong = {
        "embeddings.word_embeddings.weight": (11, 12),
        "encoder.layer.0.attention.self.query.bias": (13,),
        "encoder.layer.1.output.dense.weight": (12, 21),
    }
    stored = {**arrays, **{name: np.zeros(shape, np.float32) for name, shape in wrong.items()}}
    message = refusal(tiny.write(tmp_path, stored))
    assert message.count("in the checkpoint, expected") == len(wrong)
    for name, shape in wrong.items():
        assert f"{name}: {shape}" in message


@pytest.mark.parametrize(
    "name",
    [
        "encoder.layer.0.intermediate.dense.weight",
        "encoder.layer.0.output.dense.weight",
        "embeddings.position_embeddings.weight",
    ],
)
def test_as_many_numbers_in_another_shape_do_not_fit(tmp_path, name):
    """Read as they stand, transposed weights would give a model that runs and is wrong."""
    arrays = tiny.weights()
    arrays[name] = np.ascontiguousarray(arrays[name].T)
    assert f"{name}: {arrays[name].shape}" in refusal(tiny.write(tmp_path, arrays))


@pytest.mark.parametrize("shards", [1, 2])
def test_every_missing_weight_is_listed(tmp_path, shards):
    arrays = tiny.weights()
    gone = ["embeddings.LayerNorm.bias", "encoder.layer.1.attention.self.key.weight", "pooler.dense.bias"]
    message = refusal(tiny.write(tmp_path, {n: a for n, a in arrays.items() if n not in gone}, shards=shards))
    assert message.count("not in the checkpoint") == len(gone)
    assert all(name in message for name in gone)


def test_fewer_layers_than_the_config_says(tmp_path):
    message = refusal(tiny.write(tmp_path, tiny.weights(), num_hidden_layers=3))
    assert message.count("encoder.layer.2.") == 16


def test_another_models_weights(tmp_path):
    message = refusal(tiny.write(tmp_path, {"transformer.wte.weight": np.zeros((4, 4), np.float32)}))
    assert "embeddings.word_embeddings.weight: not in the checkpoint" in message


def test_a_damaged_file(tmp_path):
    path = tiny.write(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert f"{path} is damaged" in refusal(tmp_path)
    path.write_bytes(b"<html>404</html>")
    assert f"{path} is damaged" in refusal(tmp_path)


def test_a_damaged_shard(tmp_path):
    tiny.write(tmp_path, shards=2)
    shard = tmp_path / "model-00002-of-00002.safetensors"
    shard.write_bytes(b"\x00" * 20)
    assert f"{shard} is damaged" in refusal(tmp_path)


def test_a_missing_shard(tmp_path):
    tiny.write(tmp_path, shards=3)
    (tmp_path / "model-00003-of-00003.safetensors").unlink()
    message = refusal(tmp_path)
    assert "model-00003-of-00003.safetensors" in message and "missing" in message


def test_an_index_that_leads_out_of_its_directory(tmp_path):
    """Nothing is read from where a stranger's file points to."""
    directory = tiny.write(tmp_path / "model", shards=2)
    secret = tiny.write(tmp_path / "secret") / "model.safetensors"
    secret.rename(tmp_path / "secret" / "weights.safetensors")
    index = directory / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../secret/weights.safetensors"}}))
    assert f"{directory / 'weights.safetensors'} is missing" in refusal(directory)


@pytest.mark.parametrize("content", ["{", "[]", '{"metadata": {}}'])
def test_a_damaged_index(tmp_path, content):
    tiny.write(tmp_path, shards=2)
    (tmp_path / "model.safetensors.index.json").write_text(content)
    assert "model.safetensors.index.json" in refusal(tmp_path)


class Bomb:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pickled_weights_are_refused_with_advice_and_never_unpickled(tmp_path):
    directory = tiny.write(tmp_path / "model")
    (directory / "model.safetensors").unlink()
    witness = tmp_path / "unpickled"
    (directory / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(witness)))
    message = refusal(directory)
    assert "pytorch_model.bin" in message and "safe_serialization=True" in message
    assert not witness.exists()


def test_relative_positions_are_another_architecture(tmp_path):
    message = refusal(tiny.write(tmp_path, position_embedding_type="relative_key"))
    assert "absolute position embeddings" in message and "'relative_key'" in message


def test_an_activation_bert_never_had(tmp_path):
    tiny.write(tmp_path, hidden_act="swish")
    with pytest.raises(AssetError, match=r"gelu.*relu.*'swish'"):
        create(tmp_path)


def test_fields_missing_from_the_config_are_listed(tmp_path):
    message = refusal(tiny.write(tmp_path, tiny.weights(), hidden_size=None, num_attention_heads=None))
    assert "config.json" in message and "hidden_size" in message and "num_attention_heads" in message


def test_more_tokens_than_rows_of_embeddings(tmp_path):
    tiny.write(tmp_path)
    with (tmp_path / "vocab.txt").open("a") as file:
        file.write("[E1]\n[E2]\n")
    message = refusal(tmp_path)
    assert "14 tokens" in message and "12" in message


@pytest.mark.parametrize("gone", [["vocab.txt"], ["vocab.txt", "tokenizer_config.json"]])
def test_no_vocabulary(tmp_path, gone):
    tiny.write(tmp_path)
    for name in gone:
        (tmp_path / name).unlink()
    assert "vocab.txt" in refusal(tmp_path)


@pytest.mark.parametrize("config", [None, "{", "[1, 2]", "{}", '{"hidden_size": 4}', '{"model_type": 3}'])
def test_a_directory_that_does_not_say_what_it_is(tmp_path, config):
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(UsageError, match=r"no config\.json that names its model"):
        pretrained.locate(str(tmp_path))


def test_a_checkpoint_of_a_family_nobody_installed(tmp_path):
    tiny.write(tmp_path, model_type="mamba")
    with pytest.raises(UsageError) as caught:
        pretrained.locate(str(tmp_path))
    assert "mamba" in str(caught.value) and "bert (bert, keras_hub>BertBackbone)" in str(caught.value)


def test_the_factory_given_another_model_says_so(tmp_path):
    """A preset's download goes to the factory without `locate` reading its config."""
    from kerasft_bert import backbone

    tiny.write(tmp_path, model_type="roberta")
    with pytest.raises(AssetError, match=r"expected a BERT.*'roberta'"):
        backbone.create(tmp_path, preset="bert/some")


@pytest.mark.parametrize("config", [None, "{", "[]"])
def test_the_factory_given_a_broken_download_says_so(tmp_path, config):
    from kerasft_bert import backbone

    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(AssetError, match=r"config\.json"):
        backbone.create(tmp_path, preset="bert/some")


def test_a_file_is_no_checkpoint(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"")
    with pytest.raises(UsageError, match="directory"):
        pretrained.locate(str(path))
