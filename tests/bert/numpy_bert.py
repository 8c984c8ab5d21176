"""BERT's forward pass written a second time, in numpy, from the paper and `transformers`' names of weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import erf

Weights = Mapping[str, np.ndarray]


def gelu(x: np.ndarray) -> np.ndarray:
    """The exact one: x times the normal distribution function."""
    return x * 0.5 * (1.0 + erf(x / np.sqrt(2.0)))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    """The approximation that BERT's authors used before erf was common."""
    return x * 0.5 * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))


def hidden_states(
    weights: Weights, config: Mapping[str, Any], ids: np.ndarray, mask: np.ndarray, activation: Any = gelu
) -> np.ndarray:
    """The last layer for token ids ``(batch, tokens)``; values at padding mean nothing."""
    heads, epsilon = config["num_attention_heads"], config.get("layer_norm_eps", 1e-12)

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ weights[f"{name}.weight"].T.astype(np.float64) + weights[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def split(x: np.ndarray) -> np.ndarray:
        return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)

    x = weights["embeddings.word_embeddings.weight"][ids].astype(np.float64)
    x = x + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"
        query, key, value = (split(dense(x, f"{layer}.attention.self.{part}")) for part in ("query", "key", "value"))
        scores = query @ key.transpose(0, 1, 3, 2) / np.sqrt(query.shape[-1])
        scores = np.where(mask[:, None, None, :] > 0, scores, -1e9)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        context = (scores / scores.sum(-1, keepdims=True)) @ value
        context = context.transpose(0, 2, 1, 3).reshape(x.shape)
        x = norm(x + dense(context, f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm")
        wide = activation(dense(x, f"{layer}.intermediate.dense"))
        x = norm(x + dense(wide, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    return x


def pooled(weights: Weights, hidden: np.ndarray) -> np.ndarray:
    """The pooler: a dense layer with tanh on the first token."""
    return np.tanh(hidden[:, 0] @ weights["pooler.dense.weight"].T + weights["pooler.dense.bias"])


def sentence_embeddings(hidden: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """As sentence-transformers has it: the mean over the tokens, scaled to length 1."""
    mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)
