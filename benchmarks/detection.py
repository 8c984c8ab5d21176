"""What keeping the outputs of frozen layers gains a detector: the same training with and without it.

    python benchmarks/detection.py BCCD#split=val

Both sides take turns, three times, in one process; the ratio is of medians. Prints a table.
"""

import io
import json
import os
import sys
import tempfile

import images
from rich.console import Console

import kerasft

BACKBONE, SIZE, EPOCHS, BATCH = "vgg/vgg16-hed", (256, 320), 8, 8


def main(source: str) -> None:
    """Measures, prints."""
    examples = kerasft.data.read(source)
    print(f"{len(examples)} images, {BACKBONE}, {images.REPETITIONS} repetitions in turns")
    images.compare(
        f"detection head, {EPOCHS} epochs, seconds",
        {"kept": lambda: seconds(source, 8.0), "computed in every epoch": lambda: seconds(source, 0.0)},
    )


def seconds(source: str, gigabytes: float) -> float:
    """Of training, with nothing kept from before."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["KERASFT_CACHE"] = f"{scratch}/cache"
        run = kerasft.finetune(
            BACKBONE,
            "detection",
            source,
            validation=None,
            test=source,
            backbone_options={"size": SIZE},
            phases=[kerasft.Phase("head", EPOCHS, 1e-3)],
            batch_size=BATCH,
            cache_gigabytes=gigabytes,
            out=f"{scratch}/run",
            console=Console(file=io.StringIO()),
        )
        return float(json.loads((run.directory / "report.json").read_text())["training_seconds"])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
