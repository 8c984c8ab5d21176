"""How a checkpoint wants its images: size, crop and normalization, as it was trained."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from kerasft import json_files
from kerasft.errors import AssetError, UsageError
from kerasft.images import ImagePreprocess

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of ImageNet's RGB, in fractions of 1 (torchvision's figures)."""

_INTERPOLATIONS = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers, which Hugging Face writes
_FILES = ("preprocessor_config.json", "preprocessor.json", "image_converter.json")
_DEFAULT_CROP = 224 / 256


@dataclass(frozen=True, kw_only=True)
class ImageInputs:
    """Images as a checkpoint wants them.

    Args:
        size: ``(height, width)`` in pixels.
        resize, crop, interpolation: see `kerasft.images.ImagePreprocess`.
        scale, offset: of red, green and blue from 0 to 255: the model reads ``x * scale + offset``.
    """

    size: tuple[int, int]
    resize: str = "crop"
    crop: float = _DEFAULT_CROP
    interpolation: str = "bilinear"
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]

    @classmethod
    def normalized(cls, size: tuple[int, int], mean: Sequence[float], deviation: Sequence[float], **more: Any) -> Self:
        """With mean and standard deviation in fractions of 1."""
        scale = tuple(1 / (255 * d) for d in deviation)
        offset = tuple(-m / d for m, d in zip(mean, deviation, strict=True))
        return cls(size=size, scale=_three(scale), offset=_three(offset), **more)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in value.items()})

    def to_json(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return asdict(self)

    def resized(self, size: int | Sequence[int] | None, multiple: int, name: str) -> Self:
        """With the size that a user asks for: one number for a square, or ``(height, width)``; None changes nothing.

        Raises:
            UsageError: it is not above 0, or no multiple of `multiple`.
        """
        if size is None:
            return self
        pair = (size, size) if isinstance(size, int) else tuple(size)
        if len(pair) != 2 or not all(isinstance(n, int) and n > 0 and n % multiple == 0 for n in pair):
            raise UsageError(f"size must be a multiple of {multiple} pixels for {name}. Received: size={size!r}")
        return replace(self, size=pair)

    def preprocess(self) -> ImagePreprocess:
        """From files to images of this size."""
        return ImagePreprocess(self.size, resize=self.resize, crop=self.crop, interpolation=self.interpolation)  # type: ignore[arg-type]

    def normalize(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """What the model's first layer reads, float."""
        return keras.layers.Rescaling(list(self.scale), list(self.offset), name="normalize")(images)


def read(directory: Path, described: Mapping[str, Any], size: tuple[int, int]) -> tuple[ImageInputs, list[str]]:
    """What a checkpoint directory says, in Hugging Face's, KerasHub's or timm's way.

    Args:
        directory: of the checkpoint.
        described: its ``config.json``.
        size: where nothing is said.

    Returns:
        It, and what the user should know: one note if nothing is said, and ImageNet's normalization is taken.

    Raises:
        AssetError: a file is damaged, or asks for what is not known.
    """
    if "pretrained_cfg" in described:
        return _timm(described["pretrained_cfg"]), []
    path = next((directory / name for name in _FILES if (directory / name).exists()), None)
    if path is None:
        note = f"{directory} does not say how its images are to be normalized: as those of ImageNet are."
        return ImageInputs.normalized(size, *IMAGENET), [note]
    value = json_files.read(path)
    return (_hugging_face(value, path) if path.name == _FILES[0] else _keras_hub(value, path, size)), []


def _timm(value: Mapping[str, Any]) -> ImageInputs:
    """https://huggingface.co/docs/timm, data configuration."""
    _, height, width = value["input_size"]
    resize = "stretch" if value.get("crop_mode") == "squash" else "crop"
    return ImageInputs.normalized(
        (height, width),
        value["mean"],
        value["std"],
        resize=resize,
        crop=value.get("crop_pct", _DEFAULT_CROP),
        interpolation=_interpolation(value.get("interpolation", "bicubic"), "config.json"),
    )


def _hugging_face(value: Mapping[str, Any], path: Path) -> ImageInputs:
    """``size`` is a number, ``{"height", "width"}``, or ``{"shortest_edge"}``, of which a middle may be cropped."""
    size = value.get("size", 224)
    size = {"height": size, "width": size} if isinstance(size, int) else size
    crop, resize = 1.0, "stretch"
    if "shortest_edge" in size:
        edge = size["shortest_edge"]
        pair = (edge, edge)
        if edge < 384:  # ConvNextImageProcessor, which ResNets use: the middle of a larger image
            crop, resize = value.get("crop_pct") or _DEFAULT_CROP, "crop"
        if value.get("do_center_crop"):  # CLIP's and others: resized to the edge, then cropped
            cropped = value.get("crop_size", edge)
            pair = (cropped, cropped) if isinstance(cropped, int) else (cropped["height"], cropped["width"])
            crop, resize = min(pair) / edge, "crop"
    else:
        pair = (size["height"], size["width"])
    factor = value.get("rescale_factor", 1 / 255) if value.get("do_rescale", True) else 1.0
    normalizes = value.get("do_normalize", True)
    mean = np.array(value.get("image_mean", IMAGENET[0]) if normalizes else [0.0] * 3)
    deviation = np.array(value.get("image_std", IMAGENET[1]) if normalizes else [1.0] * 3)
    return ImageInputs(
        size=pair,
        resize=resize,
        crop=crop,
        interpolation=_interpolation(value.get("resample", 2), str(path)),
        scale=_three(factor / deviation),
        offset=_three(-mean / deviation),
    )


def _keras_hub(value: Mapping[str, Any], path: Path, size: tuple[int, int]) -> ImageInputs:
    """The `ImageConverter`, by itself or inside a preprocessor; it computes ``x * scale + offset``."""
    converter = value.get("config", {}).get("image_converter", value)
    config = converter.get("config")
    if not isinstance(config, dict):
        raise AssetError(f"{path}: expected the configuration of an ImageConverter.")
    pair = config.get("image_size") or size
    return ImageInputs(
        size=(pair[0], pair[1]),
        resize="crop" if config.get("crop_to_aspect_ratio", True) else "stretch",
        crop=1.0,
        interpolation=_interpolation(config.get("interpolation", "bilinear"), str(path)),
        scale=_three(1.0 if config.get("scale") is None else config["scale"]),
        offset=_three(0.0 if config.get("offset") is None else config["offset"]),
    )


def _interpolation(value: str | int, where: str) -> str:
    found = _INTERPOLATIONS.get(value, value) if isinstance(value, int) else value
    if found not in _INTERPOLATIONS.values():
        raise AssetError(f"{where}: interpolation must be bilinear or bicubic. Received: {value!r}")
    return str(found)


def _three(value: Any) -> tuple[float, float, float]:
    red, green, blue = np.broadcast_to(np.asarray(value, float), (3,)).tolist()
    return red, green, blue
