"""What a run directory says about a run before it trains."""

import inspect
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasft import host, pretrained
from kerasft.engine.directory import RunDirectory, versions
from kerasft.engine.prepare import Part, Prepared
from kerasft.errors import UsageError


def new_directory(task: str, backbone: str) -> Path:
    """A name for a run that was given none: time, task and backbone, below ``runs``."""
    name = "-".join(part for part in backbone.replace(":", "/").split("/") if part.strip("."))
    return Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{task}-{name}"


def source_name(source: Any) -> Any:
    """A source of data as JSON: what can be read again from any directory, anything else by its type."""
    if source is None or isinstance(source, float):
        return source
    if isinstance(source, (str, Path)):
        return portable(source)
    return {"python": type(source).__name__}


def portable(reference: str | Path) -> str:
    """A local path made absolute, so that ``config.json`` works from every directory; names and handles as they are."""
    text = str(reference)
    if "://" in text:
        return text
    path = Path(text).expanduser()
    return str(path.resolve()) if path.exists() else text


def arguments(config: Mapping[str, Any], changes: Mapping[str, Any], function: Any) -> dict[str, Any]:
    """Arguments for `function` from a ``config.json``, with changes.

    Raises:
        UsageError: the data were Python objects, which no file can bring back.
    """
    known = inspect.signature(function).parameters
    found = {**{name: value for name, value in config.items() if name in known}, **changes}
    for name in ("train", "validation", "test"):
        if isinstance(found.get(name), dict):
            kind = found[name]["python"]
            raise UsageError(f"{name} was a Python {kind}: name a file with --{name}, or call finetune from Python.")
    return found


def write(
    directory: RunDirectory,
    config: Mapping[str, Any],
    found: pretrained.Pretrained,
    model: keras.Model,
    prepared: Prepared,
) -> None:
    """Every record that is known before the first step."""
    assembly = model.assembly
    directory.write("config", config)
    directory.write("versions", versions())
    digests = directory.write_backbone_files(assembly.backbone.files)
    directory.write("task", {"name": config["task"], "config": assembly.task.get_config()})
    directory.write(
        "backbone",
        {
            "name": host.load().qualified(found.spec),
            "reference": found.name,
            "source": found.source,
            "options": {**found.options, **config["backbone_options"]},
            "files": digests,
        },
    )
    directory.write(
        "data",
        {
            "columns": {"input": prepared.columns.input, "target": prepared.columns.target},
            "examples": {part.name: len(part) for part in prepared.parts},
            "sha256": prepared.fingerprints(),
            "also_in_an_earlier_part": {name: len(seen) for name, seen in prepared.seen.items()},
        },
    )
    directory.write("samples", {"inputs": _samples(prepared.evaluated)})


def _samples(part: Part, limit: int = 32) -> list[Any]:
    """Inputs spread evenly over a part, to check exports with."""
    step = max(1, len(part) // limit)
    return list(part.inputs[::step][:limit])


def data_notes(model: keras.Model, prepared: Prepared) -> Sequence[str]:
    """Duplicates across parts, and inputs longer than the model reads."""
    notes = [
        f"{len(prepared.seen[part.name])} of {len(part)} {part.name} inputs also stand in an earlier part."
        for part in prepared.parts
        if len(prepared.seen.get(part.name, ()))
    ]
    truncated = getattr(model.assembly.backbone.preprocess, "truncated", None)
    if truncated is not None:
        for part in prepared.parts:
            batches = tf.data.Dataset.from_tensor_slices(list(part.inputs)).batch(256).map(truncated)
            cut = sum(int(np.sum(batch)) for batch in batches.as_numpy_iterator())
            if cut:
                notes.append(f"{cut} of {len(part)} {part.name} inputs are longer than the model reads and are cut.")
    return notes
