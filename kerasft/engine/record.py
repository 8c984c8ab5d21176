"""What a run directory says about a run before it trains."""

import base64
import inspect
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kerasft
from kerasft import host, keras_private, pretrained
from kerasft.engine.directory import RunDirectory, versions
from kerasft.engine.encode import Encodings
from kerasft.engine.prepare import Part, Prepared
from kerasft.errors import RunError, UsageError

_SAMPLES, _SAMPLE_BYTES = 32, 8_000_000
_PLACEMENT = ("devices", "strategy")  # what came of them is compared
_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "TF_ENABLE_ONEDNN_OPTS")


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

    Changed epochs and learning rates are those of the last recorded phase.

    Raises:
        UsageError: the data were Python objects, which no file can bring back.
    """
    known = inspect.signature(function).parameters
    found = {**{name: value for name, value in config.items() if name in known}, **changes}
    if config.get("phases") and "phases" not in changes:
        last = {name: found.pop(name) for name in ("epochs", "learning_rate") if name in changes}
        found["phases"] = [*config["phases"][:-1], {**config["phases"][-1], **last}]
    return {**found, **sources(found, {})}


def sources(config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The sources of data of a configuration, or those given; Python objects must be.

    Raises:
        UsageError: one is missing.
    """
    found = {}
    for name in ("train", "validation", "test"):
        source = config.get(name)
        if isinstance(source, dict) and given.get(name) is None:
            kind = source["python"]
            raise UsageError(
                f"{name} was a Python {kind}, which no file brings back: name one with --{name}, or call Python with "
                f"{name}=…."
            )
        if name in config:
            found[name] = source if given.get(name) is None else given[name]
    return found


def identity(config: Mapping[str, Any], prepared: Prepared, strategy: tf.distribute.Strategy) -> dict[str, Any]:
    """What a resumed run is compared with: the same, or the result is another one."""
    # Each asks itself: their distributions have other names on some systems, such as tensorflow-cpu.
    packages = {"kerasft": kerasft.__version__, "tensorflow": tf.__version__, "keras": keras.__version__,
                "keras-hub": _installed("keras-hub"), "numpy": np.__version__}  # fmt: skip
    plugins = dict(line.split("==") for line in host.load().requirements())
    # How a sum is split over threads is the order in which it is added up.
    threads = {name: os.environ[name] for name in _THREADS if name in os.environ}
    return {
        "config": {name: v for name, v in json.loads(json.dumps(config)).items() if name not in _PLACEMENT},
        "data": prepared.fingerprints(),
        "versions": {"python": platform.python_version(), **packages, **plugins},
        "devices": {
            "replicas": strategy.num_replicas_in_sync,
            "kinds": sorted({device.device_type for device in tf.config.list_logical_devices()}),
            "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "environment": threads,
        },
    }


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_same(directory: RunDirectory, before: Mapping[str, Any], now: Mapping[str, Any], *, force: bool) -> list[str]:
    """Compares a checkpoint with what would go on from it; differences that `force` allows become notes.

    Args:
        directory: of the run.
        before: `identity` as a checkpoint holds it; empty if there is none.
        now: `identity` of this process.
        force: whether versions and devices may differ.

    Raises:
        RunError: something differs that may not.
    """
    if not before and (directory.path / "data.json").exists():
        before = {"data": directory.read("data")["sha256"]}
    differences = {part: list(_differences(values, now[part])) for part, values in before.items() if part in now}
    fixed = [line for part in ("config", "data") for line in differences.get(part, ())]
    loose = [line for part in ("versions", "devices") for line in differences.get(part, ())]
    if fixed:
        raise RunError(
            f"{directory.path} cannot be resumed with other data or another configuration; start a new run with "
            f"kerasft finetune --config {directory.path}/config.json:\n  " + "\n  ".join(fixed)
        )
    if loose and not force:
        raise RunError(
            f"{directory.path} would not end as it would have; --force goes on all the same:\n  " + "\n  ".join(loose)
        )
    return [f"Resumed by force though this differs: {line}" for line in loose]


def _differences(was: Any, now: Any, path: str = "") -> Iterator[str]:
    """One line for each value that differs, named by its place."""
    if isinstance(was, dict) and isinstance(now, dict):
        for name in {**was, **now}:
            yield from _differences(was.get(name), now.get(name), f"{path}.{name}" if path else name)
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for i, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from _differences(one, other, f"{path}[{i}]")
    elif was != now:
        yield f"{path}: was {_short(was)}, is {_short(now)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "…"


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
    directory.write("samples", _some(prepared.evaluated))


def _some(part: Part) -> dict[str, Any]:
    """Inputs spread evenly over a part, to check exports with: texts, or files in base64."""
    step = max(1, len(part) // _SAMPLES)
    inputs: list[Any] = []
    for i in range(0, len(part), step)[:_SAMPLES]:
        inputs.append(part.inputs[i])
        if isinstance(inputs[-1], bytes) and sum(map(len, inputs)) > _SAMPLE_BYTES:
            break
    if isinstance(inputs[0], bytes):
        return {"base64": [base64.b64encode(content).decode() for content in inputs]}
    return {"inputs": inputs}


def samples(recorded: Mapping[str, Any]) -> list[Any]:
    """What `write` wrote as samples."""
    if "base64" in recorded:
        return [base64.b64decode(content) for content in recorded["base64"]]
    return list(recorded["inputs"])


def data_notes(model: keras.Model, prepared: Prepared, encodings: Mapping[str, Encodings]) -> Sequence[str]:
    """Duplicates across parts, and inputs longer than the model reads.

    Args:
        model: which reads the inputs.
        prepared: the data.
        encodings: of parts that are encoded already: of those texts only the longest can have been cut.
    """
    notes = [
        f"{len(prepared.seen[part.name])} of {len(part)} {part.name} inputs also stand in an earlier part."
        for part in prepared.parts
        if len(prepared.seen.get(part.name, ()))
    ]
    truncated = getattr(model.assembly.backbone.preprocess, "truncated", None)
    if truncated is not None and not model.assembly.whole:
        for part in prepared.parts:
            long: Iterable[int] = range(len(part))
            if (known := encodings.get(part.name)) and known.lengths is not None and known.limit is not None:
                long = np.flatnonzero(known.lengths >= known.limit)
            texts = [part.inputs[int(i)] for i in long]
            with keras_private.graphs_as_traced():
                cut = sum(int(np.sum(truncated(tf.constant(texts[i : i + 256])))) for i in range(0, len(texts), 256))
            if cut:
                notes.append(f"{cut} of {len(part)} {part.name} inputs are longer than the model reads and are cut.")
    return notes
