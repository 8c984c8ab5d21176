"""ResNet checkpoints of Hugging Face and timm: what their weights are called.

KerasHub has no reader for Hugging Face's. Its own layers are called ``stack<s>_block<b>_<n>_conv`` and ``_bn``, with
``n`` 0 for the shortcut.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from kerasft import json_files
from kerasft.errors import AssetError
from kerasft.safetensors_files import Safetensors, Weight
from kerasft_vision.build import Load

_BLOCKS = {
    "resnet18": ([2, 2, 2, 2], "basic_block"),
    "resnet26": ([2, 2, 2, 2], "bottleneck_block"),
    "resnet34": ([3, 4, 6, 3], "basic_block"),
    "resnet50": ([3, 4, 6, 3], "bottleneck_block"),
    "resnet101": ([3, 4, 23, 3], "bottleneck_block"),
    "resnet152": ([3, 8, 36, 3], "bottleneck_block"),
}
_FILTERS = [64, 128, 256, 512]
_CONVOLUTIONS = {"basic_block": 2, "bottleneck_block": 3}
_HUGGING_FACE = {"embedding_size": "embedding_size", "hidden_sizes": "hidden_sizes", "depths": "depths"}


def read(directory: Path, described: Mapping[str, Any]) -> tuple[dict[str, Any], Load]:
    """Arguments of KerasHub's `ResNetBackbone`, and what loads its weights.

    Raises:
        AssetError: it is another architecture, or files are missing or damaged.
    """
    if described.get("model_type") == "resnet":
        return _hugging_face(directory, described)
    return _timm(directory, described)


def _architecture(blocks: list[int], kind: str, pre_activation: bool) -> dict[str, Any]:
    return {
        "input_conv_filters": [64],
        "input_conv_kernel_sizes": [7],
        "stackwise_num_filters": _FILTERS,
        "stackwise_num_blocks": blocks,
        "stackwise_num_strides": [1, 2, 2, 2],
        "block_type": kind,
        "use_pre_activation": pre_activation,
    }


def _timm(directory: Path, described: Mapping[str, Any]) -> tuple[dict[str, Any], Load]:
    name = str(described.get("architecture"))
    pre_activation = name.startswith("resnetv2_")
    plain = name.replace("v2_", "")
    if plain not in _BLOCKS or (pre_activation and _BLOCKS[plain][1] == "basic_block"):
        known = [*_BLOCKS, "resnetv2_50", "resnetv2_101", "resnetv2_152"]
        raise AssetError(f"{directory}: ResNets of timm are {', '.join(known)}. Received: {name}")
    blocks, kind = _BLOCKS[plain]
    stored = Safetensors(directory)

    def weights(encoder: keras.Model) -> Iterator[Weight]:
        yield from _convolution(encoder, "conv1_conv", "stem.conv" if pre_activation else "conv1")
        if pre_activation:
            yield from _norm(encoder, "post_bn", "norm")
        else:
            yield from _norm(encoder, "conv1_bn", "bn1")
        for stack, block, ours in _each(blocks):
            theirs = f"stages.{stack}.blocks.{block}" if pre_activation else f"layer{stack + 1}.{block}"
            if _has(encoder, f"{ours}_0_conv"):
                shortcut = "downsample.conv" if pre_activation else "downsample.0"
                yield from _convolution(encoder, f"{ours}_0_conv", f"{theirs}.{shortcut}")
            for n in range(1, _CONVOLUTIONS[kind] + 1):
                yield from _convolution(encoder, f"{ours}_{n}_conv", f"{theirs}.conv{n}")
            if pre_activation:
                yield from _norm(encoder, f"{ours}_pre_activation_bn", f"{theirs}.norm1")
                for n in range(1, _CONVOLUTIONS[kind]):
                    yield from _norm(encoder, f"{ours}_{n}_bn", f"{theirs}.norm{n + 1}")
                continue
            if _has(encoder, f"{ours}_0_bn"):
                yield from _norm(encoder, f"{ours}_0_bn", f"{theirs}.downsample.1")
            for n in range(1, _CONVOLUTIONS[kind] + 1):
                yield from _norm(encoder, f"{ours}_{n}_bn", f"{theirs}.bn{n}")

    return _architecture(blocks, kind, pre_activation), lambda encoder: stored.load(weights(encoder))


def _hugging_face(directory: Path, described: Mapping[str, Any]) -> tuple[dict[str, Any], Load]:
    fields = json_files.read_fields(directory / "config.json", dict(described), _HUGGING_FACE)
    kind = f"{described.get('layer_type', 'bottleneck')}_block"
    widths = [width * (4 if kind == "bottleneck_block" else 1) for width in _FILTERS]
    expected = {
        "embedding_size": 64,
        "hidden_sizes": widths,
        "hidden_act": "relu",
        "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
    }
    received = {name: described.get(name, value) for name, value in expected.items()}
    if received != expected or kind not in _CONVOLUTIONS:
        other = ", ".join(f"{name}={value!r}" for name, value in received.items() if value != expected[name])
        raise AssetError(f"{directory}: not a ResNet as KerasHub builds them. Received: {other or kind}")
    stored = Safetensors(directory)
    stored.prefix = "" if "embedder.embedder.convolution.weight" in stored else "resnet."

    def pair(encoder: keras.Model, ours: str, theirs: str) -> Iterator[Weight]:
        yield from _convolution(encoder, f"{ours}_conv", f"{theirs}.convolution")
        yield from _norm(encoder, f"{ours}_bn", f"{theirs}.normalization")

    def weights(encoder: keras.Model) -> Iterator[Weight]:
        yield from pair(encoder, "conv1", "embedder.embedder")
        for stack, block, ours in _each(fields["depths"]):
            theirs = f"encoder.stages.{stack}.layers.{block}"
            if _has(encoder, f"{ours}_0_conv"):
                yield from pair(encoder, f"{ours}_0", f"{theirs}.shortcut")
            for n in range(1, _CONVOLUTIONS[kind] + 1):
                yield from pair(encoder, f"{ours}_{n}", f"{theirs}.layer.{n - 1}")

    return _architecture(fields["depths"], kind, False), lambda encoder: stored.load(weights(encoder))


def _each(blocks: list[int]) -> Iterator[tuple[int, int, str]]:
    for stack, count in enumerate(blocks):
        for block in range(count):
            yield stack, block, f"stack{stack}_block{block}"


def _has(encoder: keras.Model, name: str) -> bool:
    return any(layer.name == name for layer in encoder.layers)


def _convolution(encoder: keras.Model, ours: str, theirs: str) -> Iterator[Weight]:
    kernel = encoder.get_layer(ours).kernel
    height, width, rows, columns = kernel.shape
    yield Weight(f"{theirs}.weight", kernel, (columns, rows, height, width), lambda a: a.transpose(2, 3, 1, 0))


def _norm(encoder: keras.Model, ours: str, theirs: str) -> Iterator[Weight]:
    layer = encoder.get_layer(ours)
    pairs = {
        "weight": layer.gamma,
        "bias": layer.beta,
        "running_mean": layer.moving_mean,
        "running_var": layer.moving_variance,
    }
    for name, variable in pairs.items():
        yield Weight(f"{theirs}.{name}", variable, tuple(variable.shape))
