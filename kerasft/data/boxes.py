"""Boxes of images as a column: one list of objects per image."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from kerasft.data.examples import Examples
from kerasft.errors import DataError

COLUMN = "objects"

_CORNERS = {
    "x_min": ("x_min", "xmin", "x1", "left"),
    "y_min": ("y_min", "ymin", "y1", "top"),
    "x_max": ("x_max", "xmax", "x2", "right"),
    "y_max": ("y_max", "ymax", "y2", "bottom"),
}
_LABELS = ("label", "class", "category", "name", "class_name")
_IMAGES = ("image", "filename", "file_name", "image_path", "path", "file", "image_id")

OBJECT = pa.struct([*((name, pa.float64()) for name in _CORNERS), ("label", pa.string()), ("ignored", pa.bool_())])
"""A box in pixels of the image, from its upper left corner; `ignored` ones (crowds, difficult ones) are no target, and
finding them is no mistake."""


def box(x_min: float, y_min: float, x_max: float, y_max: float, label: str, ignored: bool = False) -> dict[str, Any]:
    """An object as the column holds it."""
    return {"x_min": x_min, "y_min": y_min, "x_max": x_max, "y_max": y_max, "label": label, "ignored": ignored}


def in_pixels(objects: Sequence[Mapping[str, Any]], image: bytes) -> list[dict[str, Any]]:
    """Objects whose corners are fractions of an image, in its pixels."""
    with Image.open(io.BytesIO(image)) as opened:
        width, height = opened.size
    sides = {"x_min": width, "y_min": height, "x_max": width, "y_max": height}
    return [{**one, **{name: one[name] * side for name, side in sides.items()}} for one in objects]


def column(objects: Sequence[Sequence[Mapping[str, Any]]]) -> pa.Array:
    """The column of these objects."""
    return pa.array([list(some) for some in objects], pa.list_(OBJECT))


def grouped(examples: Examples) -> Examples:
    """A table of one row per box as one row per image; any other table as it is.

    It is one of boxes if it has columns for the corners (``x_min``, ``xmin``, ``x1`` or ``left`` and so on), for the
    label and for the image. A row without corners is an image without boxes.

    Raises:
        DataError: corners that are no numbers; all of them are listed.
    """
    known = {name.strip().lower(): name for name in examples.columns}

    def first(names: Sequence[str]) -> str | None:
        return next((known[name] for name in names if name in known), None)

    corners = {name: first(names) for name, names in _CORNERS.items()}
    image, label = first(_IMAGES), first(_LABELS)
    if image is None or label is None or None in corners.values():
        return examples
    problems: list[str] = []
    values = {name: _numbers(examples, str(own), problems) for name, own in corners.items()}
    if problems:
        raise DataError(f"{examples.source} has corners that are no numbers:", problems)
    labels, images = examples.column(label), examples.column(image)
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(images):
        rows.setdefault(name, []).append(row)
    objects = [
        [
            {**{name: values[name][row] for name in _CORNERS}, "label": str(labels[row]), "ignored": False}
            for row in some
            if any(values[name][row] is not None for name in _CORNERS)
        ]
        for some in rows.values()
    ]
    chosen = examples.take(np.array([some[0] for some in rows.values()], np.int64))
    table = pa.table({"image": pa.array(list(rows), pa.string()), COLUMN: column(objects)})
    return Examples(table, examples.source, examples.notes, chosen.where, examples.folder)


def _numbers(examples: Examples, name: str, problems: list[str]) -> list[float | None]:
    found: list[float | None] = []
    for row, value in enumerate(examples.column(name)):
        try:
            found.append(None if value is None or str(value).strip() == "" else float(value))
        except (TypeError, ValueError):
            problems.append(f"{examples.where(row)}: {name} is {value!r}")
            found.append(None)
    return found
