"""BERT checkpoints in Hugging Face format: ``config.json`` and ``model.safetensors``.

KerasHub reads these too, but refuses checkpoints without a pooler (as those of token classifiers are) and always
computes the tanh approximation of GELU. In the tables below, names on the left are those of `transformers.BertModel`,
names on the right KerasHub's.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError, safe_open

from kerasft.errors import AssetError

_PREFIXES = ("", "bert.", "model.", "model.bert.")
_EMBEDDINGS = {
    "embeddings.word_embeddings.weight": "token_embedding/embeddings",
    "embeddings.position_embeddings.weight": "position_embedding/embeddings",
    "embeddings.token_type_embeddings.weight": "segment_embedding/embeddings",
}
_NORMS = {
    "attention.output.LayerNorm": "self_attention_layer_norm",
    "output.LayerNorm": "feedforward_layer_norm",
}
_DENSES = {
    "attention.self.query": "self_attention_layer/query",
    "attention.self.key": "self_attention_layer/key",
    "attention.self.value": "self_attention_layer/value",
    "attention.output.dense": "self_attention_layer/attention_output",
    "intermediate.dense": "feedforward_intermediate_dense",
    "output.dense": "feedforward_output_dense",
}


class Checkpoint:
    """One checkpoint directory.

    Attributes:
        config: arguments for KerasHub's `BertBackbone`, with ``activation`` and ``pooler``.

    Raises:
        AssetError: files are missing or damaged, or the architecture is not BERT's.
    """

    def __init__(self, directory: Path):
        self._directory = directory
        described = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        if described.get("model_type") != "bert":
            raise AssetError(f"{directory}: expected a BERT. Received: model_type={described.get('model_type')!r}")
        if described.get("position_embedding_type", "absolute") != "absolute":
            raise AssetError(
                f"{directory}: expected absolute position embeddings. "
                f"Received: position_embedding_type={described['position_embedding_type']!r}"
            )
        self._shards = _shards(directory)
        self._prefix = next((p for p in _PREFIXES if p + "embeddings.word_embeddings.weight" in self._shards), "")
        self.config: dict[str, Any] = {
            "num_layers": described["num_hidden_layers"],
            "num_heads": described["num_attention_heads"],
            "hidden_dim": described["hidden_size"],
            "intermediate_dim": described["intermediate_size"],
            "max_sequence_length": described["max_position_embeddings"],
            "num_segments": described.get("type_vocab_size", 2),
            "dropout": described.get("hidden_dropout_prob", 0.1),
            "activation": described.get("hidden_act", "gelu"),
            "pooler": self._prefix + "pooler.dense.weight" in self._shards and not _averages_tokens(directory),
        }

    def load_into(self, encoder: keras.Model) -> None:
        """Assigns every weight of the encoder; the pooler stays as it is when the checkpoint has none.

        Raises:
            AssetError: weights are missing or have other shapes: all of them are listed.
        """
        variables = {variable.path: variable for variable in encoder.weights}
        problems = []
        for name, path in self._names(self.config["num_layers"]):
            variable = variables[path]
            array = self._array(name)
            if array is None:
                problems.append(f"{name}: not in the checkpoint, expected {tuple(variable.shape)}")
            elif array.size != np.prod(variable.shape):
                problems.append(f"{name}: {array.shape} in the checkpoint does not fit {tuple(variable.shape)}")
            else:
                # PyTorch keeps dense kernels as (out, in); heads are split in the order Keras keeps them.
                kernel = array.T if path.endswith("/kernel") else array
                variable.assign(kernel.reshape(variable.shape))
        if problems:
            raise AssetError("\n  ".join([f"{self._directory}: the weights do not fit its config.json:", *problems]))

    def _names(self, layers: int) -> Iterator[tuple[str, str]]:
        yield from _EMBEDDINGS.items()
        yield from self._norm("embeddings.LayerNorm", "embeddings_layer_norm")
        for i in range(layers):
            ours, theirs = f"transformer_layer_{i}/", f"encoder.layer.{i}."
            for norm, path in _NORMS.items():
                yield from self._norm(theirs + norm, ours + path)
            for dense, path in _DENSES.items():
                yield f"{theirs}{dense}.weight", f"{ours}{path}/kernel"
                yield f"{theirs}{dense}.bias", f"{ours}{path}/bias"
        if self._prefix + "pooler.dense.weight" in self._shards:
            yield "pooler.dense.weight", "pooled_dense/kernel"
            yield "pooler.dense.bias", "pooled_dense/bias"

    def _norm(self, theirs: str, ours: str) -> Iterator[tuple[str, str]]:
        """Checkpoints converted from TensorFlow call weight and bias gamma and beta."""
        old = f"{self._prefix}{theirs}.gamma" in self._shards
        yield f"{theirs}.{'gamma' if old else 'weight'}", f"{ours}/gamma"
        yield f"{theirs}.{'beta' if old else 'bias'}", f"{ours}/beta"

    def _array(self, name: str) -> np.ndarray | None:
        shard = self._shards.get(self._prefix + name)
        if shard is None:
            return None
        with safe_open(shard, framework="tf") as file:  # "np" cannot read bfloat16
            return keras.ops.convert_to_numpy(keras.ops.cast(file.get_tensor(self._prefix + name), "float32"))


def _shards(directory: Path) -> dict[str, Path]:
    """Which file holds each weight: one ``model.safetensors``, or several named by an index."""
    index = directory / "model.safetensors.index.json"
    if index.exists():
        return {name: directory / file for name, file in json.loads(index.read_text())["weight_map"].items()}
    path = directory / "model.safetensors"
    if not path.exists():
        raise AssetError(
            f"{directory}: no model.safetensors. Pickled weights (pytorch_model.bin) are never read: convert them with "
            "transformers' save_pretrained(safe_serialization=True)."
        )
    try:
        with safe_open(path, framework="np") as file:
            return dict.fromkeys(file.keys(), path)
    except SafetensorError as error:
        raise AssetError(f"{path} is damaged: {error}") from error


def _averages_tokens(directory: Path) -> bool:
    """Whether sentence-transformers trained this checkpoint by averaging tokens, so that its pooler means nothing."""
    path = directory / "1_Pooling" / "config.json"
    return path.exists() and bool(json.loads(path.read_text()).get("pooling_mode_mean_tokens"))
