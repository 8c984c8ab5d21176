"""`make parity`: features of random checkpoints of transformers and timm, computed by them and by kerasft.

    python benchmarks/parity/parity.py

Writes docs/parity.md. Fails if a feature differs by more than 1e-4 of the largest value (or of 1, if that is smaller).
"""

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasft import pretrained

HERE = Path(__file__).resolve().parent
TOLERANCE = 1e-4
_LARGER = 96


def main() -> None:
    """Compares all, writes the table."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        done = subprocess.run(
            [sys.executable, str(HERE / "reference.py"), scratch], stdout=subprocess.PIPE, text=True, check=True
        )
        versions = {**json.loads(done.stdout.splitlines()[-1]), **{n: version(n) for n in ("tensorflow", "keras")}}
        rows = [row for path in sorted(root.glob("*.npz")) for row in compare(path)]
    text = page(rows, versions)
    (HERE.parents[1] / "docs" / "parity.md").write_text(text, encoding="utf-8")
    print(text)
    if any(difference > TOLERANCE for *_, difference in rows):
        raise SystemExit("Features differ.")


def compare(path: Path) -> list[tuple[str, str, str, float]]:
    """Checkpoint, feature, shape and largest difference, as a fraction of the largest value."""
    arrays = dict(np.load(path))
    name = path.stem
    other_size = name.endswith(f"_{_LARGER}")
    directory = path.with_name(name.removesuffix(f"_{_LARGER}"))
    images = arrays.get("images")
    options = {} if images is None else {"size": images.shape[1]}
    backbone = pretrained.locate(str(directory)).create(options)
    if images is None:
        mask = tf.constant(arrays["mask"], tf.int32)
        tokens = tf.constant(arrays["tokens"], tf.int32)
        inputs = {"token_ids": tokens, "segment_ids": tf.zeros_like(tokens), "padding_mask": mask}
    else:
        inputs = {"images": tf.constant(images)}
    outputs = dict(backbone.model(inputs))
    outputs |= outputs.pop("pyramid", {})
    rows = []
    for key, expected in arrays.items():
        if not key.startswith("out_"):
            continue
        found = outputs[key.removeprefix("out_")].numpy()
        if key == "out_tokens":
            found = found * arrays["mask"][..., None]
        scale = max(1.0, float(np.abs(expected).max()))
        shape = " × ".join(map(str, expected.shape))
        case = f"{directory.name}, images of {images.shape[1]}" if other_size else name
        rows.append((case, key.removeprefix("out_"), shape, float(np.abs(found - expected).max()) / scale))
    return rows


def page(rows: list[tuple[str, str, str, float]], versions: dict[str, str]) -> str:
    """In Markdown."""
    lines = [
        "# Parity with the reference libraries",
        "",
        "`make parity` saves checkpoints with random weights by transformers and timm, loads them from disk by kerasft",
        "and compares the features of the same two inputs. The difference is the largest one of a feature, as a",
        f"fraction of its largest value (or of 1, if that is smaller); more than {TOLERANCE:g} fails.",
        "",
        "This page is written by that command. Versions: "
        + ", ".join(f"{name} {number}" for name, number in versions.items())
        + ".",
        "",
        "| checkpoint | feature | shape | difference |",
        "|---|---|---|---|",
        *(f"| {case} | `{feature}` | {shape} | {difference:.1e} |" for case, feature, shape, difference in rows),
        "",
        "`vit_prefix` has weights called `vit.…`, as a model with a classifier has, `vit_plain` none of that prefix.",
        f"With images of {_LARGER} pixels, position embeddings for 64 are interpolated. Names that begin with `timm`",
        "are timm's, the others those of transformers.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
