"""Resuming with a third-party backbone that does whatever Keras allows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from small_runs import separable, weights_of, write_csv

import kerasft

# Its layers have no names of their own, so Keras numbers them through; one gathers statistics, one draws numbers
# without a seed of its own.
CARELESS = """
import kerasft

@kerasft.hookimpl
def kerasft_backbones():
    presets = (kerasft.PresetSpec(name="tiny", summary="hashed texts"),)
    yield kerasft.BackboneSpec(
        name="careless", modality="text", provides=("pooled",), factory="acme_careless:create", presets=presets
    )

def create(directory, *, preset, weights=True):
    import keras
    import tensorflow as tf

    class Noise(keras.layers.Layer):
        def call(self, x, training=False):
            return x + 0.1 * keras.random.normal(keras.ops.shape(x)) if training else x

    def preprocess(texts):
        features = [tf.strings.to_hash_bucket_fast(tf.strings.join([texts, str(i)]), 7) for i in range(8)]
        features = tf.cast(tf.stack(features, 1), tf.float32) - 3.0
        return kerasft.Encoded({"features": features, "padding_mask": tf.ones_like(features, tf.int32)}, {})

    inputs = {"features": keras.Input((8,), name="features")}
    inputs["padding_mask"] = keras.Input((8,), dtype="int32", name="padding_mask")
    shallow, deep = keras.layers.Dense(8), keras.layers.Dense(8)
    noise, norm = Noise(), keras.layers.BatchNormalization()
    x = shallow(inputs["features"] * keras.ops.cast(inputs["padding_mask"], "float32"))
    model = keras.Model(inputs, {"pooled": deep(keras.layers.Dropout(0.5)(norm(noise(x))))})
    groups = kerasft.Group("shallow", [shallow]), kerasft.Group("deep", [norm, deep])
    return kerasft.Backbone(model=model, groups=groups, preprocess=preprocess, files={})
"""


class Break(keras.callbacks.Callback):
    """Raises before a step."""

    def __init__(self, epoch: int, step: int):
        super().__init__()
        self.place = [epoch, step]
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if [self.epoch, batch] == self.place:
            raise ZeroDivisionError


def test_layers_without_names_or_seeds_and_with_statistics(plugin: Callable[[str, str], None], tmp_path: Path) -> None:
    plugin("careless", CARELESS)
    csv = write_csv(tmp_path / "train.csv", separable(40))

    def train(out: str, **options: Any) -> kerasft.Run:
        return kerasft.finetune(
            *("careless/tiny", "classification", csv),
            phases=[
                kerasft.Phase("head", 1, 1e-2),
                kerasft.Phase("all", 2, 1e-2, batch_norm=True),  # below a frozen layer nothing would be drawn
            ],
            **{"out": tmp_path / out, "batch_size": 12, "checkpoint_steps": 1, "validation": 0.2, **options},
        )

    whole = train("whole")
    for epoch, step in ((0, 2), (2, 1)):
        out = f"broken-{epoch}"
        with pytest.raises(ZeroDivisionError):
            train(out, callbacks=[Break(epoch, step)])
        again = kerasft.resume(tmp_path / out)
        assert [w.path for w in again.model.weights] != [w.path for w in whole.model.weights]
        assert [w.numpy().tobytes() for w in again.model.weights] == [w.numpy().tobytes() for w in whole.model.weights]
        assert again.history == whole.history
    assert len(weights_of(whole.directory)) > 5
