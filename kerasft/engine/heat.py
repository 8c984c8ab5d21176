"""Where in an image a model looked: Grad-CAM, or what the backbone itself says."""

import base64
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from kerasft.model import TrainedModel
from kerasft.pictures import jpeg

SIDE = 144  # pixels of a picture in a report
_SHARE = 0.55  # of the heat in an overlay, where it is hottest


def pictures(model: TrainedModel, contents: Sequence[bytes]) -> list[str]:
    """Images as the model reads them, beside the same under their heat, as JPEG files in base64.

    Args:
        model: of images.
        contents: files.
    """
    inputs = dict(model.assembly.backbone.preprocess(tf.constant(list(contents))).inputs)
    images = inputs["images"].numpy().astype(np.uint8)
    found = heat(model, inputs)
    sheets = images if found is None else np.concatenate([images, _overlays(images, found)], axis=2)
    side = SIDE if found is None else 2 * SIDE
    return [base64.b64encode(jpeg(sheet, side)).decode() for sheet in sheets]


def heat(model: TrainedModel, inputs: dict[str, tf.Tensor]) -> np.ndarray | None:
    """What spoke for the likeliest answer of each image, from 0 to 1, of shape ``(batch, h, w)``.

    A backbone that says itself where it looked is asked. Any other that gives ``spatial`` gets Grad-CAM (Selvaraju et
    al. 2017, equations 1 and 2): channels weighted by the mean gradient of the largest logit, negative sums left out.

    Returns:
        None if neither is possible, or the task has no logits of shape ``(batch, n)``.
    """
    backbone = model.assembly.backbone
    if len(model.output_shape) != 2:
        return None
    if backbone.heat is not None:
        return _scaled(backbone.heat(inputs))
    spatial = backbone.model.output.get("spatial")
    if spatial is None:
        return None
    both = keras.Model(model.input, [spatial, model.output])
    with tf.GradientTape() as tape:
        maps, logits = both(inputs, training=False)
        likeliest = tf.reduce_sum(tf.reduce_max(logits, axis=-1))
    gradient = tape.gradient(likeliest, maps)
    if gradient is None:
        return None
    weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    return _scaled(tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1)))


def _scaled(values: tf.Tensor) -> np.ndarray:
    array = tf.cast(values, tf.float32).numpy()
    low, high = (edge(axis=(1, 2), keepdims=True) for edge in (array.min, array.max))
    return (array - low) / np.maximum(high - low, 1e-12)


def _overlays(images: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Images in grey, under red where it is hot."""
    large = tf.image.resize(heat[..., np.newaxis], images.shape[1:3], "bicubic").numpy().clip(0, 1)
    grey = images.mean(axis=-1, keepdims=True)
    red = np.array([255.0, 40.0, 0.0])
    mixed = grey * (1 - _SHARE * large) + red * _SHARE * large
    return mixed.clip(0, 255).astype(np.uint8)
