"""One measurement of KerasHub's `BertTextClassifier.fit` on raw texts, as documented. Prints a JSON line.

The warm-up trains the same model on one batch, so that its tracing is outside of the time. What every `fit` traces
anew, the functions of its `tf.data` pipeline, is taken off the time: it would count for much on so few examples.
"""

import time
from typing import Any

import meter
import texts as data
import tf_side

CLOCK = tf_side.prepare()

import keras  # noqa: E402  (TensorFlow takes its threads before anything else of it is used)
import keras_hub  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

BATCH, WARM = 32, 32


def main() -> None:
    """Warms up, measures, prints."""
    spec, model, path = meter.arguments(__doc__)
    base = meter.resident_bytes()
    examples = data.load(path, spec["data"], spec["examples"])
    texts, targets = np.array(examples.texts), _targets(examples.labels)
    classifier = build(str(model), len(set(examples.labels)), spec)
    started = time.perf_counter()
    classifier.fit(texts[:WARM], targets[:WARM], batch_size=BATCH, verbose=0)
    warm = round(time.perf_counter() - started, 2)
    traced = CLOCK.seconds
    with meter.Meter() as measured:
        history = classifier.fit(texts, targets, batch_size=BATCH, epochs=spec["epochs"], verbose=0)
    tracing = CLOCK.since(traced) or 0.0
    rows = [len(targets[first : first + BATCH]) for first in range(0, len(targets), BATCH)]
    meter.say(
        {
            "wall_seconds": measured.wall - tracing,
            "cpu_seconds": measured.cpu - tracing,
            "peak_bytes": measured.peak,
            "base_bytes": base,
            "warmup_seconds": warm,
            "tracing_seconds": 0.0,
            "tracing_left_out": tracing,
            "tokenize_seconds": _tokenizing(classifier, texts),
            "examples": len(targets),
            "epochs": spec["epochs"],
            "steps": len(rows) * spec["epochs"],
            "useful_tokens": int(np.minimum(examples.tokens, spec["length"]).sum()),
            "trained_weights": sum(int(np.prod(weight.shape)) for weight in classifier.trainable_weights),
            "precision": "float32",
            "loss": history.history["loss"][-1],
            "versions": tf_side.versions("keras-hub"),
            **meter.padded([(count, spec["length"]) for count in rows]),
        }
    )


def build(model: str, classes: int, spec: dict[str, Any]) -> keras_hub.models.BertTextClassifier:
    """From the checkpoint, frozen as the scenario says, compiled."""
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor.from_preset(model, sequence_length=spec["length"])
    classifier = keras_hub.models.BertTextClassifier.from_preset(
        model, num_classes=classes, preprocessor=preprocessor, dtype="float32"
    )
    backbone = classifier.backbone
    if spec["train"] == "head":
        backbone.trainable = False
    elif spec["train"].startswith("top"):
        top = [*backbone.transformer_layers[-int(spec["train"][3:]) :], backbone.get_layer("pooled_dense")]
        for layer in backbone.layers:
            layer.trainable = layer in top
    classifier.compile(
        optimizer=keras.optimizers.AdamW(spec["rate"]),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return classifier


def _targets(labels: list[str]) -> np.ndarray:
    names = sorted(set(labels))
    return np.array([names.index(label) for label in labels], np.int32)


def _tokenizing(classifier: keras_hub.models.BertTextClassifier, texts: np.ndarray) -> float:
    """Seconds to tokenize all texts once by themselves, as `fit` does it; there it is beside the training."""
    batches = tf.data.Dataset.from_tensor_slices(texts).batch(BATCH)
    batches = batches.map(classifier.preprocessor, num_parallel_calls=tf.data.AUTOTUNE)
    for _ in batches.take(1):  # what is lazy is made
        pass
    started = time.perf_counter()
    for _ in batches:
        pass
    return round(time.perf_counter() - started, 4)


if __name__ == "__main__":
    main()
