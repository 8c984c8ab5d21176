"""The random generators of the process, as data: callbacks and layers without a seed of their own draw from them."""

import random
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kerasft import keras_private


def get_state() -> dict[str, Any]:
    """Of Keras, Python and NumPy, JSON-ready. Those of dropout are variables of the model."""
    seed = np.asarray(keras.ops.convert_to_numpy(keras_private.global_seed())).tolist()
    version, numbers, gauss = random.getstate()
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "keras": seed,
        "python": [version, list(numbers), gauss],
        "numpy": [name, np.asarray(keys).tolist(), *rest],
    }


def set_state(state: Mapping[str, Any]) -> None:
    """The inverse of `get_state`."""
    seed = keras_private.global_seed()
    seed.assign(np.array(state["keras"], seed.dtype))
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
