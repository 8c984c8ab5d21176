"""What to feed every backbone and every task that is installed, by modality and by name."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image


def _picture(height: int, width: int) -> bytes:
    """A file: PNG, or JPEG if it is higher than wide."""
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG" if height > width else "PNG")
    return file.getvalue()


INPUTS: Mapping[str, Sequence[Any]] = {
    "image": tuple(
        _picture(height, width)
        for height, width in (
            (40, 40),
            (1, 1),
            (90, 30),
            (20, 200),
            (8, 9),
            (64, 64),
            (33, 47),
            (500, 400),
        )
    ),
    "text": (
        "the film is good, very good",
        "bad",
        "a good day",
        "so bad! it was 90 minutes too long",
        "ünïcödé ノート 👍",
        "good good good",
        "not so bad",
        "",
    ),
}
"""Eight raw inputs by modality, of different sizes, an empty one among them where that makes sense."""


_ENTITIES = [
    [{"start": start, "end": end, "label": label} for start, end, label in spans]
    for spans in (
        [(4, 8, "x"), (12, 16, "y")], [(0, 3, "x")], [], [(15, 17, "y")], [(0, 7, "x"), (8, 11, "y")], [(0, 9, "x")],
        [(7, 10, "y")], [],
    )
]  # fmt: skip


_BOXES = [
    [{"x_min": box[0], "y_min": box[1], "x_max": box[2], "y_max": box[3], "label": box[4]} for box in boxes]
    for boxes in (
        [(5, 5, 30, 30, "a")], [], [(2, 10, 28, 60, "b"), (0, 70, 20, 90, "a")], [], [(0, 0, 8, 8, "a")],
        [(20, 20, 60, 50, "b")], [(1, 1, 40, 30, "a")], [(100, 100, 300, 400, "b")],
    )
]  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """Options for a task's factory, and one target for each of the eight inputs."""

    targets: Sequence[Any]
    options: Mapping[str, Any] = field(default_factory=dict)


TASKS: Mapping[str, Sequence[Sample]] = {
    "classification": (
        Sample([0, 1, 0, 1, 2, 0, 1, 2], {"labels": [0, 1, 2]}),
        Sample([["a"], "b", "a,b", None, [], "b", "a", ""], {"mode": "multi-label", "labels": ["a", "b"]}),
        Sample([1.0, -1, 2, -3, 0, 4, -1, 0], {"mode": "regression", "mean": 0.25, "scale": 2.0}),
    ),
    "detection": (Sample(_BOXES, {"labels": ["a", "b"], "sizes": [0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9]}),),
    "ner": (
        Sample(_ENTITIES, {"labels": ["x", "y"]}),
        Sample(_ENTITIES, {"labels": ["x", "y"], "subwords": "all"}),
    ),
}
"""Every way of using a task, by its name."""
