"""Real weights on real images: blood cells are found after a few epochs on frozen features."""

from pathlib import Path

import pytest
from rich.console import Console

import kerasft

DATA = Path(__file__).parents[3] / "shared" / "data" / "bccd" / "BCCD"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data/bccd"),
]


def average_precision(out: Path, phase: str) -> float:
    run = kerasft.finetune(
        "vgg/vgg16-hed",
        "detection",
        f"{DATA}#split=train",
        validation=None,
        test=f"{DATA}#split=test",
        backbone_options={"size": (192, 256)},
        phases=[phase],
        batch_size=8,
        out=out,
        console=Console(quiet=True),
    )
    return run.report.metrics["map50"]


def test_average_precision_rises_from_zero(tmp_path):
    untrained = average_precision(tmp_path / "a", "head:1:1e-9")
    trained = average_precision(tmp_path / "b", "head:6:1e-3")
    print(f"AP50 {untrained:.3f}, then {trained:.3f}")
    assert untrained < 0.02 and trained > 0.5
