"""Small checkpoints in the formats of Hugging Face, timm and KerasHub, written from a model's own weights."""

import json
from pathlib import Path

import keras
import numpy as np
from safetensors.numpy import save_file

HF_VIT = {
    "model_type": "vit", "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 8, "intermediate_size": 16,
    "patch_size": 8, "image_size": 32, "hidden_act": "gelu", "layer_norm_eps": 1e-6,
}  # fmt: skip


def write(directory: Path, config: dict, arrays: dict[str, np.ndarray], **files: dict) -> Path:
    """A checkpoint; `files` are JSON files by their names without suffix."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in {"config": config, **files}.items():
        (directory / f"{name}.json").write_text(json.dumps(content))
    save_file(arrays, directory / "model.safetensors")
    return directory


def vit_arrays() -> dict[str, np.ndarray]:
    """Weights of `HF_VIT` by Hugging Face's names."""
    dice = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.cls_token": (1, 1, 8),
        "embeddings.position_embeddings": (1, 17, 8),
        "embeddings.patch_embeddings.projection.weight": (8, 3, 8, 8),
        "embeddings.patch_embeddings.projection.bias": (8,),
        "layernorm.weight": (8,),
        "layernorm.bias": (8,),
    }
    block = "encoder.layer.0"
    for name, rows, columns in (
        ("attention.attention.query", 8, 8), ("attention.attention.key", 8, 8), ("attention.attention.value", 8, 8),
        ("attention.output.dense", 8, 8), ("intermediate.dense", 16, 8), ("output.dense", 8, 16),
    ):  # fmt: skip
        shapes |= {f"{block}.{name}.weight": (rows, columns), f"{block}.{name}.bias": (rows,)}
    for name in ("layernorm_before", "layernorm_after"):
        shapes |= {f"{block}.{name}.weight": (8,), f"{block}.{name}.bias": (8,)}
    return {name: dice.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def keras_hub_directory(directory: Path, model: keras.Model, **files: dict) -> Path:
    """As `model.save_to_preset` writes it, with only what is read."""
    model.save_to_preset(str(directory))
    for name, content in files.items():
        (directory / f"{name}.json").write_text(json.dumps(content))
    return directory
