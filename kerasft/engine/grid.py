"""A picture of what a model will see of images: as they are, and as they are augmented."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasft import augmentations, data, pretrained
from kerasft.backbone import Encoded
from kerasft.data import Images, boxes
from kerasft.engine.augment import Augmentation
from kerasft.errors import DataError, UsageError
from kerasft.files import cannot_write
from kerasft.pictures import Picture, drawn, grid
from kerasft.task import Region

_LABELS = ("label", "labels", "class", "category", "target")


def draw(
    backbone: str,
    train: Any,
    out: str | Path,
    *,
    augment: Mapping[str, float] | Sequence[str] | None = None,
    images: int = 8,
    draws: int = 5,
    seed: int = 0,
    input_column: str | None = None,
    backbone_options: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a picture: a row for each of some images, first as the backbone reads it, then augmented anew and anew.

    Args:
        backbone: for example ``resnet/tiny``; its size and crop are those of the picture.
        train: as for `kerasft.finetune`; images are taken evenly from all of it.
        out: picture to write; its suffix is that of its format.
        augment: as for `kerasft.finetune`.
        images: how many rows.
        draws: how many augmented columns.
        seed: of the draws.
        input_column: if it cannot be recognised.
        backbone_options: for example ``{"size": 224}``.

    Returns:
        `out`.

    Raises:
        UsageError: the backbone does not read images, or `augment` is wrong.
        DataError: with every chosen image that cannot be read.
    """
    strengths = augmentations.resolve(augment)
    if images < 1 or draws < 1:
        raise UsageError(f"A grid has at least one image and one draw. Received: images={images}, draws={draws}")
    found = pretrained.locate(backbone)
    if found.spec.modality != "image":
        raise UsageError(f"{found.spec.name} reads {found.spec.modality}, and a grid is of images.")
    chosen, names, objects = _choose(data.read(train), images, input_column)
    augmentations.check(strengths, placed=objects is not None)
    preprocess: Any = found.create(backbone_options, weights=False).preprocess
    seeds = [tf.constant([seed, number], tf.int64) for number in range(draws if strengths else 0)]
    raw = tf.constant(list(chosen))
    rows = (
        _mixed(preprocess(raw).inputs["images"], names, strengths, seeds)
        if objects is None
        else _placed(preprocess.whole(raw), objects, strengths, seeds)
    )
    try:
        grid(rows, 128 if objects is None else 224).save(out)
    except (OSError, ValueError) as error:
        raise cannot_write(Path(out), error if isinstance(error, OSError) else OSError(str(error))) from error
    return Path(out)


def _mixed(
    pixels: tf.Tensor, names: Sequence[str], strengths: Mapping[str, float], seeds: Sequence[tf.Tensor]
) -> list[list[Picture]]:
    """Images with their labels, and how much there is of each where they are mixed."""
    rows = [[Picture(image, name)] for image, name in zip(pixels.numpy(), names, strict=True)]
    augmentation = Augmentation(strengths, _mix)
    for seed in seeds:
        changed, shares = augmentation(pixels, tf.eye(len(rows)), seed)
        for i, (image, share) in enumerate(zip(changed.numpy().astype(np.uint8), shares.numpy(), strict=True)):
            rows[i].append(Picture(image, "" if share[i] > 0.995 else _mixture(share, names)))
    return rows


def _placed(
    encoded: Encoded, objects: Sequence[Any], strengths: Mapping[str, float], seeds: Sequence[tf.Tensor]
) -> list[list[Picture]]:
    """Images with their boxes, which move with the pixels."""
    augmentation = Augmentation(strengths, _mix)
    pixels, affine = encoded.inputs["images"], encoded.alignment["affine"]
    all_objects = [one for some in objects for one in some]
    numbers = tf.RaggedTensor.from_row_lengths(tf.range(len(all_objects)), [len(some) for some in objects])
    rows: list[list[Picture]] = [[] for _ in objects]
    moved = (augmentation.move(pixels, affine, numbers, seed) for seed in seeds)
    for images, places, shown in ((pixels, affine, numbers), *moved):
        for i, row in enumerate(rows):
            some = [all_objects[number] for number in shown[i].numpy()]
            maps = np.broadcast_to(places[i].numpy(), (len(some), 4))
            row.append(Picture(_with_boxes(images[i].numpy(), maps, some)))
    return rows


def _with_boxes(pixels: np.ndarray, affine: np.ndarray, objects: Sequence[Mapping[str, Any]]) -> np.ndarray:
    regions = []
    for one, (scale_y, scale_x, offset_y, offset_x) in zip(objects, affine, strict=True):
        xs = sorted(one[name] * scale_x + offset_x for name in ("x_min", "x_max"))
        ys = sorted(one[name] * scale_y + offset_y for name in ("y_min", "y_max"))
        regions.append(Region(xs[0], ys[0], xs[1], ys[1], one["label"]))
    return np.asarray(drawn(Image.fromarray(pixels.astype(np.uint8)), regions))


def _choose(
    examples: data.Examples, count: int, input_column: str | None
) -> tuple[Images, list[str], list[Any] | None]:
    """Images spread evenly over the data, their labels, or else their names, and their boxes if they have any."""
    columns = data.infer_columns(
        examples, modality="image", input_column=input_column, target_names=_LABELS, with_target=False
    )
    count = min(count, len(examples))
    some = examples.take(np.linspace(0, len(examples) - 1, count).astype(np.int64))
    chosen = Images(some.column(columns.input), some.folder, some.where)
    if problems := chosen.problems():
        raise DataError(f"{len(problems)} of {count} images cannot be read.", problems)
    label = next((name for name in examples.columns if name.lower() in _LABELS), None)
    names = [chosen.name(i) for i in range(count)] if label is None else list(map(str, some.column(label)))
    return chosen, names, some.column(boxes.COLUMN) if boxes.COLUMN in examples.columns else None


def _mix(one: tf.Tensor, other: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    return weight[:, None] * one + (1 - weight[:, None]) * other


def _mixture(shares: np.ndarray, names: Sequence[str]) -> str:
    """``"70 % cat, 30 % dog"``."""
    parts = [(share, name) for share, name in zip(shares, names, strict=True) if share >= 0.005]
    return ", ".join(f"{100 * share:.0f} % {name}" for share, name in sorted(parts)[::-1])
