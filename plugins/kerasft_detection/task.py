"""The task: boxes in an image and what is in them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasft import Task
from kerasft.errors import DataError, MissingExtraError, UsageError
from kerasft.task import Evaluation, Region, Where
from kerasft_detection import anchors, decoding, head, locate
from kerasft_detection.locate import Box
from kerasft_detection.loss import DetectionLoss
from kerasft_detection.metric import AveragePrecision

_LEVELS = 3
_SURE = 0.5  # answers that are drawn


class Detection(Task):
    """RetinaNet on a feature pyramid.

    Args:
        labels: kinds of objects; learned from the training data when empty.
        sizes: sides of square anchors as fractions of the image's side, three for each level; spread over the sizes of
            the boxes in the training data when empty.
        channels: of the feature pyramid and both towers; RetinaNet has 256.
        convolutions: of each tower; RetinaNet has 4.
        score: least probability of an answer.
        overlap: most intersection over union of two answers of the same label.

    Raises:
        UsageError: an option is out of range.
    """

    target_names = ("objects", "boxes", "annotations", "bboxes")
    monitor = ("val_map", "max")
    whole = True
    placed = True

    def __init__(
        self,
        *,
        labels: Sequence[str] = (),
        sizes: Sequence[float] = (),
        channels: int = 96,
        convolutions: int = 2,
        score: float = 0.05,
        overlap: float = 0.5,
    ):
        if channels < 8 or channels % 8:
            raise UsageError(f"channels must be a multiple of 8. Received: {channels}")
        if convolutions < 0:
            raise UsageError(f"convolutions must be 0 or more. Received: {convolutions}")
        if not (0 <= score < 1 and 0 < overlap <= 1):
            raise UsageError(f"score and overlap are fractions of 1. Received: score={score}, overlap={overlap}")
        if isinstance(labels, str) or len(set(labels)) < len(labels):
            raise UsageError(f"labels must be a list without repetitions. Received: {labels!r}")
        if sizes and len(sizes) != _LEVELS * anchors.SIZES:
            raise UsageError(f"sizes are {_LEVELS * anchors.SIZES} fractions, ascending. Received: {sizes!r}")
        self.labels = list(labels)
        self.sizes = list(sizes)
        self.channels = channels
        self.convolutions = convolutions
        self.score = score
        self.overlap = overlap
        self._image = (0, 0)
        self._grid = np.zeros((0, 4), np.float32)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        names = ("labels", "sizes", "channels", "convolutions", "score", "overlap")
        return {name: getattr(self, name) for name in names}

    def locate(
        self, inputs: Sequence[Any], targets: Sequence[Any], where: Where
    ) -> tuple[list[list[Box]], Sequence[str]]:
        """Boxes within their images."""
        return locate.boxes(inputs, targets, where)

    def counts(self, targets: Sequence[Sequence[Box]]) -> dict[str, int]:
        """Boxes of each label, the most frequent first."""
        return dict(Counter(box.label for boxes in targets for box in boxes).most_common())

    def adapt(self, targets: Sequence[Sequence[Box]], where: Where) -> None:
        """Takes labels and sizes of anchors from the training data, unless they were given."""
        boxes = [box for some in targets for box in some if not box.ignored]
        if not boxes:
            raise DataError(f"There is no box in {len(targets)} training images: nothing to learn from.")
        self.labels = self.labels or sorted({box.label for box in boxes})
        self.sizes = self.sizes or anchors.sizes([box.share for box in boxes], _LEVELS)

    def encode(self, targets: Sequence[Sequence[Box]], where: Where) -> np.ndarray:
        """For each image float32 of shape ``(boxes, 6)``: corners in its pixels, label, whether it is ignored."""
        position = {label: i for i, label in enumerate(self.labels)}
        unknown = [(i, box) for i, boxes in enumerate(targets) for box in boxes if box.label not in position]
        if unknown:
            raise DataError(
                f"{len(unknown)} boxes have labels that the training data lacks (it has: {', '.join(self.labels)}).",
                (f"{where(i)}: {box.label!r}" for i, box in unknown),
            )
        encoded = np.empty(len(targets), object)
        for i, boxes in enumerate(targets):
            rows = [(*box[:4], position[box.label], box.ignored) for box in boxes]
            encoded[i] = np.array(rows, np.float32).reshape(-1, 6)
        return encoded

    def align(self, targets: tf.Tensor, alignment: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """float32 of shape ``(batch, anchors + boxes, 5)``: what each anchor should answer, and the boxes themselves
        (label and corners in pixels of the model's image) for the metric."""
        corners, kinds, there = anchors.placed(targets, alignment["affine"], self._image)
        wanted = anchors.assign(tf.constant(self._grid), corners, kinds, there)
        return tf.concat([wanted, tf.concat([kinds[..., tf.newaxis], corners], axis=-1)], axis=1)

    def head(self, features: Mapping[str, keras.KerasTensor]) -> keras.KerasTensor:
        """``(batch, anchors, labels + 4)``, float32.

        Raises:
            UsageError: labels or sizes are not known yet.
        """
        if not self.labels or not self.sizes:
            raise UsageError(
                "Detection needs labels and sizes of anchors before a model can be built: labels=['cell'], sizes=[…]."
            )
        pyramid = features["pyramid"]
        shapes = [(int(level.shape[1]), int(level.shape[2])) for level in pyramid.values()]
        self._image = (shapes[0][0] * 8, shapes[0][1] * 8)
        self._grid = anchors.grid(shapes, self._image, self.sizes)
        return head.build(
            pyramid,
            labels=len(self.labels),
            anchors=anchors.SIZES * len(anchors.RATIOS),
            channels=self.channels,
            convolutions=self.convolutions,
        )

    def loss(self) -> keras.losses.Loss:
        """Focal loss and smooth L1."""
        return DetectionLoss(len(self.labels))

    def metrics(self) -> list[keras.metrics.Metric]:
        """Mean average precision."""
        return [AveragePrecision(self._surest, len(self._grid), len(self.labels))]

    def decode(self, logits: tf.Tensor, alignment: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """``boxes`` ``(batch, 100, 4)`` as x_min, y_min, x_max, y_max in pixels of the original image, ``label``,
        ``score`` ``(batch, 100)``, the surest first, and ``count``."""
        return decoding.original(self._surest(logits), alignment["affine"], self.labels)

    def _surest(self, logits: tf.Tensor) -> decoding.Surest:
        grid = tf.constant(self._grid)
        return decoding.surest(logits, grid, self._image, len(self.labels), score=self.score, overlap=self.overlap)

    def evaluate(self, targets: np.ndarray, answers: Mapping[str, np.ndarray]) -> Evaluation:
        """COCO's figures, per label, and errors by kind."""
        from kerasft_detection import scores

        return scores.evaluate(targets, answers, self.labels)

    def present(self, answer: Mapping[str, Any], raw: Any) -> dict[str, Any]:
        """``{"objects": [{"x_min", "y_min", "x_max", "y_max", "label", "score"}]}``."""
        rows = zip(*(answer[name][: answer["count"]] for name in ("boxes", "label", "score")), strict=True)
        corners = ("x_min", "y_min", "x_max", "y_max")
        return {
            "objects": [
                {**dict(zip(corners, box, strict=True)), "label": label, "score": score} for box, label, score in rows
            ]
        }

    def regions(self, answer: Mapping[str, Any]) -> list[Region]:
        """What was found with a probability of a half or more."""
        return [
            Region(one["x_min"], one["y_min"], one["x_max"], one["y_max"], one["label"])
            for one in answer["objects"]
            if one["score"] >= _SURE
        ]

    def expected(self, target: Sequence[Box]) -> list[Region]:
        """The boxes of an image."""
        return [Region(*box[:5]) for box in target]


def create(**options: Any) -> Detection:
    """The task; the factory of this plugin.

    Raises:
        MissingExtraError: pycocotools is not installed.
    """
    try:
        import pycocotools  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("pycocotools", "detection", "The task detection") from error
    return Detection(**options)
