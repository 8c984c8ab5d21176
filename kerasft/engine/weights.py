"""Weights of a run on disk, in Keras's own format: whole or not at all."""

import math
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from safetensors import SafetensorError
from safetensors.numpy import save_file

from kerasft import files, freezing
from kerasft.errors import RunError

# What HDF5 writes besides the arrays, rounded up: groups and attributes of each, and of the file.
_BYTES_PER_ARRAY, _BYTES_PER_FILE = 16_384, 65_536


def save(model: keras.Model, path: Path) -> None:
    """Writes the weights of `model` without those of its optimizer, which are twice as many.

    Raises:
        KerasftError: no permission, or no space left.
    """
    arrays = [math.prod(weight.shape) * tf.as_dtype(weight.dtype).size for weight in model.weights]
    size = sum(arrays) + len(arrays) * _BYTES_PER_ARRAY + _BYTES_PER_FILE
    # HDF5 crashes the process when its disk is full, so the space is asked for before.
    with files.atomic(path, suffix=".weights.h5", reserve=size) as temporary:
        _bare(model).save_weights(temporary, overwrite=True)


def save_adapters(model: keras.Model, path: Path) -> None:
    """Writes the low-rank adapters alone, by path of variable, if the model has any: megabytes instead of gigabytes."""
    arrays = {variable.path: variable.numpy() for variable in model.weights if freezing.is_adapter(variable)}
    if arrays:
        with files.atomic(path, suffix=".safetensors") as temporary:
            save_arrays(arrays, temporary)


def save_arrays(arrays: Mapping[str, np.ndarray], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Writes a safetensors file that others may read too.

    Raises:
        OSError: no permission, or no space left.
    """
    try:
        save_file(dict(arrays), path, metadata=dict(metadata or {}))
    except SafetensorError as error:
        raise OSError(str(error)) from error
    path.chmod(0o644)  # it was a file of its own, for its owner alone, that took the place of `path`


def load(model: keras.Model, path: Path) -> None:
    """Reads the weights of `model`; its optimizer stays as it is.

    Raises:
        RunError: the file is damaged, or holds the weights of another model.
    """
    try:
        _bare(model).load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise RunError(f"{path} is damaged, or holds the weights of another model: {reason}") from error


def _bare(model: keras.Model) -> keras.Model:
    """The same layers and weights in a model that was never compiled, hence has no optimizer."""
    return keras.Model(model.input, model.output)
