"""A feature pyramid with the two towers of RetinaNet.

Lin et al. 2017, "Feature Pyramid Networks for Object Detection", and "Focal Loss for Dense Object Detection", section
4.
"""

import math
from collections.abc import Mapping

import keras

PRIOR = 0.01
"""Probability of an object that every anchor gives at first: the bias of the class tower alone."""


def build(
    pyramid: Mapping[str, keras.KerasTensor], *, labels: int, anchors: int, channels: int, convolutions: int
) -> keras.KerasTensor:
    """``(batch, all anchors, labels + 4)``: logits of labels and numbers of boxes.

    Args:
        pyramid: levels from fine to coarse.
        labels: how many.
        anchors: for each place.
        channels: of all layers.
        convolutions: of each tower.
    """
    layers = keras.layers
    levels = list(pyramid)
    merged: list[keras.KerasTensor] = []
    for level in reversed(levels):
        x = layers.Conv2D(channels, 1, name=f"fpn_{level}_lateral")(pyramid[level])
        if merged:
            x = layers.Add(name=f"fpn_{level}_add")([x, layers.UpSampling2D(2, name=f"fpn_{level}_up")(merged[-1])])
        merged.append(x)
    smoothed = [
        layers.Conv2D(channels, 3, padding="same", name=f"fpn_{level}")(x)
        for level, x in zip(levels, reversed(merged), strict=True)
    ]
    bias = keras.initializers.Constant(-math.log((1 - PRIOR) / PRIOR))
    towers = [
        _tower(smoothed, "labels", labels, anchors, channels, convolutions, bias),
        _tower(smoothed, "boxes", 4, anchors, channels, convolutions, "zeros"),
    ]
    return layers.Concatenate(axis=-1, dtype="float32", name="answers")(towers)


def _tower(inputs, name, width, anchors, channels, convolutions, bias):  # type: ignore[no-untyped-def]
    """Convolutions that all levels share, each with normalizations of its own."""
    layers = keras.layers
    initializer = keras.initializers.RandomNormal(stddev=0.01)
    shared = [layers.Conv2D(channels, 3, padding="same", name=f"{name}_{i}") for i in range(convolutions)]
    last = layers.Conv2D(
        width * anchors, 3, padding="same", kernel_initializer=initializer, bias_initializer=bias, dtype="float32",
        name=f"{name}_logits",
    )  # fmt: skip
    norms = [layers.GroupNormalization(8, name=f"{name}_{i}_norm") for i in range(convolutions)]
    found = []
    for level, x in enumerate(inputs):
        for convolution, norm in zip(shared, norms, strict=True):
            x = keras.ops.relu(norm(convolution(x)))
        found.append(layers.Reshape((-1, width), name=f"{name}_{level}_flat")(last(x)))
    return layers.Concatenate(axis=1, name=f"{name}_all")(found)
