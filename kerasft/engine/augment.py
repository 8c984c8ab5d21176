"""Random changes to training images, the same for the same seed, epoch and step."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from kerasft.engine.mosaic import mosaic
from kerasft.task import Task

_RANGE = (0, 255)
_GREY = 114.0  # behind an image that is made smaller
_LAYERS: Mapping[str, Callable[[float], list[keras.Layer]]] = {
    "crop": lambda s: [
        keras.layers.RandomTranslation(s / 2, s / 2, fill_mode="reflect"),
        keras.layers.RandomZoom((-s, 0.0), fill_mode="reflect"),
    ],
    "colour": lambda s: [
        # Of saturation, one half is none: from grey at 0 to as much as can be at 1.
        keras.layers.RandomColorJitter(_RANGE, s, s, saturation_factor=(0.5 - s / 2, 0.5 + s / 2), hue_factor=s / 5)
    ],
    "randaugment": lambda s: [keras.layers.RandAugment(_RANGE, num_ops=2, factor=s)],
    "erasing": lambda s: [keras.layers.RandomErasing(s, value_range=_RANGE)],
    "mixup": lambda s: [keras.layers.MixUp(alpha=s)],
    "cutmix": lambda s: [keras.layers.CutMix(s)],
}


class Augmentation:
    """Changes batches of images, and targets where images are mixed, in graph operations.

    Args:
        strengths: by name, in the order of application; see `kerasft.augmentations`.
        mix: mixes targets, as `kerasft.task.Task.mix` does.
    """

    def __init__(self, strengths: Mapping[str, float], mix: Callable[..., tf.Tensor]):
        self._mix = mix
        self._draws = _Draws()
        self._flip = strengths.get("flip", 0.0)
        self._crop = strengths.get("crop", 0.0)
        self._mosaic = strengths.get("mosaic", 0.0)
        self._colour = _LAYERS["colour"](strengths["colour"]) if "colour" in strengths else []
        self._layers = [layer for name, s in strengths.items() if name in _LAYERS for layer in _LAYERS[name](s)]
        for layer in (*self._layers, *self._colour):
            for inner in _with_inner(layer):
                inner.generator = self._draws

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """One batch.

        Args:
            images: of shape ``(batch, height, width, 3)``, 0 to 255.
            targets: aligned, of shape ``(batch, …)``.
            seed: int64 of shape ``(2,)``; the same draws for the same one.

        Returns:
            Images, float32, and targets, mixed as the images were.
        """
        self._draws.begin(seed)
        images = tf.cast(images, tf.float32)
        if self._flip:
            chance = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], self._draws.next())
            images = tf.where(chance < self._flip, tf.reverse(images, [2]), images)
        for layer in self._layers:
            changes = layer.get_random_transformation(images, training=True)
            shape = images.shape
            images = tf.clip_by_value(layer.transform_images(images, changes, training=True), *_RANGE)
            images = tf.ensure_shape(images, shape)
            if isinstance(layer, keras.layers.MixUp | keras.layers.CutMix):
                others = tf.gather(targets, changes["permutation_order"])
                targets = self._mix(targets, others, tf.reshape(changes["mix_weight"], [-1]))
        return images, targets

    def move(
        self, images: tf.Tensor, affine: tf.Tensor, targets: tf.RaggedTensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor | tf.RaggedTensor, tf.RaggedTensor]:
        """One batch for targets that are places: mosaic, crop (here to both sides: smaller on grey, too), flip, colour.

        Args:
            images: of shape ``(batch, height, width, 3)``, 0 to 255.
            affine: scale_y, scale_x, offset_y, offset_x from original pixels to these, of shape ``(batch, 4)``.
            targets: ragged ``(batch, places, …)``.
            seed: as above.

        Returns:
            Images, float32; where they come from now, which after mosaics each place has for itself, of shape
            ``(batch, places, 4)``; and what there is in them.
        """
        self._draws.begin(seed)
        images = tf.cast(images, tf.float32)
        shape, count = images.shape, tf.shape(images)[0]
        size = tf.constant([shape[1], shape[2]], tf.float32)
        if self._mosaic:
            chosen = tf.random.stateless_uniform([count], self._draws.next()) < self._mosaic
            seeds = self._draws.next(), self._draws.next()
            images, affine, targets = mosaic(images, affine, targets, chosen, seeds)
        if self._crop:
            low, high = -math.log1p(self._crop), math.log1p(self._crop)
            side = tf.exp(-tf.random.stateless_uniform([count, 1], self._draws.next(), low, high))
            shift = tf.random.stateless_uniform([count, 2], self._draws.next(), -0.5, 0.5) * self._crop
            corner = 0.5 + shift - side / 2  # of what is taken, as a fraction of the image
            boxes = tf.concat([corner, corner + side], axis=1)
            images = tf.image.crop_and_resize(images, boxes, tf.range(count), shape[1:3], extrapolation_value=_GREY)
            affine = _then(affine, tf.repeat(1 / side, 2, axis=1), -corner * size / side)
        if self._flip:
            mirrored = tf.random.stateless_uniform([count], self._draws.next()) < self._flip
            images = tf.where(mirrored[:, tf.newaxis, tf.newaxis, tf.newaxis], tf.reverse(images, [2]), images)
            mirrored = tf.stack([tf.zeros_like(mirrored), mirrored], axis=1)
            affine = _then(affine, tf.where(mirrored, -1.0, 1.0), tf.where(mirrored, size, 0.0))
        for layer in self._colour:
            changes = layer.get_random_transformation(images, training=True)
            images = tf.clip_by_value(layer.transform_images(images, changes, training=True), *_RANGE)
        return tf.ensure_shape(images, shape), affine, targets


def changed(
    augmentation: Augmentation,
    task: Task,
    inputs: Mapping[str, tf.Tensor],
    alignment: Mapping[str, tf.Tensor],
    targets: tf.Tensor | tf.RaggedTensor,
    seed: tf.Tensor,
) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor], tf.Tensor | tf.RaggedTensor]:
    """A batch as `Encodings.gather` gives it, with its encoded targets, augmented.

    Returns:
        Inputs, alignment and targets. Places are still to be aligned, by the alignment that moved with them; other
        targets are aligned.
    """
    images = inputs["images"]
    if task.placed:
        images, affine, targets = augmentation.move(images, alignment["affine"], targets, seed)
        return {**inputs, "images": images}, {**alignment, "affine": affine}, targets
    images, targets = augmentation(images, task.align(targets, alignment), seed)
    return {**inputs, "images": images}, dict(alignment), targets


def _then(affine: tf.Tensor | tf.RaggedTensor, factor: tf.Tensor, shift: tf.Tensor) -> tf.Tensor | tf.RaggedTensor:
    """Maps, of images or of each place in them, followed by others of shape ``(batch, 2)``: down, right."""
    if isinstance(affine, tf.RaggedTensor):
        rows = affine.value_rowids()
        return affine.with_flat_values(_then(affine.flat_values, tf.gather(factor, rows), tf.gather(shift, rows)))
    return tf.concat([affine[:, :2] * factor, affine[:, 2:] * factor + shift], axis=1)


class _Draws(keras.random.SeedGenerator):
    """Seeds for Keras's random operations, each made of the batch's seed and of its own number in the graph."""

    def __init__(self) -> None:  # no variable: it would be state that no checkpoint has
        self._seed: tf.Tensor | None = None
        self._number = 0

    def begin(self, seed: tf.Tensor) -> None:
        """A batch, while its graph is traced."""
        self._seed, self._number = seed, 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        """Another seed, int32 of shape (2,)."""
        self._number += 1
        folded = tf.random.experimental.stateless_fold_in(tf.cast(self._seed, tf.int64), self._number)
        return tf.cast(folded, tf.int32)


def _with_inner(layer: keras.Layer) -> Iterator[Any]:
    """A layer and those it holds in attributes: Keras does not list them as its own."""
    yield layer
    for value in vars(layer).values():
        if isinstance(value, keras.Layer) and value is not layer:
            yield from _with_inner(value)
