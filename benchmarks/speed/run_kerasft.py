"""One measurement of kerasft, through its public `finetune`. Prints a JSON line; bench.py calls it.

Time is what the run's own report says: it begins before texts are tokenized and ends after the last epoch, when the
best weights are kept. TensorFlow traces every new model anew, so that the tracing of the training step is within: the
warm-up before only loads libraries. ``tracing_seconds`` says how long it took.
"""

import contextlib
import dataclasses
import io
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import meter
import texts as data
import tf_side

CLOCK = tf_side.prepare()

import keras  # noqa: E402
import keras_hub  # noqa: E402, F401  (before `base_bytes`: the plugin would import it later)
import numpy as np  # noqa: E402  (TensorFlow takes its threads before anything else of it is used)
import tensorflow as tf  # noqa: E402
from rich.console import Console  # noqa: E402

import kerasft  # noqa: E402
from kerasft.engine.plan import BatchPlan  # noqa: E402

BATCH, WARM, TESTED = 32, 32, 8
_ENOUGH = 4.0  # seconds between two runs, for their difference to be that of their steps; "enough" in a spec
_MOST_EPOCHS = 3000


def main() -> None:
    """Warms up, measures, prints."""
    spec, model, path = meter.arguments(__doc__)
    assert kerasft.finetune  # imported when first used
    base = meter.resident_bytes()
    started = time.perf_counter()
    first = spec["runs"][0] if "runs" in spec else spec
    if spec.get("warm", True):
        train({**first, "examples": WARM, "epochs": 1}, model, path)
    warm = round(time.perf_counter() - started, 2)
    if spec.get("kind") == "steps":
        result = steps(spec, model, path)
    elif "runs" in spec:
        result = {"runs": [train(one, model, path) for one in spec["runs"]]}
    else:
        result = train(spec, model, path)
    meter.say({**result, "base_bytes": base, "warmup_seconds": warm, "versions": versions()})


def train(spec: dict[str, Any], model: Path, path: Path) -> dict[str, Any]:
    """One run, in directories of its own, also for what kerasft keeps between runs."""
    texts, labels, tokens = data.load(path, spec["data"], spec["examples"])
    options = {name: spec[name] for name in ("precision",) if spec.get(name)}  # else kerasft's own choice
    with tempfile.TemporaryDirectory() as scratch:
        out, os.environ["KERASFT_CACHE"] = Path(scratch) / "run", f"{scratch}/cache"
        ended: list[float] = []
        end = keras.callbacks.LambdaCallback(on_train_end=lambda logs: ended.append(time.perf_counter()))
        with meter.Meter() as whole:
            run = kerasft.finetune(
                str(model),
                "classification",
                {"text": texts, "label": labels},
                validation=None,
                test={"text": texts[:TESTED], "label": labels[:TESTED]},
                out=out,
                phases=[kerasft.Phase(spec["train"], spec["epochs"], spec["rate"], layer_decay=1.0)],
                batch_size=BATCH,
                checkpoint_minutes=None,
                backbone_options={"length": spec["length"], "pooler": True},  # as the others; else it averages tokens
                console=Console(file=io.StringIO()),
                callbacks=[end],
                **options,
            )
        report = json.loads((out / "report.json").read_text())
        config = json.loads((out / "config.json").read_text())
        files = [found for found in Path(f"{scratch}/cache").rglob("*") if found.is_file()]
        lengths = np.minimum(tokens, spec["length"])
        return {
            "wall_seconds": report["training_seconds"],
            "cpu_seconds": report.get("training_cpu_seconds"),
            "peak_bytes": whole.peak,
            "whole_seconds": round(whole.wall, 2),
            # Not that of building the model before, nor of evaluating it afterwards.
            "tracing_seconds": CLOCK.between(ended[-1] - report["training_seconds"], ended[-1]),
            "tokenize_seconds": _tokenizing(run, texts),
            "cache_bytes": sum(found.stat().st_size for found in files),
            "examples": len(texts),
            "epochs": spec["epochs"],
            "steps": -(-len(texts) // BATCH) * spec["epochs"],
            "useful_tokens": int(lengths.sum()),
            "trained_weights": report["phases"][0]["trained_weights"],
            "precision": config["precision"],
            "loss": _last_loss(out),
            "padding_reported": report.get("padding"),
            **_padded(lengths, spec, config["seed"]),
        }


def steps(spec: dict[str, Any], model: Path, path: Path) -> dict[str, Any]:
    """What a step costs once features are there: the difference of two runs that differ in epochs only."""
    few = train({**spec, "epochs": 2}, model, path)
    epochs, enough = 4, spec.get("enough", _ENOUGH)
    while True:
        many = train({**spec, "epochs": epochs}, model, path)
        seconds = many["wall_seconds"] - few["wall_seconds"]
        if seconds >= enough or epochs >= _MOST_EPOCHS:
            break
        # Aims beyond what is enough; at most tenfold, for the short run told little.
        epochs = min(_MOST_EPOCHS, 10 * epochs, max(2 * epochs, int(1.5 * epochs * enough / max(seconds, 0.05))))
    cpu = None if many["cpu_seconds"] is None else many["cpu_seconds"] - few["cpu_seconds"]
    between = many["steps"] - few["steps"]
    return {
        **many,
        "wall_seconds": seconds,
        "cpu_seconds": cpu,
        "tracing_seconds": 0.0,
        "steps": between,
        "examples": between * BATCH,
        "epochs": 1,
        "epochs_of_runs": [2, epochs],
    }


def versions() -> dict[str, str]:
    """Of what took part."""
    return {"kerasft": kerasft.__version__, **tf_side.versions("keras-hub")}


def _tokenizing(run: kerasft.Run, texts: list[str]) -> float | None:
    """Seconds to tokenize all texts once by themselves: most of it is in the timed span, but not to be told there."""
    with contextlib.suppress(AttributeError):
        preprocess = run.model.assembly.backbone.preprocess
        preprocess(tf.constant(texts[:1]))  # what is lazy is made
        started = time.perf_counter()
        for first in range(0, len(texts), 1024):
            preprocess(tf.constant(texts[first : first + 1024]))
        return round(time.perf_counter() - started, 4)
    return None


def _padded(lengths: np.ndarray, spec: dict[str, Any], seed: int) -> dict[str, int]:
    """By the batch plan of the first epoch."""
    fields = {field.name for field in dataclasses.fields(BatchPlan)}
    plan = {"examples": len(lengths), "batch_size": BATCH, "seed": seed}
    if "lengths" in fields:
        plan |= {"lengths": lengths, "limit": spec["length"]}
    made = BatchPlan(**{name: value for name, value in plan.items() if name in fields})
    longest = getattr(made, "length", lambda index: int(lengths[index].max()))
    return meter.padded([(len(index), longest(index)) for index in made.batches(0)])


def _last_loss(out: Path) -> float | None:
    """Of the last epoch: that all sides learn is to be seen in their losses."""
    epochs = json.loads((out / "history.json").read_text())["epochs"]
    return epochs[-1].get("loss") if epochs else None


if __name__ == "__main__":
    main()
