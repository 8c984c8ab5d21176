"""Image files of every kind, made by Pillow."""

import io
from typing import Any

import numpy as np
from PIL import Image


def scene(height: int = 60, width: int = 90) -> np.ndarray:
    """Smooth, and different in every corner, channel and direction: uint8 of shape (height, width, 3)."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    red, green = 255 * x / max(1, width - 1), 255 * y / max(1, height - 1)
    blue = 127 + 120 * np.sin(x / 9) * np.cos(y / 7)
    return np.stack([red, green, blue], axis=-1).round().astype(np.uint8)


def encoded(image: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The content of a file."""
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def with_orientation(image: np.ndarray, orientation: int, order: str = "<") -> bytes:
    """A JPEG whose Exif block says that it is to be turned."""
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F] = "a camera"  # other tags before it
    exif[0x0112] = orientation
    return encoded(image, "JPEG", quality=95, exif=exif)
