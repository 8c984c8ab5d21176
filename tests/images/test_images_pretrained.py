"""Real weights on real images: what the linear probe of VGG16 reaches on 2,000 images of CIFAR-10."""

from pathlib import Path

import pytest
from rich.console import Console

import kerasft

DATA = Path(__file__).parents[3] / "shared" / "data" / "cifar10-mini"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data/cifar10-mini"),
]


def accuracy(backbone: str, out: Path) -> float:
    run = kerasft.finetune(
        backbone,
        "classification",
        str(DATA / "train"),
        validation=None,
        test=str(DATA / "test"),
        phases=["head:40:3e-3"],
        weight_decay=0.0,
        out=out,
        console=Console(quiet=True),
    )
    return run.report.metrics["accuracy"]


def test_a_probe_of_pretrained_features_beats_one_of_random_features(tmp_path):
    pretrained, random = (accuracy(f"vgg/vgg16-{name}", tmp_path / name) for name in ("hed", "random"))
    print(f"pretrained {pretrained:.3f}, random {random:.3f}")
    assert pretrained >= 0.58 and random <= 0.48
