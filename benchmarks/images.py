"""Speed on images: a head on frozen features against Keras's `fit`, and batches from decoded images against decoding.

    python benchmarks/images.py FOLDER_PER_CLASS

Both sides take turns, three times, in one process; ratios are of medians. Prints a table.
"""

import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console

import kerasft
from kerasft import freezing
from kerasft.data import read
from kerasft.engine.pipeline import Batches
from kerasft.engine.plan import BatchPlan
from kerasft.engine.prepare import raw_inputs

BACKBONE, EPOCHS, EXAMPLES, BATCH = "vgg/vgg16-hed", 10, 200, 32
SIZE = 224
REPETITIONS = 3


def main(folder: str) -> None:
    """Measures, prints."""
    examples = read(folder)
    some = examples.take(np.linspace(0, len(examples) - 1, min(EXAMPLES, len(examples))).astype(int))
    images = list(raw_inputs(some, "image", "image"))
    labels = [str(label) for label in some.column("label")]
    labels = labels if len(set(labels)) > 1 else [str(i % 2) for i in range(len(images))]
    print(f"{len(images)} images, {BACKBONE}, {REPETITIONS} repetitions in turns, two threads a side")
    compare(
        f"head, {EPOCHS} epochs, seconds",
        {
            "kerasft": lambda: head_kerasft(images, labels),
            "Keras fit": lambda: head_keras(images, labels),
        },
    )
    ours, theirs = pipelines(images, labels)
    compare(f"an epoch of batches of {SIZE} pixels, seconds", {"kerasft": ours, "decoding every epoch": theirs})


def compare(title: str, sides: dict[str, Callable[[], float]]) -> None:
    """Prints the seconds of all sides and how many times as long the last one takes."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for repetition in range(REPETITIONS):
        for name in list(sides)[:: 1 if repetition % 2 == 0 else -1]:
            found[name].append(sides[name]())
    medians = [statistics.median(seconds) for seconds in found.values()]
    for name, seconds in found.items():
        print(f"| {title} | {name} | " + ", ".join(f"{s:.3g}" for s in seconds) + " |")
    print(f"| {title} | ratio | {medians[1] / medians[0]:.1f} |", flush=True)


def head_kerasft(images: list[bytes], labels: list[str]) -> float:
    """From files in memory to the trained head, with nothing kept from before."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["KERASFT_CACHE"] = f"{scratch}/cache"
        run = kerasft.finetune(
            BACKBONE,
            "classification",
            {"image": images, "label": labels},
            validation=None,
            test={"image": images[:8], "label": labels[:8]},
            phases=[kerasft.Phase("head", EPOCHS, 1e-3)],
            batch_size=BATCH,
            out=f"{scratch}/run",
            console=Console(file=io.StringIO()),
        )
        return float(json.loads((run.directory / "report.json").read_text())["training_seconds"])


def head_keras(images: list[bytes], labels: list[str]) -> float:
    """The same model with its backbone frozen, and Keras's `fit` with its defaults; images are decoded once."""
    model = kerasft.build(BACKBONE, "classification", labels=sorted(set(labels)))
    task = model.assembly.task
    started = time.perf_counter()
    freezing.apply(model, kerasft.Phase("head", EPOCHS, 1e-3))
    model.split = None  # all of the model in every step
    model.compile(keras.optimizers.AdamW(1e-3), task.loss(), metrics=task.metrics())
    pixels = model.assembly.backbone.preprocess(tf.constant(images)).inputs["images"]
    batches = tf.data.Dataset.from_tensor_slices(({"images": pixels}, task.encode(labels, str)))
    model.fit(batches.cache().shuffle(len(images)).batch(BATCH).prefetch(2), epochs=EPOCHS, verbose=0)
    return time.perf_counter() - started


def pipelines(images: list[bytes], labels: list[str]) -> tuple[Callable[[], float], Callable[[], float]]:
    """Functions that read one epoch: from what kerasft has decoded, and by decoding in `tf.data`."""
    model = kerasft.build(BACKBONE, "classification", backbone_options={"size": SIZE}, labels=sorted(set(labels)))
    task = model.assembly.task
    targets = task.encode(labels, str)
    plan = BatchPlan(examples=len(images), batch_size=BATCH, seed=0)
    ours = Batches(model.assembly.encodings(images), task, targets, plan)
    size = (SIZE, SIZE)

    def decode(content: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.image.resize(tf.io.decode_image(content, 3, expand_animations=False), size), target

    theirs = tf.data.Dataset.from_tensor_slices((images, targets)).shuffle(len(images))
    theirs = theirs.map(decode, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(tf.data.AUTOTUNE)
    epoch = iter(range(1000))

    def read_ours() -> float:
        first = next(epoch)
        return _seconds(ours.dataset(range(first, first + 10))) / 10

    return read_ours, lambda: _seconds(theirs)


def _seconds(batches: tf.data.Dataset) -> float:
    started = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - started


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        raise SystemExit(__doc__)
    main(sys.argv[1])
