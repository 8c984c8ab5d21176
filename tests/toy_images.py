"""A backbone of images with all that is hard to freeze: convolutions, batch statistics, dropout and residuals."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasft import Backbone, BackboneSpec, Encoded, Group, modeling
from kerasft.model import TrainedModel
from kerasft_classification.single_label import SingleLabel

SPEC = BackboneSpec(name="toy", modality="image", provides=("spatial",), factory="toy_images:backbone")

EXAMPLES = 24


def backbone(regroup: Callable[[list[Group]], list[Group]] = list) -> Backbone:
    """Four groups of layers: a stem, two blocks with a residual each, and a neck."""
    images = keras.Input((8, 8, 3), name="images")
    groups = []

    def block(name: str, x: Any, *, residual: bool) -> Any:
        layers = [
            keras.layers.Conv2D(4, 3, padding="same", use_bias=False, name=f"{name}_conv"),
            keras.layers.BatchNormalization(name=f"{name}_bn", momentum=0.5),
            keras.layers.Dropout(0.5, name=f"{name}_dropout"),
        ]
        groups.append(Group(name, layers))
        y = x
        for layer in layers:
            y = layer(y)
        y = keras.layers.ReLU(name=f"{name}_relu")(y)
        return keras.layers.Add(name=f"{name}_add")([x, y]) if residual else y

    x = block("stem", images, residual=False)
    x = block("block_0", x, residual=True)
    x = block("block_1", x, residual=True)
    x = block("neck", x, residual=False)
    return Backbone(
        model=keras.Model(images, {"spatial": x}, name="toy"),
        groups=regroup(groups),
        preprocess=lambda raw: Encoded({"images": raw}, {}),
        files={},
    )


def build(**options: Any) -> TrainedModel:
    """The backbone with a classification head; statistics that are neither zero nor one."""
    keras.utils.set_random_seed(1)
    model = modeling.assemble(SPEC, backbone(**options), SingleLabel(labels=["dark", "light"], dropout=0.0))
    dice = np.random.default_rng(0)
    for weight in model.non_trainable_weights:
        weight.assign(dice.uniform(0.5, 1.5, weight.shape))
    return model


def images(count: int = EXAMPLES) -> tf.Tensor:
    """Bright and dark noise."""
    dice = np.random.default_rng(2)
    return tf.constant(
        dice.normal(0.5, 2.0, (count, 8, 8, 3)) + (np.arange(count) % 2)[:, None, None, None], tf.float32
    )


def train(model: TrainedModel, epochs: int = 2) -> None:
    """Plain `compile` and `fit`."""
    model.compile(keras.optimizers.SGD(0.1), model.assembly.task.loss(), jit_compile=False)
    model.fit(images(), np.arange(EXAMPLES) % 2, batch_size=8, epochs=epochs, verbose=0)


def bits(model: TrainedModel) -> Mapping[str, bytes]:
    """Every weight and statistic, bit by bit, by its path."""
    return {weight.path: weight.numpy().tobytes() for weight in model.weights}


def changed(model: TrainedModel, before: Mapping[str, bytes]) -> set[str]:
    """Paths of what is not as it was before."""
    return {path for path, value in bits(model).items() if value != before[path]}
