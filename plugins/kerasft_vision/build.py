"""A KerasHub model of images becomes a `kerasft.Backbone`."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras

from kerasft import Backbone, Group, json_files
from kerasft.errors import AssetError
from kerasft_vision.inputs import ImageInputs

CONFIG = "image_backbone.json"
"""File of a run directory from which a backbone is made again."""

Load = Callable[[keras.Model], None]


class Checkpoint(NamedTuple):
    """What a checkpoint directory holds.

    Args:
        architecture: arguments of the KerasHub class, without ``image_shape``.
        inputs: how it wants its images.
        load: reads its weights into the KerasHub model.
        notes: what the user should know.
    """

    architecture: Mapping[str, Any]
    inputs: ImageInputs
    load: Load
    notes: Sequence[str] = ()


def backbone(
    name: str,
    checkpoint: Checkpoint,
    features: Mapping[str, Any],
    source: keras.KerasTensor,
    groups: Sequence[Group],
) -> Backbone:
    """The features of a KerasHub model as those of files of images.

    Args:
        name: of the model.
        checkpoint: that it was made from.
        features: by name, of the KerasHub model.
        source: its input.
        groups: its layers with weights, shallow → deep.
    """
    images = keras.Input((*checkpoint.inputs.size, 3), name="images")
    inner = keras.Model(source, features)
    # `call`, which applies layer after layer; the model called as a layer would be one piece, to freeze as a whole.
    outputs = inner.call(checkpoint.inputs.normalize(images))
    record = {"architecture": dict(checkpoint.architecture), "inputs": checkpoint.inputs.to_json()}
    return Backbone(
        model=keras.Model({"images": images}, outputs, name=name),
        groups=groups,
        preprocess=checkpoint.inputs.preprocess(),
        files={CONFIG: json.dumps(record, indent=1).encode()},
        notes=tuple(checkpoint.notes),
    )


def recorded(directory: Path) -> Checkpoint | None:
    """What `backbone` put into a run directory; None if this is something else."""
    path = directory / CONFIG
    if not path.exists():
        return None
    record = json_files.read(path)
    return Checkpoint(record["architecture"], ImageInputs.from_json(record["inputs"]), no_weights)


def no_weights(model: keras.Model) -> None:
    """For a directory that holds none.

    Raises:
        AssetError: always.
    """
    raise AssetError("This directory holds a backbone's configuration without its weights.")


def keras_hub_weights(directory: Path) -> Load:
    """Loads what KerasHub wrote.

    The loader raises AssetError if the file is missing, damaged or of another architecture.
    """
    path = directory / "model.weights.h5"
    path = path if path.exists() else directory / "model.weights.json"  # large ones come in shards

    def load(model: keras.Model) -> None:
        try:
            model.load_weights(path)
        except (OSError, ValueError, KeyError) as error:
            raise AssetError(f"{path} is missing, damaged or of another architecture: {error}") from error

    return load


def seeded_weights(seed: int) -> Load:
    """Random kernels for tests, the same for each seed, as He et al. 2015 draw them; other weights stay as they are."""

    def load(model: keras.Model) -> None:
        for offset, weight in enumerate(model.weights):
            if weight.name == "kernel":
                initializer = keras.initializers.HeNormal(seed=seed * 10_000 + offset)
                weight.assign(initializer(weight.shape))

    return load


def arguments(config: Mapping[str, Any], names: Sequence[str], where: Path) -> dict[str, Any]:
    """Those of a KerasHub class out of its configuration.

    Raises:
        AssetError: some are missing: all of them are listed.
    """
    return json_files.read_fields(where, dict(config), {name: name for name in names})
