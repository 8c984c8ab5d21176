"""What plain Keras does below `tf.distribute`, and what ours does: `python placed_defects.py` prints it as JSON.

Two logical CPUs by default; with TF_CONFIG, as one of several workers.
"""

import json
import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kerasft
from kerasft.engine import optim
from kerasft.keras_private import BuildsWithoutData
from kerasft.model import TrainedModel

TWO = kerasft.strategy("auto" if "TF_CONFIG" in os.environ else 2)
ONE = tf.distribute.get_strategy()


class Built(BuildsWithoutData, keras.Model):
    """Keras's own model with one of the cures."""


class Seen(keras.callbacks.Callback):
    """The running mean of the loss at each step."""

    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(float(logs["loss"]))


def numbers(examples: int, dtype: str = "float32") -> tuple[Any, np.ndarray]:
    draws = np.random.default_rng(0)
    x = draws.normal(size=(examples, 3)).astype("float32")
    y = draws.normal(size=(examples, 1)).astype("float32") * 3
    if dtype == "string":
        return np.where(x > 0, "a", "b").astype(object), y
    return (x > 0 if dtype == "bool" else x), y


def made(kind: type, strategy: Any, dtype: str = "float32", **options: Any) -> keras.Model:
    with strategy.scope():
        x = inputs = keras.Input((3,), dtype=dtype)
        if dtype == "string":
            x = keras.layers.Hashing(5)(x)
        x = keras.ops.cast(x, "float32")
        model = kind(inputs, keras.layers.Dense(1, kernel_initializer="ones")(x))
        model.compile(**{"optimizer": keras.optimizers.SGD(0.1), "loss": "mse", "jit_compile": False, **options})
    return model


def fitted(kind: type, strategy: Any, *, examples: int = 8, batch: int = 4, dtype: str = "float32", **options: Any):
    """Losses by step, then weights, of two epochs; or the error, in one line."""
    pieces = options.pop("micro_batches", 1)
    try:
        # A function: an optimizer remembers the scope in which it was made.
        with strategy.scope():
            options = {name: value() if isinstance(value, Made) else value for name, value in options.items()}
        model = made(kind, strategy, dtype, **options)
        model.micro_batches = pieces
        seen = Seen()
        x, y = numbers(examples, dtype)
        model.fit(tf.data.Dataset.from_tensor_slices((x, y)).batch(batch), epochs=2, verbose=0, callbacks=[seen])
        averages = getattr(model.optimizer, "averages", ())
        return [*seen.losses, *(float(v) for w in (*model.weights, *averages) for v in np.ravel(w.numpy()))]
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:2000]


class Made:
    """A call for later."""

    def __init__(self, function: Callable[..., Any], **options: Any):
        self.function, self.options = function, options

    def __call__(self) -> Any:
        return self.function(**self.options)


def three(plain: dict[str, Any], ours: dict[str, Any] | None = None, kind: type = keras.Model, **both: Any):
    """Plain Keras and ours on several devices, and what one device says."""
    ours = plain if ours is None else ours
    return {
        "plain": fitted(kind, TWO, **both, **plain),
        "ours": fitted(TrainedModel, TWO, **both, **ours),
        "one": fitted(TrainedModel, ONE, **both, **ours),
    }


SGD = keras.optimizers.SGD

CASES = {
    "bool inputs": lambda: three({"dtype": "bool"}),
    "string inputs": lambda: three({"dtype": "string", "optimizer": Made(SGD, learning_rate=0.01)}),
    "a first batch that splits unevenly": lambda: three({"batch": 3}),
    "examples of a batch that splits unevenly": lambda: three({"batch": 5, "examples": 11}, kind=Built),
    "accumulation": lambda: three(
        {"optimizer": Made(SGD, learning_rate=0.1, gradient_accumulation_steps=2)}, {"micro_batches": 2}
    ),
    "clipping": lambda: three(
        {"optimizer": Made(SGD, learning_rate=0.1, momentum=0.9, global_clipnorm=0.5)},
        {"optimizer": Made(optim.SGD, learning_rate=0.1, clip_norm=0.5)},
    ),
    "moving average": lambda: three(
        {"optimizer": Made(SGD, learning_rate=0.1, momentum=0.9, use_ema=True, ema_momentum=0.5)},
        {"optimizer": Made(optim.SGD, learning_rate=0.1, average_momentum=0.5)},
    ),
    "logs": lambda: three({"batch": 5, "examples": 15, "optimizer": Made(SGD, learning_rate=0.0)}, kind=Built),
    "several steps per execution": lambda: {"plain": fitted(keras.Model, TWO, steps_per_execution=2)},
    "loss scaling": lambda: {"plain": loss_scaling()},
    "statistics": lambda: {"plain": statistics(Built, 8), "ours": statistics(TrainedModel, 5)},
    "built outside the scope": lambda: {"plain": built_outside()},
    "two strategies": lambda: {"plain": two_strategies(), "same": kerasft.strategy(2) is TWO},
}

WORKERS = {
    "plain": lambda: fitted(keras.Model, TWO),
    "built": lambda: fitted(Built, TWO),
    "ours": lambda: fitted(TrainedModel, TWO),
    "one": lambda: fitted(TrainedModel, ONE),
}


def loss_scaling() -> Any:
    """Weights after a step in which the second replica's gradient overflows."""
    with TWO.scope():
        inputs = keras.Input((1,))
        model = Built(inputs, keras.layers.Dense(1, dtype="mixed_float16", kernel_initializer="ones")(inputs))
        model.compile(keras.optimizers.LossScaleOptimizer(SGD(0.1)), "mse", jit_compile=False)
    data = np.array([[1.0], [60000.0]], "float32")
    model.fit(tf.data.Dataset.from_tensor_slices((data, data * 0)).batch(2), verbose=0)
    return [str(float(v)) for w in model.weights for v in np.ravel(w.numpy())]


def statistics(kind: type, examples: int) -> Any:
    """All weights with BatchNormalization, as each replica has them; of 5 examples the second has no fifth."""
    with TWO.scope():
        inputs = keras.Input((3,))
        model = kind(inputs, keras.layers.Dense(1)(keras.layers.BatchNormalization(momentum=0.5)(inputs)))
        model.compile(SGD(0.1), "mse", jit_compile=False)
    model.fit(tf.data.Dataset.from_tensor_slices(numbers(examples)).batch(4), verbose=0)
    replicas = [TWO.experimental_local_results(w.value) for w in model.weights]
    return [[float(v) for values in replicas for v in np.ravel(values[i].numpy())] for i in (0, 1)]


def built_outside() -> Any:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    try:
        with TWO.scope():
            model.compile(SGD(0.1), "mse")
            model.fit(*numbers(8), verbose=0)
        return "works"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def two_strategies() -> Any:
    """Two models of different sizes, each below a strategy of its own."""
    for width in (3, 4):
        with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
            inputs = keras.Input((width,))
            model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
            model.compile(SGD(0.1), "mse", jit_compile=False)
        try:
            model.fit(np.ones((4, width), "float32"), np.ones((4, 1), "float32"), verbose=0)
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:2000]
    return "works"


if __name__ == "__main__":
    cases = WORKERS if "TF_CONFIG" in os.environ else CASES
    print(json.dumps({name: case() for name, case in cases.items()}))
