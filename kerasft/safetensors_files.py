"""Weights of a checkpoint directory in safetensors format, as Hugging Face and timm write them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from safetensors import SafetensorError, safe_open

from kerasft import json_files
from kerasft.errors import AssetError


class Weight(NamedTuple):
    """Where one weight of a model stands in a checkpoint.

    Args:
        name: there.
        variable: that gets it.
        shape: there.
        convert: gives the array in the variable's layout, or one that reshapes into it.
    """

    name: str
    variable: keras.Variable
    shape: tuple[int, ...]
    convert: Callable[[np.ndarray], np.ndarray] = lambda array: array


class Safetensors:
    """``model.safetensors``, or several files named by ``model.safetensors.index.json``.

    Args:
        directory: of the checkpoint.
        prefix: of the names of all weights, for example ``"vit."``.

    Raises:
        AssetError: files are missing or damaged.
    """

    def __init__(self, directory: Path, prefix: str = ""):
        self._directory = directory
        self._shards = _shards(directory)
        self.prefix = prefix

    def __contains__(self, name: str) -> bool:
        return self.prefix + name in self._shards

    def array(self, name: str) -> np.ndarray | None:
        """A weight as float32, or None if there is none of that name."""
        shard = self._shards.get(self.prefix + name)
        if shard is None:
            return None
        with safe_open(shard, framework="tf") as file:  # "np" cannot read bfloat16
            return keras.ops.convert_to_numpy(keras.ops.cast(file.get_tensor(self.prefix + name), "float32"))

    def load(self, weights: Iterable[Weight]) -> None:
        """Assigns all weights.

        Raises:
            AssetError: some are missing or have other shapes: all of them are listed.
        """
        problems = []
        for name, variable, shape, convert in weights:
            array = self.array(name)
            if array is None:
                problems.append(f"{name}: not in the checkpoint, expected {shape}")
            elif array.shape != shape:
                problems.append(f"{name}: {array.shape} in the checkpoint, expected {shape}")
            else:
                variable.assign(convert(array).reshape(variable.shape))
        if problems:
            raise AssetError("\n  ".join([f"{self._directory}: the weights do not fit its config.json:", *problems]))


def _shards(directory: Path) -> dict[str, Path]:
    """Which file holds each weight."""
    path, index = directory / "model.safetensors", directory / "model.safetensors.index.json"
    paths = _paths_of_index(index) if index.exists() else [path]
    if paths == [path] and not path.exists():
        raise AssetError(
            f"{directory}: no model.safetensors. Pickled weights (pytorch_model.bin) are never read: convert them with "
            "transformers' save_pretrained(safe_serialization=True)."
        )
    return {name: shard for shard in paths for name in _names_in(shard)}


def _paths_of_index(index: Path) -> list[Path]:
    weight_map = json_files.read(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise AssetError(f"{index} is damaged: it has no weight_map.")
    # The last part only: an index must not lead out of its directory.
    return [index.parent / Path(str(file)).name for file in sorted(set(weight_map.values()), key=str)]


def _names_in(path: Path) -> list[str]:
    if not path.exists():
        raise AssetError(f"{path} is missing, though the checkpoint's index names it.")
    try:
        with safe_open(path, framework="np") as file:
            return list(file.keys())
    except SafetensorError as error:
        raise AssetError(f"{path} is damaged: {error}") from error
