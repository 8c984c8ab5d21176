"""Any backbone with a pyramid: what is drawn on a blank image is found after eight of them were learned by heart."""

import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from test_detection_graph import overlap

import kerasft

CORNERS = ("x_min", "y_min", "x_max", "y_max")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The table of eight blank images with a box on each, and the boxes."""
    root, dice = tmp_path_factory.mktemp("blank"), np.random.default_rng(0)
    boxes = []
    for i in range(8):
        x, y = dice.integers(4, 30, 2)
        boxes.append((x, y, x + dice.integers(20, 30), y + dice.integers(20, 30)))
        pixels = np.full((64, 64, 3), 128, np.uint8)
        pixels[boxes[i][1] : boxes[i][3], boxes[i][0] : boxes[i][2]] = (255, 40, 40)
        Image.fromarray(pixels).save(root / f"{i}.png")
    rows = [",".join(map(str, (f"{i}.png", *box, "thing"))) for i, box in enumerate(boxes)]
    (root / "boxes.csv").write_text("\n".join(["image,x_min,y_min,x_max,y_max,label", *rows]) + "\n")
    return root / "boxes.csv", boxes


@pytest.mark.parametrize("backbone", ["resnet/tiny", "vgg/tiny", "vit/tiny"])
def test_a_box_on_a_blank_image_is_found(backbone, drawn, tmp_path):
    table, boxes = drawn
    run = kerasft.finetune(
        backbone, "detection", str(table), validation=None, test=str(table), backbone_options={"size": 64},
        task_options={"channels": 32, "convolutions": 1}, phases=["all:80:5e-3:layer_decay=1.0"], batch_size=8,
        out=tmp_path / "run", console=Console(quiet=True),
    )  # fmt: skip
    losses = [epoch["loss"] for epoch in json.loads((run.directory / "history.json").read_text())["epochs"]]
    assert losses[0] < 10 and losses[-1] < 0.3 * losses[0]
    answers = run.predict([str(table.parent / f"{i}.png") for i in range(8)])
    best = [answer["objects"][0] for answer in answers]
    overlaps = [overlap([one[name] for name in CORNERS], box) for one, box in zip(best, boxes, strict=True)]
    assert min(overlaps) > 0.5
