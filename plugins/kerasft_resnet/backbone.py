"""ResNet as a kerasft backbone, on KerasHub's `ResNetBackbone`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import keras_hub

from kerasft import Backbone, Group, json_files
from kerasft_resnet import names
from kerasft_vision import build, inputs
from kerasft_vision.build import Checkpoint
from kerasft_vision.inputs import ImageInputs

_ARCHITECTURE = (
    "input_conv_filters", "input_conv_kernel_sizes", "stackwise_num_filters", "stackwise_num_blocks",
    "stackwise_num_strides", "block_type", "use_pre_activation",
)  # fmt: skip
_SIZE = (224, 224)
_STRIDE = 32
# KerasHub wants 64 channels in the first stage.
_TINY = {
    "input_conv_filters": [8], "input_conv_kernel_sizes": [3], "stackwise_num_filters": [64, 8, 8, 16],
    "stackwise_num_blocks": [1, 1, 1, 1], "stackwise_num_strides": [1, 2, 2, 2], "block_type": "basic_block_vd",
    "use_pre_activation": False,
}  # fmt: skip


def create(
    directory: Path | None,
    *,
    preset: str,
    weights: bool = True,
    size: int | Sequence[int] | None = None,
    seed: int = 0,
) -> Backbone:
    """A ResNet without its classifier.

    It gives ``spatial``, the output of the last stage at a stride of 32 pixels, ``pooled``, its mean over height and
    width, and ``pyramid``, the outputs of the last three stages at strides of 8, 16 and 32 (P3 to P5).

    Args:
        directory: a Hugging Face, KerasHub, timm or kerasft checkpoint; None for the ``tiny`` preset.
        preset: for messages.
        weights: False builds the architecture without reading weights.
        size: of images in pixels, one number or ``(height, width)``, multiples of 32. By default the checkpoint's.
        seed: of the ``tiny`` preset's random weights.

    Raises:
        UsageError: `size` is not possible.
        AssetError: the checkpoint's files are missing, damaged or do not fit a ResNet.
    """
    found = _checkpoint(directory, seed)
    found = found._replace(inputs=found.inputs.resized(size, _STRIDE, preset))
    encoder = keras_hub.models.ResNetBackbone(**found.architecture, image_shape=(*found.inputs.size, 3))
    if weights:
        found.load(encoder)
    spatial = encoder.output
    features = {
        "pooled": keras.layers.GlobalAveragePooling2D(name="mean")(spatial),
        "spatial": spatial,
        "pyramid": {level: encoder.pyramid_outputs[level] for level in ("P3", "P4", "P5")},
    }
    return build.backbone("resnet", found, features, encoder.input, _groups(encoder))


def _checkpoint(directory: Path | None, seed: int) -> Checkpoint:
    if directory is None:
        images = ImageInputs.normalized((32, 32), *inputs.IMAGENET, crop=1.0)
        return Checkpoint(_TINY, images, build.seeded_weights(seed))
    if found := build.recorded(directory):
        return found
    path = directory / "config.json"
    described = json_files.read(path)
    images, notes = inputs.read(directory, described, _SIZE)
    if described.get("registered_name") == "keras_hub>ResNetBackbone":
        architecture = build.arguments(described.get("config", {}), _ARCHITECTURE, path)
        return Checkpoint(architecture, images, build.keras_hub_weights(directory), notes)
    architecture, load = names.read(directory, described)
    return Checkpoint(architecture, images, load, notes)


def _groups(encoder: keras.Model) -> list[Group]:
    """The stem, then the blocks one by one; a norm behind the last block belongs to it."""
    layers: dict[str, list[Any]] = {}
    last = "stem"
    for layer in encoder.layers:
        if not layer.weights:
            continue
        parts = layer.name.split("_")
        last = "_".join(parts[:2]) if layer.name.startswith("stack") else last
        layers.setdefault(last, []).append(layer)
    return [Group(name, tuple(some)) for name, some in layers.items()]
