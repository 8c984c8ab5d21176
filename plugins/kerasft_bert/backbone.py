"""BERT as a kerasft backbone, on KerasHub's `BertBackbone`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_hub
import tensorflow as tf

from kerasft import Backbone, Group, json_files
from kerasft.errors import AssetError, UsageError
from kerasft_bert import attention, dropout, hugging_face, norm, vocabulary
from kerasft_bert.gelu import gelu
from kerasft_bert.preprocess import BertPreprocess
from kerasft_bert.vocabulary import Vocabulary

# BERT reads 512 tokens at most, but attention grows with the square of the length: a user asks for more than this.
DEFAULT_LENGTH = 256

_CONFIG = "bert.json"
# Arguments of KerasHub's BertBackbone.
_ARCHITECTURE = (
    "vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim", "dropout", "max_sequence_length",
    "num_segments",
)  # fmt: skip
_TINY_CONFIG = {
    "num_layers": 2, "num_heads": 2, "hidden_dim": 32, "intermediate_dim": 64, "max_sequence_length": 128,
    "dropout": 0.1, "num_segments": 2, "activation": "gelu", "layer_norm_epsilon": 1e-12, "pooler": True,
}  # fmt: skip


def create(
    directory: Path | None,
    *,
    preset: str,
    weights: bool = True,
    length: int | None = None,
    pooler: bool | None = None,
    seed: int = 0,
) -> Backbone:
    """A BERT encoder that gives ``tokens`` and, if its checkpoint has a pooler, ``pooled``.

    Args:
        directory: a Hugging Face, KerasHub or kerasft checkpoint; None for the ``tiny`` preset.
        preset: for messages.
        weights: False builds the architecture without reading weights.
        length: most tokens per text, special tokens included; longer texts are cut. By default 256, or fewer if the
            checkpoint has fewer positions, which is also the most it can be.
        pooler: give ``pooled`` from the checkpoint's pooler. By default it is given if the checkpoint has one and
            was not trained as a sentence encoder that averages its tokens.
        seed: of the ``tiny`` preset's random weights.

    Raises:
        UsageError: `length` is out of range, or the pooler asked for is missing.
        AssetError: the checkpoint's files are missing, damaged or do not fit a BERT.
    """
    config, vocab, load = _tiny(seed) if directory is None else _read(directory, preset)
    longest = config["max_sequence_length"]
    length = min(DEFAULT_LENGTH, longest) if length is None else length
    if not 3 <= length <= longest:
        raise UsageError(f"length must be from 3 to {longest} tokens for {preset}. Received: length={length}")
    if pooler and not config["pooler"]:
        raise UsageError(f"{preset} has no trained pooler. Received: pooler=True")
    trained = config["pooler"] and not config.pop("averages_tokens", False)
    config["pooler"] = trained if pooler is None else pooler

    if len(vocab.tokens) > config["vocabulary_size"]:
        rows = config["vocabulary_size"]
        raise AssetError(f"{directory}: the vocabulary has {len(vocab.tokens)} tokens, its embeddings {rows} rows.")

    encoder = _encoder(config)
    if weights:
        load(encoder)
    features = {"tokens": encoder.output["sequence_output"]}
    notes = []
    if config["pooler"]:
        features["pooled"] = encoder.output["pooled_output"]
    else:
        notes.append(f"{preset} gives no `pooled` of its own: it is the mean over the tokens (the bridge).")
    model = keras.Model(encoder.input, features, name="bert")
    return Backbone(
        model=model,
        groups=_groups(encoder, config["pooler"]),
        preprocess=BertPreprocess(vocab, length),
        files={_CONFIG: json.dumps(config, indent=1).encode(), **vocab.files()},
        notes=tuple(notes),
        padding={"token_ids": vocab.tokens.index(vocab.pad_token)},
    )


_Load = Callable[[keras.Model], None]


def _read(directory: Path, preset: str) -> tuple[dict[str, Any], Vocabulary, _Load]:
    """Config, vocabulary and weight loader of a checkpoint directory in any of the three formats."""
    if (directory / _CONFIG).exists():  # what `create` itself put into a run directory
        return json_files.read(directory / _CONFIG), vocabulary.from_hugging_face(directory), _no_weights
    if not (directory / "config.json").exists():
        raise AssetError(f"{directory} ({preset}): no config.json. Expected a Hugging Face or KerasHub checkpoint.")
    described = json_files.read(directory / "config.json")
    if "registered_name" in described:
        return _read_keras_hub(directory, described)
    checkpoint = hugging_face.Checkpoint(directory)
    return checkpoint.config, vocabulary.from_hugging_face(directory), checkpoint.load_into


def _read_keras_hub(directory: Path, described: dict[str, Any]) -> tuple[dict[str, Any], Vocabulary, _Load]:
    if described["registered_name"] != "keras_hub>BertBackbone":
        raise AssetError(
            f"{directory}: expected a BertBackbone. Received: registered_name={described['registered_name']!r}"
        )
    names = {name: name for name in _ARCHITECTURE}
    config = json_files.read_fields(directory / "config.json", described.get("config", {}), names)
    # KerasHub computes BERT with the tanh approximation of GELU.
    config |= {"activation": "gelu_approximate", "layer_norm_epsilon": 1e-12, "pooler": True}

    def load(encoder: keras.Model) -> None:
        path = directory / "model.weights.h5"
        path = path if path.exists() else directory / "model.weights.json"  # large ones come in shards
        try:
            encoder.load_weights(path)
        except (OSError, ValueError, KeyError) as error:
            raise AssetError(f"{path} is missing, damaged or of another architecture: {error}") from error

    return config, vocabulary.from_keras_hub(directory), load


def _tiny(seed: int) -> tuple[dict[str, Any], Vocabulary, _Load]:
    """Small random weights and a vocabulary of single characters and a few pieces, the same for each seed."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-"
    pieces = [*letters, *(f"##{letter}" for letter in letters), "the", "good", "bad", "##ing"]
    vocab = Vocabulary(tokens=("[PAD]", "[UNK]", "[CLS]", "[SEP]", *pieces), lower_case=True)

    def load(encoder: keras.Model) -> None:
        for offset, weight in enumerate(encoder.weights):
            if weight.path.endswith(("kernel", "embeddings")):
                weight.assign(keras.random.normal(weight.shape, stddev=0.2, seed=seed * 10_000 + offset))

    return _TINY_CONFIG | {"vocabulary_size": len(vocab.tokens)}, vocab, load


def _no_weights(encoder: keras.Model) -> None:
    raise AssetError("This directory holds a backbone's configuration without its weights.")


def _encoder(config: dict[str, Any]) -> keras.Model:
    encoder = keras_hub.models.BertBackbone(**{name: config[name] for name in _ARCHITECTURE})
    activation = {"gelu": gelu, "gelu_approximate": None, "gelu_new": None, "relu": keras.activations.relu}
    if config["activation"] not in activation:
        raise AssetError(f"BERT activations are {', '.join(activation)}. Received: {config['activation']!r}")
    # KerasHub has no arguments for these. With its GELU, features differ from the reference by about 1e-3.
    norms, dropouts = [encoder.embeddings_layer_norm], [encoder.get_layer("embeddings_dropout")]
    for block in encoder.transformer_layers:
        norms += [block._self_attention_layer_norm, block._feedforward_layer_norm]
        dropouts += [block._self_attention_dropout, block._feedforward_dropout]
        if chosen := activation[config["activation"]]:
            block._feedforward_intermediate_dense.activation = chosen
    for layer in norms:
        layer.epsilon = config["layer_norm_epsilon"]
    # Not where there are other devices: caches are why this is fast, and nothing of it was measured there.
    if all(device.device_type == "CPU" for device in tf.config.list_physical_devices()):
        for block in encoder.transformer_layers:
            attention.put_into(block._self_attention_layer)
        for layer in norms:
            norm.put_into(layer)
        for layer in dropouts:
            dropout.put_into(layer)
    return encoder


def _groups(encoder: keras.Model, pooler: bool) -> tuple[Group, ...]:
    """Embeddings, then the blocks one by one; the pooler belongs to the deepest block."""
    names = ("token_embedding", "position_embedding", "segment_embedding", "embeddings_layer_norm")
    dropout = encoder.get_layer("embeddings_dropout")
    groups = [Group("embeddings", (*(encoder.get_layer(name) for name in names), dropout))]
    groups += [Group(f"block_{i}", (block,)) for i, block in enumerate(encoder.transformer_layers)]
    if pooler:
        groups[-1] = Group(groups[-1].name, (*groups[-1].layers, encoder.get_layer("pooled_dense")))
    return tuple(groups)
