"""Vision transformers of Hugging Face and timm: what their weights are called."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasft import json_files
from kerasft.errors import AssetError
from kerasft.safetensors_files import Safetensors, Weight
from kerasft_vision.build import Load

_FIELDS = {
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "mlp_dim": "intermediate_size",
    "patch_size": "patch_size",
    "image_size": "image_size",
}
# Of timm: layers, heads, channels (Steiner et al. 2021, table 2).
_SIZES = {"tiny": (12, 3, 192), "small": (12, 6, 384), "base": (12, 12, 768), "large": (24, 16, 1024)}
_TIMM = re.compile(r"vit_(tiny|small|base|large)_patch(\d+)_(\d+)")

_Read = tuple[dict[str, Any], tuple[int, int], Load]


def hugging_face(directory: Path, described: Mapping[str, Any]) -> _Read:
    """Arguments of KerasHub's `ViTBackbone`, the image size it was trained with, and what loads its weights.

    Weights may have the prefix ``vit.``, as a model with a classifier has, or none.

    Raises:
        AssetError: another architecture, or files are missing or damaged.
    """
    fields = json_files.read_fields(directory / "config.json", dict(described), _FIELDS)
    if described.get("hidden_act", "gelu") != "gelu":
        raise AssetError(f"{directory}: expected hidden_act='gelu'. Received: {described['hidden_act']!r}")
    size = fields.pop("image_size")
    architecture = {
        **fields,
        "dropout_rate": described.get("hidden_dropout_prob", 0.0),
        "attention_dropout": described.get("attention_probs_dropout_prob", 0.0),
        "layer_norm_epsilon": described.get("layer_norm_eps", 1e-12),
        "use_mha_bias": described.get("qkv_bias", True),
    }
    stored = Safetensors(directory)
    stored.prefix = "" if "embeddings.cls_token" in stored else "vit."

    def weights(encoder: keras.Model) -> Iterator[Weight]:
        embeddings, blocks = encoder.get_layer("vit_patching_and_embedding"), encoder.get_layer("vit_encoder")
        tokens = ("embeddings.cls_token", "embeddings.position_embeddings")
        yield from _embeddings(embeddings, *tokens, "embeddings.patch_embeddings.projection")
        for i, block in enumerate(blocks.encoder_layers):
            theirs = f"encoder.layer.{i}"
            for ours, name in (("query", "query"), ("key", "key"), ("value", "value")):
                layer = getattr(block.mha, f"{ours}_dense")
                yield from _dense(layer, f"{theirs}.attention.attention.{name}", heads_in=True)
            yield from _dense(block.mha.output_dense, f"{theirs}.attention.output.dense", heads_in=False)
            yield from _norm(block.layer_norm_1, f"{theirs}.layernorm_before")
            yield from _norm(block.layer_norm_2, f"{theirs}.layernorm_after")
            yield from _dense(block.mlp.dense_1, f"{theirs}.intermediate.dense", heads_in=True)
            yield from _dense(block.mlp.dense_2, f"{theirs}.output.dense", heads_in=True)
        yield from _norm(blocks.layer_norm, "layernorm")

    return architecture, (size, size), lambda encoder: stored.load(weights(encoder))


def timm(directory: Path, described: Mapping[str, Any]) -> _Read:
    """The same for a checkpoint of timm, from ``vit_tiny_patch16_224`` to ``vit_large_patch16_384``."""
    name = str(described.get("architecture"))
    found = _TIMM.fullmatch(name)
    if not found:
        raise AssetError(f"{directory}: expected vit_{{tiny,small,base,large}}_patch<n>_<size>. Received: {name}")
    layers, heads, width = _SIZES[found[1]]
    size = int(found[3])
    architecture = {
        "num_layers": layers, "num_heads": heads, "hidden_dim": width, "mlp_dim": 4 * width,
        "patch_size": int(found[2]), "layer_norm_epsilon": 1e-6,
    }  # fmt: skip
    stored = Safetensors(directory)

    def weights(encoder: keras.Model) -> Iterator[Weight]:
        embeddings, blocks = encoder.get_layer("vit_patching_and_embedding"), encoder.get_layer("vit_encoder")
        yield from _embeddings(embeddings, "cls_token", "pos_embed", "patch_embed.proj")
        for i, block in enumerate(blocks.encoder_layers):
            theirs = f"blocks.{i}"
            yield from _norm(block.layer_norm_1, f"{theirs}.norm1")
            yield from _norm(block.layer_norm_2, f"{theirs}.norm2")
            for third, ours in enumerate(("query", "key", "value")):  # one matrix for all three
                layer = getattr(block.mha, f"{ours}_dense")
                rows = slice(third * width, (third + 1) * width)
                yield Weight(f"{theirs}.attn.qkv.weight", layer.kernel, (3 * width, width), lambda a, r=rows: a[r].T)
                yield Weight(f"{theirs}.attn.qkv.bias", layer.bias, (3 * width,), lambda a, r=rows: a[r])
            yield from _dense(block.mha.output_dense, f"{theirs}.attn.proj", heads_in=False)
            yield from _dense(block.mlp.dense_1, f"{theirs}.mlp.fc1", heads_in=True)
            yield from _dense(block.mlp.dense_2, f"{theirs}.mlp.fc2", heads_in=True)
        yield from _norm(blocks.layer_norm, "norm")

    return architecture, (size, size), lambda encoder: stored.load(weights(encoder))


def _embeddings(layer: Any, token: str, positions: str, patches: str) -> Iterator[Weight]:
    kernel, bias = layer.patch_embedding.kernel, layer.patch_embedding.bias
    height, width, rows, columns = kernel.shape
    yield Weight(token, layer.class_token, tuple(layer.class_token.shape))
    embeddings = layer.position_embedding.embeddings
    yield Weight(positions, embeddings, (1, *embeddings.shape))
    yield Weight(f"{patches}.weight", kernel, (columns, rows, height, width), lambda a: a.transpose(2, 3, 1, 0))
    yield Weight(f"{patches}.bias", bias, (columns,))


def _dense(layer: Any, name: str, *, heads_in: bool) -> Iterator[Weight]:
    """A kernel of shape (in, out), or with heads split off the side that `heads_in` says: of the output if True."""
    shape = layer.kernel.shape
    split = 1 if heads_in else len(shape) - 1
    rows, columns = int(np.prod(shape[:split])), int(np.prod(shape[split:]))
    yield Weight(f"{name}.weight", layer.kernel, (columns, rows), np.transpose)
    if layer.bias is not None:
        yield Weight(f"{name}.bias", layer.bias, (columns,))


def _norm(layer: Any, name: str) -> Iterator[Weight]:
    yield Weight(f"{name}.weight", layer.gamma, tuple(layer.gamma.shape))
    yield Weight(f"{name}.bias", layer.beta, tuple(layer.beta.shape))
