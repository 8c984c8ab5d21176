"""YOLOV8 of keras-cv on the data of `recipes/detection.py`, from random weights: its own need a hub.

    python3 -m venv build/yolo-env
    build/yolo-env/bin/pip install -c constraints.txt -e .[detection] keras-cv==0.9.0
    build/yolo-env/bin/python benchmarks/yolo.py BCCD#split=train BCCD#split=test --minutes 25

Prints a line per epoch, and COCO's figures at the end.
"""

import argparse
import io
import time
from typing import Any

import keras
import keras_cv
import numpy as np
from PIL import Image

from kerasft import data
from kerasft.data import Images
from kerasft_detection import scores

HEIGHT, WIDTH, BATCH = 256, 320, 8
CORNERS = ("x_min", "y_min", "x_max", "y_max")


def main() -> None:
    """Trains and evaluates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    args = parser.parse_args()
    pixels, objects, _ = read(args.train)
    labels = sorted({one["label"] for some in objects for one in some})
    keras.utils.set_random_seed(0)
    backbone = keras_cv.models.YOLOV8Backbone(  # of the preset yolo_v8_xs_backbone
        stackwise_channels=[32, 64, 128, 256],
        stackwise_depth=[1, 2, 2, 1],
        include_rescaling=True,
        input_shape=(HEIGHT, WIDTH, 3),
    )
    model = keras_cv.models.YOLOV8Detector(
        num_classes=len(labels), bounding_box_format="xyxy", backbone=backbone, fpn_depth=1
    )
    optimizer = keras.optimizers.AdamW(args.learning_rate, weight_decay=5e-4, global_clipnorm=10.0)
    model.compile(classification_loss="binary_crossentropy", box_loss="ciou", optimizer=optimizer, jit_compile=False)
    targets, started = padded(objects, labels), time.monotonic()
    while time.monotonic() - started < 60 * args.minutes:
        logs = model.fit(pixels, targets, batch_size=BATCH, verbose=0).history
        losses = {name: round(value[0], 3) for name, value in logs.items()}
        print(f"{time.monotonic() - started:.0f} s", losses, flush=True)
    print(evaluated(model, args.test, labels))


def read(source: str) -> tuple[np.ndarray, list[Any], np.ndarray]:
    """Pixels, boxes in them, and what a pixel is in the original image."""
    examples = data.read(source)
    images = Images(examples.column("image"), examples.folder, examples.where)
    opened = [Image.open(io.BytesIO(content)).convert("RGB") for content in images]
    scale = np.array([(image.width / WIDTH, image.height / HEIGHT) * 2 for image in opened])
    objects = [
        [{**one, **{name: one[name] / s for name, s in zip(CORNERS, by, strict=True)}} for one in some]
        for some, by in zip(examples.column("objects"), scale, strict=True)
    ]
    return np.stack([np.asarray(image.resize((WIDTH, HEIGHT)), np.float32) for image in opened]), objects, scale


def padded(objects: list[Any], labels: list[str]) -> dict[str, np.ndarray]:
    """Boxes as keras-cv takes them. Its loss is not a number if one has no area, so those are left out."""
    kept = [[o for o in some if o["x_max"] - o["x_min"] > 1 and o["y_max"] - o["y_min"] > 1] for some in objects]
    most = max(map(len, kept))
    boxes = np.full((len(kept), most, 4), -1, np.float32)
    classes = np.full((len(kept), most), -1, np.float32)
    for i, some in enumerate(kept):
        for k, one in enumerate(some):
            boxes[i, k] = [one[name] for name in CORNERS]
            classes[i, k] = labels.index(one["label"])
    return {"boxes": boxes, "classes": classes}


def evaluated(model: keras.Model, source: str, labels: list[str]) -> dict[str, float]:
    """COCO's figures in pixels of the original images."""
    pixels, objects, scale = read(source)
    answers = model.predict(pixels, batch_size=BATCH, verbose=0)
    truth = np.empty(len(objects), object)
    for i, some in enumerate(objects):
        rows = [(*(one[name] for name in CORNERS), labels.index(one["label"]), one["ignored"]) for one in some]
        truth[i] = np.array(rows, np.float64).reshape(-1, 6) * [*scale[i], 1, 1]
    names = np.array([*labels, ""], "S").astype(object)
    found = {
        "boxes": answers["boxes"] * scale[:, np.newaxis],
        "label": names[answers["classes"].astype(int)],
        "score": answers["confidence"],
        "count": (answers["classes"] >= 0).sum(axis=1),
    }
    return dict(scores.evaluate(truth, found, labels).metrics)


if __name__ == "__main__":
    main()
