"""Boxes as they stand in data, checked against their images."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from PIL import Image

from kerasft.errors import DataError
from kerasft.task import Where

_CORNERS = ("x_min", "y_min", "x_max", "y_max")
_SLACK = 1.0  # pixels that a box may reach beyond its image without being named
_TINY = 2.0  # pixels


class Box(NamedTuple):
    """A box in pixels of its image, from the upper left corner.

    `ignored` ones are no target, and finding them is no mistake. `share` is the side of a square of its area as a
    fraction of that of a square of the image's.
    """

    x_min: float
    y_min: float
    x_max: float
    y_max: float
    label: str
    ignored: bool
    share: float


def boxes(images: Sequence[bytes], targets: Sequence[Any], where: Where) -> tuple[list[list[Box]], list[str]]:
    """The boxes of each image within it, and what is odd about them, one line each.

    Args:
        images: contents of files that can be decoded.
        targets: for each a list of ``{"x_min", "y_min", "x_max", "y_max", "label"}``.
        where: names an image.

    Raises:
        DataError: with every box that cannot be.
    """
    problems: list[str] = []
    odd: list[str] = []
    found: list[list[Box]] = []
    for i, target in enumerate(targets):
        if not isinstance(target, (list, tuple)):
            problems.append(f"{where(i)}: expected a list of boxes. Received: {target!r}")
            continue
        width, height = size(images[i])
        of_image: list[Box] = []
        for number, value in enumerate(target, 1):
            try:
                box, oddity = _box(value, width, height)
            except ValueError as error:
                problems.append(f"{where(i)}, box {number}: {error}")
                continue
            if box in of_image:
                oddity = "stands there twice"
            odd += [f"{where(i)}, box {number}: {oddity}"] if oddity else []
            of_image.append(box)
        found.append(of_image)
    if problems:
        raise DataError(f"{len(problems)} boxes do not fit their images.", problems)
    return found, odd


def size(content: bytes) -> tuple[int, int]:
    """Width and height of an image that stands upright, without decoding it."""
    with Image.open(io.BytesIO(content)) as image:
        turned = image.getexif().get(0x0112, 1) >= 5
        return (image.height, image.width) if turned else image.size


def _box(value: Any, width: int, height: int) -> tuple[Box, str]:
    """A box within an image, and what is odd about it.

    Raises:
        ValueError: there can be no such box.
    """
    if not isinstance(value, Mapping) or not value.get("label"):
        raise ValueError(f"expected x_min, y_min, x_max, y_max and label. Received: {value!r}")
    try:
        corners = [float(value[name]) for name in _CORNERS]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"a corner is missing or no number: {dict(value)}") from None
    shown = ", ".join(f"{corner:g}" for corner in corners)
    x_min, y_min, x_max, y_max = corners
    if not all(map(math.isfinite, corners)):
        raise ValueError(f"a corner is not finite: {shown}")
    if x_min > x_max or y_min > y_max:
        raise ValueError(f"corners are swapped: {shown}")
    if x_min == x_max or y_min == y_max:
        raise ValueError(f"has no area: {shown}")
    inside = max(x_min, 0.0), max(y_min, 0.0), min(x_max, float(width)), min(y_max, float(height))
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise ValueError(f"stands outside of its image of {width} × {height} pixels: {shown}")
    oddity = ""
    if max(-x_min, -y_min, x_max - width, y_max - height) > _SLACK:
        oddity = f"reaches beyond its image of {width} × {height} pixels, and is cut: {shown}"
    elif min(inside[2] - inside[0], inside[3] - inside[1]) < _TINY:
        oddity = f"is less than {_TINY:g} pixels wide or high: {shown}"
    area = (inside[2] - inside[0]) * (inside[3] - inside[1])
    share = math.sqrt(area / (width * height))
    return Box(*inside, str(value["label"]), bool(value.get("ignored")), share), oddity
