"""How much arithmetic a training needs: by the usual count, 2 operations per weight and token forward, 4 backward."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """The shape of a BERT.

    Args:
        layers: how many.
        width: of the hidden states.
        inner: width between the two matrices of a layer's feed-forward part.
    """

    layers: int
    width: int
    inner: int

    @classmethod
    def of(cls, directory: Path) -> Self:
        """From a checkpoint's ``config.json``."""
        config = json.loads((directory / "config.json").read_text("utf-8"))
        return cls(layers=config["num_hidden_layers"], width=config["hidden_size"], inner=config["intermediate_size"])

    @property
    def layer_weights(self) -> int:
        """Of one layer: attention, feed-forward, biases, norms."""
        matrices = 4 * self.width**2 + 2 * self.width * self.inner
        return matrices + 9 * self.width + self.inner

    def trained(self, train: str) -> int:
        """Layers that train: 0 for ``"head"``, n for ``"top<n>"``."""
        if train in ("head", "all"):
            return self.layers if train == "all" else 0
        return int(train.removeprefix("top"))

    def forward(self, tokens: int, pairs: int) -> float:
        """Of one layer, over texts with so many tokens, and so many pairs of them that attend to each other."""
        return 2 * self.layer_weights * tokens + 4 * self.width * pairs


@dataclass(frozen=True, kw_only=True)
class Work:
    """FLOPs of a training.

    Args:
        needed: frozen layers once, trained layers in each epoch, over real tokens.
        recomputed: frozen layers again in the epochs after the first, over real tokens.
        padding: everything that is done for padding.
    """

    needed: float
    recomputed: float = 0.0
    padding: float = 0.0


def head(encoder: Encoder, examples: int, classes: int = 5) -> float:
    """Of a linear layer that trains for one epoch."""
    return 6 * (encoder.width + 1) * classes * examples


def needed(encoder: Encoder, lengths: Sequence[int], train: str, epochs: int) -> float:
    """What an ideal program computes for texts of these lengths."""
    trained = encoder.trained(train)
    layer = encoder.forward(sum(lengths), sum(length**2 for length in lengths))
    return layer * (encoder.layers - trained + 3 * trained * epochs) + head(encoder, len(lengths)) * epochs


def work(encoder: Encoder, lengths: Sequence[int], spec: dict[str, Any], result: dict[str, Any], epochs: int) -> Work:
    """What a side computed per epoch, in three parts.

    Args:
        lengths: of the texts that it trained on.
        spec: of its run.
        result: of its run.
        epochs: of the scenario; the ideal program computes frozen layers once in so many.
    """
    tokens, pairs = sum(lengths), sum(length**2 for length in lengths)
    trained = encoder.trained(spec["train"])
    frozen = encoder.layers - trained
    times = frozen * (1 / epochs if cached(spec, result, encoder) else 1) + 3 * trained
    real, padded = (
        encoder.forward(*amount) for amount in ((tokens, pairs), (result["padded_tokens"], result["padded_pairs"]))
    )
    ideal = needed(encoder, lengths, spec["train"], epochs) / epochs
    return Work(
        needed=ideal,
        recomputed=max(0.0, real * times - real * (frozen / epochs + 3 * trained)),
        padding=max(0.0, (padded - real) * times),
    )


def cached(spec: dict[str, Any], result: dict[str, Any], encoder: Encoder) -> bool:
    """Whether the outputs of frozen layers were kept: files were left that are large enough for half of them."""
    if spec["train"] == "all":
        return False
    vectors = result["examples"] if spec["train"] == "head" else result["useful_tokens"]
    return result.get("cache_bytes", 0) >= vectors * encoder.width * 2
