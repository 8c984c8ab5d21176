"""One measurement of plain Keras: a tiny head on features in memory, or the whole model on kerasft's own batches.

Prints a JSON line. The head is warmed up with a `fit` of the same model. The whole model is warmed up with another
model, and then traced anew within the time: just as kerasft is measured, which it is compared with.
"""

import time
from pathlib import Path
from typing import Any

import meter
import texts as data
import tf_side

CLOCK = tf_side.prepare()

import keras  # noqa: E402  (TensorFlow takes its threads before anything else of it is used)
import numpy as np  # noqa: E402

import kerasft  # noqa: E402

BATCH, WARM, CLASSES, WIDTH = 32, 32, 5, 384
_ENOUGH = 4.0  # seconds, about; "enough" in a spec


def main() -> None:
    """Warms up, measures, prints."""
    spec, model, path = meter.arguments(__doc__)
    base = meter.resident_bytes()
    result = head_steps(spec) if spec["kind"] == "steps" else same_batches(spec, model, path)
    meter.say({**result, "base_bytes": base, "precision": "float32", "versions": tf_side.versions("keras-hub")})


def head_steps(spec: dict[str, Any]) -> dict[str, Any]:
    """Steps of `fit` with its defaults on NumPy arrays."""
    random = np.random.default_rng(0)
    features = random.normal(size=(spec["examples"], WIDTH)).astype("float32")
    targets = random.integers(0, CLASSES, spec["examples"]).astype("int32")
    inputs = keras.Input((WIDTH,))
    head = keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.Dropout(0.1)(inputs)))
    head.compile(
        optimizer=keras.optimizers.AdamW(spec["rate"]),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    started = time.perf_counter()
    head.fit(features, targets, batch_size=BATCH, epochs=1, verbose=0)
    warm = time.perf_counter() - started
    started = time.perf_counter()
    head.fit(features, targets, batch_size=BATCH, epochs=2, verbose=0)
    epochs = max(2, round(2 * spec.get("enough", _ENOUGH) / (time.perf_counter() - started)))
    traced = CLOCK.seconds
    with meter.Meter() as measured:
        head.fit(features, targets, batch_size=BATCH, epochs=epochs, verbose=0)
    tracing = CLOCK.since(traced) or 0.0  # of the `tf.data` pipeline that every `fit` makes: no cost of a step
    steps = -(-spec["examples"] // BATCH) * epochs
    return {
        "wall_seconds": measured.wall - tracing,
        "cpu_seconds": measured.cpu - tracing,
        "peak_bytes": measured.peak,
        "warmup_seconds": round(warm, 2),
        "tracing_seconds": 0.0,
        "tracing_left_out": tracing,
        "examples": steps * BATCH,
        "epochs": 1,
        "steps": steps,
        "useful_tokens": 0,
        "trained_weights": head.count_params(),
    }


def same_batches(spec: dict[str, Any], model: Path, path: Path) -> dict[str, Any]:
    """One epoch of an ordinary `keras.Model` on what `kerasft.dataset` gives."""
    examples = data.load(path, spec["data"], spec["examples"])
    started = time.perf_counter()
    few = data.Texts(*(column[:WARM] for column in examples))
    _fit(few, _build(examples.labels, spec, model), spec)
    warm = time.perf_counter() - started
    built = _build(examples.labels, spec, model)
    traced = CLOCK.seconds
    with meter.Meter() as measured:
        loss, weights = _fit(examples, built, spec)
    tokens = np.minimum(examples.tokens, spec["length"])
    rows = [len(tokens[first : first + BATCH]) for first in range(0, len(tokens), BATCH)]
    return {
        "wall_seconds": measured.wall,
        "cpu_seconds": measured.cpu,
        "peak_bytes": measured.peak,
        "warmup_seconds": round(warm, 2),
        "tracing_seconds": CLOCK.since(traced),
        "examples": len(tokens),
        "epochs": spec["epochs"],
        "steps": len(rows) * spec["epochs"],
        "useful_tokens": int(tokens.sum()),
        "trained_weights": weights,
        "loss": loss,
        **meter.padded([(count, int(tokens.max())) for count in rows]),
    }


def _build(labels: list[str], spec: dict[str, Any], model: Path) -> keras.Model:
    options = {"length": spec["length"], "pooler": True}
    return kerasft.build(str(model), "classification", labels=sorted(set(labels)), backbone_options=options)


def _fit(examples: data.Texts, built: keras.Model, spec: dict[str, Any]) -> tuple[float, int]:
    task = built.assembly.task
    batches = kerasft.dataset(built, examples.texts, examples.labels, batch_size=BATCH, shuffle_seed=0)
    plain = keras.Model(built.input, built.output)  # the same layers, with Keras's own training step
    plain.compile(
        optimizer=keras.optimizers.AdamW(spec["rate"], weight_decay=0.01, global_clipnorm=1.0),
        loss=task.loss(),
        metrics=task.metrics(),
    )
    history = plain.fit(batches, epochs=spec["epochs"], verbose=0)
    return history.history["loss"][-1], sum(int(np.prod(weight.shape)) for weight in plain.trainable_weights)


if __name__ == "__main__":
    main()
