"""Checkpoints in Hugging Face format, small enough to write anew for every test."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", "good", "bad", "film", "a", "##s", "not"]
CONFIG = {
    "model_type": "bert",
    "vocab_size": len(TOKENS),
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 24,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "layer_norm_eps": 1e-12,
}


def weights(config: Mapping[str, Any] = CONFIG, seed: int = 0, pooler: bool = True) -> dict[str, np.ndarray]:
    """Random ones by the names of `transformers.BertModel`, large enough for every part to matter."""
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], hidden),
    }
    norms, denses = ["embeddings.LayerNorm"], {}
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            denses[f"{layer}.{name}"] = (hidden, hidden)
        denses[f"{layer}.intermediate.dense"] = (wide, hidden)
        denses[f"{layer}.output.dense"] = (hidden, wide)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    if pooler:
        denses["pooler.dense"] = (hidden, hidden)
    for name, (out, into) in denses.items():
        shapes |= {f"{name}.weight": (out, into), f"{name}.bias": (out,)}
    for name in norms:
        shapes |= {f"{name}.weight": (hidden,), f"{name}.bias": (hidden,)}
    dice = np.random.default_rng(seed)
    return {name: dice.normal(0.2, 0.6, shape).astype(np.float32) for name, shape in shapes.items()}


def write(
    directory: Path,
    arrays: Mapping[str, np.ndarray] | None = None,
    *,
    tokenizer_config: Mapping[str, Any] | None = None,
    shards: int = 1,
    **config: Any,
) -> Path:
    """A checkpoint directory.

    Args:
        directory: made if need be.
        arrays: weights by name; random ones of the right shapes by default.
        tokenizer_config: ``do_lower_case`` true by default.
        shards: files to spread the weights over; more than one writes an index.
        config: changes to `CONFIG`; None leaves a field out.
    """
    directory.mkdir(parents=True, exist_ok=True)
    merged = {name: value for name, value in {**CONFIG, **config}.items() if value is not None}
    arrays = weights(merged) if arrays is None else arrays
    (directory / "config.json").write_text(json.dumps(merged))
    (directory / "vocab.txt").write_text("\n".join(TOKENS) + "\n")
    settings = {"do_lower_case": True} if tokenizer_config is None else tokenizer_config
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    if shards == 1:
        save_file(dict(arrays), directory / "model.safetensors")
        return directory
    weight_map = {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        some = list(arrays)[i::shards]
        save_file({name: arrays[name] for name in some}, directory / file)
        weight_map |= dict.fromkeys(some, file)
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return directory
