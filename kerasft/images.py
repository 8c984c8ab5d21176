"""Encoded images to arrays of one size, in graph operations: training, prediction and an exported model share this."""

from typing import Literal

import numpy as np
import tensorflow as tf

from kerasft.backbone import Encoded

_KERNELS = {"bilinear": "triangle", "bicubic": "keyscubic"}
_RATIOS = (1, 2, 4, 8)  # by which JPEG can be decoded smaller, at a fraction of memory and time

# Where the Exif block of a JPEG begins: behind the first markers. Cameras write it first.
_EXIF_WITHIN = 4096
_EXIF = b"Exif\x00\x00"
_ORIENTATION = 0x0112
_MOST_TAGS = 64

# By Exif orientation (2.32, 4.6.4), from 1 on: rows and columns change places, then up and down, then left and right.
_TRANSPOSED = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1], bool)
_UPSIDE_DOWN = np.array([0, 0, 0, 1, 1, 0, 0, 1, 1], bool)
_MIRRORED = np.array([0, 0, 1, 1, 0, 0, 1, 1, 0], bool)


class ImagePreprocess(tf.Module):
    """JPEG, PNG, GIF and BMP files to RGB images of one size.

    Grey becomes RGB, CMYK is converted, transparency is left out, 16 bits become 8, an animation gives its first frame,
    and a JPEG is turned upright as its Exif block says. Images are resized with antialiasing.

    Args:
        size: ``(height, width)`` in pixels.
        resize: ``"crop"`` keeps proportions and takes the middle; ``"stretch"`` takes all, out of proportion.
        crop: side of what ``"crop"`` takes, as a fraction of the shorter side; 0.875 is 224 of 256 pixels.
        interpolation: ``"bilinear"`` or ``"bicubic"``, as Pillow computes them.

    Raises:
        ValueError: `interpolation` or `resize` is another one.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        resize: Literal["crop", "stretch"] = "crop",
        crop: float = 0.875,
        interpolation: Literal["bilinear", "bicubic"] = "bilinear",
    ):
        super().__init__()
        if resize not in ("crop", "stretch") or interpolation not in _KERNELS:
            raise ValueError(f"Received: resize={resize!r}, interpolation={interpolation!r}")
        self.size = size
        self.resize = resize
        self.crop = crop
        self.interpolation = interpolation

    def __call__(self, raw: tf.Tensor) -> Encoded:
        """Decodes files, a string tensor of shape ``(batch,)``.

        Returns:
            ``images``, uint8 of shape ``(batch, height, width, 3)``, and as alignment ``affine``, float32 of shape
            ``(batch, 4)``: scale_y, scale_x, offset_y, offset_x. A point of the original, upright image is at
            ``original * scale + offset`` in the model's; both count pixels from the upper left corner.
        """
        return self._encoded(raw, self.resize)

    def whole(self, raw: tf.Tensor) -> Encoded:
        """As a call, but all of every image, out of proportion."""
        return self._encoded(raw, "stretch")

    def _encoded(self, raw: tf.Tensor, resize: str) -> Encoded:
        signature = tf.TensorSpec((*self.size, 3), tf.uint8), tf.TensorSpec(4, tf.float32)
        images, affine = tf.map_fn(lambda content: self._one(content, resize), raw, fn_output_signature=signature)
        return Encoded({"images": images}, {"affine": affine})

    def _one(self, content: tf.Tensor, resize: str) -> tuple[tf.Tensor, tf.Tensor]:
        is_jpeg = tf.strings.substr(content, 0, 2) == b"\xff\xd8"
        image, ratio = tf.cond(is_jpeg, lambda: self._jpeg(content), lambda: _other(content))
        scale, offset = self._geometry(tf.shape(image)[:2], resize)
        resized = tf.raw_ops.ScaleAndTranslate(
            images=image[tf.newaxis],
            size=self.size,
            scale=scale,
            translation=offset,
            kernel_type=_KERNELS[self.interpolation],
            antialias=True,
        )[0]
        pixels = tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)
        # A JPEG decoded at a fraction of its size: the same place, counted in pixels of the original.
        return tf.ensure_shape(pixels, (*self.size, 3)), tf.concat([scale / ratio, offset], axis=0)

    def _geometry(self, shape: tf.Tensor, resize: str) -> tuple[tf.Tensor, tf.Tensor]:
        """Scale and offset ``(y, x)`` from an image of this shape to the model's."""
        size, shape = tf.constant(self.size, tf.float32), tf.cast(shape, tf.float32)
        if resize == "stretch":
            return size / shape, tf.zeros(2)
        scale = tf.reduce_max(size / self.crop / shape)
        return tf.fill([2], scale), (size - shape * scale) / 2

    def _jpeg(self, content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """An upright image, and by how much it is smaller than the file says."""
        shape = tf.image.extract_jpeg_shape(content)[:2]
        # Twice the size that is wanted is left for antialiasing to choose from.
        wanted = 2.0 * max(self.size) / (self.crop if self.resize == "crop" else 1.0)
        least = tf.cast(tf.reduce_min(shape), tf.float32)
        choice = tf.reduce_sum(tf.cast(least / tf.constant(_RATIOS[1:], tf.float32) >= wanted, tf.int32))
        image = tf.switch_case(
            choice, [lambda ratio=ratio: tf.image.decode_jpeg(content, 3, ratio=ratio) for ratio in _RATIOS]
        )
        return _upright(image, _orientation(content)), tf.gather(tf.constant(_RATIOS, tf.float32), choice)


def _other(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    image = tf.io.decode_image(content, channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3)), tf.constant(1.0)


def _upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    def where(table: np.ndarray, change, image: tf.Tensor) -> tf.Tensor:  # type: ignore[no-untyped-def]
        return tf.cond(tf.gather(table, orientation), lambda: change(image), lambda: image)

    image = where(_TRANSPOSED, lambda x: tf.transpose(x, (1, 0, 2)), image)
    image = where(_UPSIDE_DOWN, lambda x: tf.reverse(x, [0]), image)
    return where(_MIRRORED, lambda x: tf.reverse(x, [1]), image)


def _orientation(content: tf.Tensor) -> tf.Tensor:
    """The Exif orientation of a JPEG, from 1 to 8; 1 where nothing sensible is said.

    The block is a TIFF file: byte order, a list of 12-byte entries (tag, type, count, value), this one among them.
    """
    head = tf.strings.substr(content, 0, _EXIF_WITHIN + 16 + 12 * _MOST_TAGS)
    found = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int32)
    count = tf.size(found) - len(_EXIF) + 1
    is_here = tf.reduce_all(
        tf.stack([found[i : count + i] == byte for i, byte in enumerate(_EXIF)]), axis=0
    )  # fmt: skip
    tiff = tf.cast(tf.argmax(is_here), tf.int32) + len(_EXIF)
    found = tf.pad(found[tiff:], [[0, 14 + 12 * _MOST_TAGS]])
    little = found[0] == ord("I")

    def two(at: tf.Tensor) -> tf.Tensor:
        low, high = tf.gather(found, at), tf.gather(found, at + 1)
        return tf.where(little, low + 256 * high, 256 * low + high)

    first = tf.clip_by_value(two(tf.where(little, 4, 6)), 0, tf.size(found) - 2 - 12 * _MOST_TAGS)
    entries = first + 2 + 12 * tf.range(_MOST_TAGS)
    said = (two(entries) == _ORIENTATION) & (tf.range(_MOST_TAGS) < two(first)) & tf.reduce_any(is_here)
    value = tf.reduce_max(tf.where(said, two(entries + 8), 0))
    return tf.where((value >= 1) & (value <= 8), value, 1)
