"""Small pictures with captions, side by side."""

import io
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from kerasft.task import Region

_MARGIN = 6
_TEXT = 12  # pixels
_LINES = 2
COLOURS = ("#e8590c", "#1971c2", "#2f9e44", "#9c36b5", "#c92a2a", "#0b7285", "#5c940d", "#862e9c")


class Picture(NamedTuple):
    """An image, uint8 of shape (height, width, 3), and what stands below it."""

    pixels: np.ndarray
    caption: str = ""


def grid(rows: Sequence[Sequence[Picture]], side: int = 128) -> Image.Image:
    """Rows of pictures, each scaled into a square of `side` pixels, with two lines for its caption."""
    columns = max(map(len, rows))
    step_x, step_y = side + _MARGIN, side + _MARGIN + _LINES * (_TEXT + 3)
    sheet = Image.new("RGB", (columns * step_x + _MARGIN, len(rows) * step_y + _MARGIN), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT)
    for i, row in enumerate(rows):
        for j, (pixels, caption) in enumerate(row):
            x, y = _MARGIN + j * step_x, _MARGIN + i * step_y
            picture = _fitted(pixels, side)
            sheet.paste(picture, (x + (side - picture.width) // 2, y + (side - picture.height) // 2))
            width = max(1, int(side / (0.5 * _TEXT)))
            for n, line in enumerate(textwrap.wrap(caption, width, max_lines=_LINES, placeholder="…")):
                draw.text((x, y + side + 2 + n * (_TEXT + 3)), line, fill="black", font=font)
    return sheet


def jpeg(pixels: np.ndarray, side: int) -> bytes:
    """The content of a JPEG file with an image scaled into a square of `side` pixels."""
    file = io.BytesIO()
    _fitted(pixels, side).save(file, "JPEG", quality=85)
    return file.getvalue()


def upright(content: bytes) -> Image.Image:
    """The image of a file as boxes count its pixels, RGB."""
    with Image.open(io.BytesIO(content)) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")


def drawn(image: Image.Image, regions: Sequence[Region], expected: Sequence[Region] = ()) -> Image.Image:
    """An image with boxes and labels, a colour for each label; what was expected stands in white below them."""
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_TEXT)
    width = max(1, round(max(image.size) / 300))
    labels = sorted({region.label for region in (*regions, *expected)})
    for region in expected:
        draw.rectangle(region[:4], outline="white", width=2 * width)
    for region in regions:
        colour = COLOURS[labels.index(region.label) % len(COLOURS)]
        draw.rectangle(region[:4], outline=colour, width=width)
        draw.text((region.x_min + 2 * width, region.y_min + width), region.label, fill=colour, font=font)
    return image


def _fitted(pixels: np.ndarray, side: int) -> Image.Image:
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    picture = Image.fromarray(pixels)
    return picture.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BICUBIC)
