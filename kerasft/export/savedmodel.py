"""A SavedModel with preprocessing, model, decoding and labels in its graph.

Nothing is called exported before a fresh process, in which neither kerasft nor keras_hub can be imported, has
loaded it and given the same answers for real inputs.
"""

import base64
import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

import kerasft
from kerasft import files, host, modeling
from kerasft.engine.predictor import Predictor
from kerasft.errors import ExportError

if TYPE_CHECKING:
    from kerasft.engine.run import Run

# Float32 sums in another order: batches are padded differently in the exported graph.
TOLERANCE = 1e-4
_MANIFEST = "kerasft_export.json"


def export_run(run: "Run", out: Path, *, overwrite: bool) -> Path:
    """Writes and verifies `out`; see `Run.export`."""
    samples = run.samples
    assembly = run.model.assembly
    task = host.load().task(run.config["task"])
    with _replacing(out, overwrite) as temporary:
        write_savedmodel(run.model, temporary)
        manifest = {
            "kerasft": kerasft.__version__,
            "tensorflow": tf.__version__,
            "input": {"name": assembly.spec.modality, "dtype": "string", "shape": ["batch"]},
            "import_before_loading": list(dict.fromkeys([*assembly.spec.custom_ops, *task.custom_ops])),
            "task": assembly.task.get_config(),
            "verified_on": f"{len(samples)} examples, tolerance {TOLERANCE}",
        }
        files.write_json(temporary / _MANIFEST, manifest)
        expected = Predictor(run.model)(samples, batch_size=len(samples))
        compare(expected, serve_in_fresh_process(temporary, samples), samples)
    return out


def write_savedmodel(model: keras.Model, directory: Path) -> None:
    """The serving signature: a string tensor of shape ``(batch,)``, named by the modality, to the task's answers.

    Raises:
        OSError: the directory cannot be written.
    """
    assembly = model.assembly
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.preprocess = assembly.backbone.preprocess  # its lookup tables belong to the archive
    signature = [tf.TensorSpec([None], tf.string, name=assembly.spec.modality)]
    archive.add_endpoint("serve", lambda raw: modeling.answers(model, raw), input_signature=signature)
    try:
        archive.write_out(str(directory), verbose=False)
    except tf.errors.OpError as error:  # "{{node …}} <file>; No space left on device [Op:SaveV2]"
        reason = str(error.message).rpartition("; ")[2].partition(" [Op:")[0]
        raise OSError(errno.EIO, reason) from error


def serve_in_fresh_process(directory: Path, inputs: Sequence[Any]) -> dict[str, np.ndarray]:
    """Answers of an exported model, from a process that has nothing but TensorFlow and the modules it names.

    Raises:
        ExportError: the process failed; its last words are in the message.
    """
    from kerasft.export import serve

    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, str(Path(serve.__file__)), str(directory)],
        input=json.dumps([_plain(value) for value in inputs]),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()[-5:]
        raise ExportError("\n  ".join([f"{directory} does not load without kerasft:", *lines]))
    answers = json.loads(done.stdout)
    return {name: np.array(values) for name, values in answers.items()}


def _plain(value: Any) -> Any:
    """As `serve` reads it: JSON has no bytes."""
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def compare(expected: Mapping[str, np.ndarray], received: Mapping[str, np.ndarray], inputs: Sequence[Any]) -> None:
    """Asserts that two sets of answers agree: strings exactly, numbers within `TOLERANCE`.

    Raises:
        ExportError: naming the first input on which they differ, and both answers.
    """
    if set(expected) != set(received):
        raise ExportError(f"Expected the outputs {sorted(expected)}. Received: {sorted(received)}")
    for name, values in expected.items():
        ours = np.vectorize(bytes.decode, otypes=[str])(values) if values.dtype == object else values
        theirs = received[name]
        if ours.shape != theirs.shape:
            raise ExportError(f"{name}: expected shape {ours.shape}. Received: {theirs.shape}")
        same = ours == theirs if ours.dtype.kind == "U" else np.isclose(ours, theirs, rtol=0, atol=TOLERANCE)
        if not same.all():
            i = int(np.flatnonzero(~same.reshape(len(same), -1).all(axis=1))[0])
            which = f"sample {i + 1}" if isinstance(inputs[i], bytes) else repr(str(inputs[i])[:80])
            raise ExportError(
                f"The exported model differs from the trained one on {which}: "
                f"{name} is {theirs[i]}, expected {ours[i]}. Nothing was written."
            )


@contextlib.contextmanager
def _replacing(out: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary directory that becomes `out` on success.

    Raises:
        ExportError: `out` exists and is not an export to be replaced, or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not (out / _MANIFEST).exists():
            raise ExportError(f"{out} exists and is not an export; nothing was changed. Choose another --out.")
        if not overwrite:
            raise ExportError(f"{out} already holds an export. Choose another --out, or use --overwrite.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    except OSError as error:
        raise ExportError(str(files.cannot_write(out, error))) from error
    try:
        yield temporary
        if out.exists():
            shutil.rmtree(out)
        temporary.chmod(0o755)  # mkdtemp's 0700 would hide the export from a serving user
        temporary.rename(out)
    except OSError as error:
        raise ExportError(str(files.cannot_write(out, error))) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
