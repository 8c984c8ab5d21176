"""The vision transformer as a kerasft backbone, on KerasHub's `ViTBackbone`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import keras_hub

from kerasft import Backbone, Group, json_files
from kerasft.errors import AssetError
from kerasft_vision import build, inputs
from kerasft_vision.build import Checkpoint, Load
from kerasft_vision.inputs import ImageInputs
from kerasft_vit import names
from kerasft_vit.positions import resized
from kerasft_vit.rollout import rollout

_ARCHITECTURE = (
    "patch_size", "num_layers", "num_heads", "hidden_dim", "mlp_dim", "dropout_rate", "attention_dropout",
    "layer_norm_epsilon", "use_mha_bias", "use_mlp_bias", "use_class_token", "use_patch_bias",
)  # fmt: skip
_TINY = {
    "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32, "dropout_rate": 0.1,
}  # fmt: skip


def create(
    directory: Path | None,
    *,
    preset: str,
    weights: bool = True,
    size: int | Sequence[int] | None = None,
    seed: int = 0,
) -> Backbone:
    """A vision transformer without its classifier.

    It gives ``pooled``, the class token; ``spatial``, the other tokens at the places of their patches; and ``pyramid``,
    made of these without weights: as they are for P4, twice as large by bilinear interpolation for P3, every second
    maximum for P5. That is the simple feature pyramid of Li et al. 2022 ("Exploring Plain Vision Transformer Backbones
    for Object Detection", figure 2) with interpolation in place of a trained deconvolution. Strides are 8, 16 and 32
    pixels with patches of 16, and half or twice as much with others.

    Args:
        directory: a Hugging Face, KerasHub, timm or kerasft checkpoint; None for the ``tiny`` preset.
        preset: for messages.
        weights: False builds the architecture without reading weights.
        size: of images in pixels, one number or ``(height, width)``, multiples of twice the patch. By default the
            checkpoint's; position embeddings are interpolated to any other.
        seed: of the ``tiny`` preset's random weights.

    Raises:
        UsageError: `size` is not possible.
        AssetError: the checkpoint's files are missing, damaged or do not fit.
    """
    found, trained = _checkpoint(directory, seed)
    patch = _pair(found.architecture["patch_size"])
    found = found._replace(inputs=found.inputs.resized(size, 2 * max(patch), preset))
    encoder = _encoder(found, found.inputs.size)
    if weights and trained == found.inputs.size:
        found.load(encoder)
    elif weights:
        original = _encoder(found, trained)
        found.load(original)
        _copy(original, encoder, _grid(trained, patch), _grid(found.inputs.size, patch))

    embeddings, blocks = encoder.get_layer("vit_patching_and_embedding"), encoder.get_layer("vit_encoder")
    x = embeddings(encoder.input)
    for layer in (blocks.dropout, *blocks.encoder_layers, blocks.layer_norm):
        x = layer(x)
    height, width = _grid(found.inputs.size, patch)
    spatial = keras.layers.Reshape((height, width, x.shape[-1]), name="patches")(x[:, 1:])
    features = {
        "pooled": x[:, 0],
        "spatial": spatial,
        "pyramid": {
            "P3": keras.layers.UpSampling2D(2, interpolation="bilinear", name="p3")(spatial),
            "P4": spatial,
            "P5": keras.layers.MaxPooling2D(2, name="p5")(spatial),
        },
    }
    groups = [Group("embeddings", (embeddings,))]
    groups += [Group(f"block_{i}", (block,)) for i, block in enumerate(blocks.encoder_layers)]
    groups[-1] = Group(groups[-1].name, (*groups[-1].layers, blocks.layer_norm))
    made = build.backbone("vit", found, features, encoder.input, groups)
    images = made.model.input["images"]
    embed = keras.Model({"images": images}, blocks.dropout(embeddings(found.inputs.normalize(images))))
    return replace(made, heat=rollout(embed, blocks.encoder_layers, (height, width)))


def _checkpoint(directory: Path | None, seed: int) -> tuple[Checkpoint, tuple[int, int]]:
    """A checkpoint, and the size of images that its position embeddings are for."""
    if directory is None:
        images = ImageInputs.normalized((32, 32), (0.5,) * 3, (0.5,) * 3, crop=1.0)
        return Checkpoint(_TINY, images, build.seeded_weights(seed)), images.size
    if found := build.recorded(directory):
        return found, found.inputs.size
    path = directory / "config.json"
    described = json_files.read(path)
    architecture, trained, load = _read(directory, described)
    if architecture.get("use_class_token") is False:
        raise AssetError(f"{path}: a ViT without class token gives no `pooled`, and is not read.")
    images, notes = inputs.read(directory, described, trained)
    return Checkpoint(architecture, images, load, notes), trained


def _read(directory: Path, described: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[int, int], Load]:
    path = directory / "config.json"
    if described.get("registered_name") == "keras_hub>ViTBackbone":
        config = described.get("config", {})
        architecture = build.arguments(config, _ARCHITECTURE, path)
        height, width, _ = build.arguments(config, ["image_shape"], path)["image_shape"]
        return architecture, (height, width), build.keras_hub_weights(directory)
    if described.get("model_type") == "vit":
        return names.hugging_face(directory, described)
    return names.timm(directory, described)


def _encoder(found: Checkpoint, size: tuple[int, int]) -> keras.Model:
    return keras_hub.models.ViTBackbone(**found.architecture, image_shape=(*size, 3))


def _copy(source: keras.Model, target: keras.Model, before: tuple[int, int], after: tuple[int, int]) -> None:
    """Weights of one encoder into another one of another image size."""
    for ours, theirs in zip(target.weights, source.weights, strict=True):
        same = ours.shape == theirs.shape
        ours.assign(theirs if same else resized(keras.ops.convert_to_numpy(theirs), before, after))


def _pair(patch: int | Sequence[int]) -> tuple[int, int]:
    return (patch, patch) if isinstance(patch, int) else (patch[0], patch[1])


def _grid(size: tuple[int, int], patch: tuple[int, int]) -> tuple[int, int]:
    return size[0] // patch[0], size[1] // patch[1]
