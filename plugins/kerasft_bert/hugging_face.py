"""BERT checkpoints in Hugging Face format: ``config.json`` and ``model.safetensors``.

KerasHub reads these too, but refuses checkpoints without a pooler (as those of token classifiers are) and always
computes the tanh approximation of GELU. In the tables below, names on the left are those of `transformers.BertModel`,
names on the right KerasHub's.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasft import json_files
from kerasft.errors import AssetError
from kerasft.safetensors_files import Safetensors, Weight

_FIELDS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
}
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
        config: arguments for KerasHub's `BertBackbone`, with ``activation``, ``layer_norm_epsilon``, ``pooler``
            (whether there is one) and ``averages_tokens`` (whether it was trained without it).

    Raises:
        AssetError: files are missing or damaged, or the architecture is not BERT's.
    """

    def __init__(self, directory: Path):
        described = json_files.read(directory / "config.json")
        if described.get("model_type") != "bert":
            raise AssetError(f"{directory}: expected a BERT. Received: model_type={described.get('model_type')!r}")
        if described.get("position_embedding_type", "absolute") != "absolute":
            raise AssetError(
                f"{directory}: expected absolute position embeddings. "
                f"Received: position_embedding_type={described['position_embedding_type']!r}"
            )
        self._weights = weights = Safetensors(directory)
        weights.prefix = next((p for p in _PREFIXES if p + "embeddings.word_embeddings.weight" in weights), "")
        self.config: dict[str, Any] = {
            **json_files.read_fields(directory / "config.json", described, _FIELDS),
            "num_segments": described.get("type_vocab_size", 2),
            "dropout": described.get("hidden_dropout_prob", 0.1),
            "activation": described.get("hidden_act", "gelu"),
            "layer_norm_epsilon": described.get("layer_norm_eps", 1e-12),
            "pooler": "pooler.dense.weight" in weights,
            "averages_tokens": _averages_tokens(directory),
        }

    def load_into(self, encoder: keras.Model) -> None:
        """Assigns every weight of the encoder; the pooler stays as it is when the checkpoint has none.

        Raises:
            AssetError: weights are missing or have other shapes: all of them are listed.
        """
        variables = {variable.path: variable for variable in encoder.weights}
        self._weights.load(
            Weight(
                name,
                variables[path],
                _shape_in_pytorch(path, variables[path].shape),
                np.transpose if path.endswith("/kernel") else np.asarray,
            )
            for name, path in self._names(self.config["num_layers"])
        )

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
        if "pooler.dense.weight" in self._weights:
            yield "pooler.dense.weight", "pooled_dense/kernel"
            yield "pooler.dense.bias", "pooled_dense/bias"

    def _norm(self, theirs: str, ours: str) -> Iterator[tuple[str, str]]:
        """Checkpoints converted from TensorFlow call weight and bias gamma and beta."""
        old = f"{theirs}.gamma" in self._weights
        yield f"{theirs}.{'gamma' if old else 'weight'}", f"{ours}/gamma"
        yield f"{theirs}.{'beta' if old else 'bias'}", f"{ours}/beta"


def _shape_in_pytorch(path: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Dense kernels are (out, in) there; Keras splits the side of the attention heads in two, in the same order."""
    if path.endswith("/bias"):
        return (math.prod(shape),)
    if not path.endswith("/kernel"):
        return tuple(shape)
    split = -1 if path.endswith("/attention_output/kernel") else 1
    return math.prod(shape[split:]), math.prod(shape[:split])


def _averages_tokens(directory: Path) -> bool:
    """Whether sentence-transformers trained this checkpoint by averaging tokens, so that its pooler means nothing."""
    path = directory / "1_Pooling" / "config.json"
    return path.exists() and bool(json_files.read(path).get("pooling_mode_mean_tokens"))
