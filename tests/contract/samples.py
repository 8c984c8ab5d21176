"""What to feed every backbone and every task that is installed, by modality and by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

INPUTS: Mapping[str, Sequence[Any]] = {
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
}
"""Every way of using a task, by its name."""
