"""Everything a run needs to go on to the bit, in one file that is whole or not there.

``checkpoints/00000123-<sha256>.safetensors``: the number of updates made, and the first 16 hexadecimal digits of the
file's own checksum. Arrays stand under ``model/…``, ``optimizer/…`` and ``metrics/…``; the JSON text ``state`` in the
file's metadata holds position, callbacks and what must not have changed.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from kerasft import files
from kerasft.errors import KerasftError, RunError
from kerasft.model import TrainedModel

KEPT = 2
_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where training stands, between two updates.

    Args:
        phase: counted from 0; the number of phases when all are over.
        begun: the epoch in which this phase began, of the whole run, from 0.
        epoch: of the whole run, from 0.
        step: batches of this epoch that are done; less than all of them.
        updates: made since the run began.
    """

    phase: int = 0
    begun: int = 0
    epoch: int = 0
    step: int = 0
    updates: int = 0


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a checkpoint file says.

    Args:
        path: of the file.
        position: where training goes on.
        state: of callbacks, by name; what must not have changed since; digest of the frozen weights.
        arrays: by name.
    """

    path: Path
    position: Position
    state: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]

    def arrays_of(self, model: TrainedModel, kind: str) -> list[tuple[keras.Variable, np.ndarray]]:
        """Variables of `model` with their arrays; `kind` is ``"model"``, ``"optimizer"`` or ``"metrics"``.

        Raises:
            RunError: the model has other variables than the checkpoint.
        """
        names = {_name(kind, i, variable): variable for i, variable in enumerate(_variables(model)[kind])}
        saved = {name for name in self.arrays if name.startswith(f"{kind}/")}
        if saved != set(names):
            odd = ", ".join(sorted(saved ^ set(names))[:3])
            raise RunError(f"{self.path} holds other variables than the {kind} has now: {odd}")
        return [(variable, self.arrays[name]) for name, variable in names.items()]

    def restore(self, model: TrainedModel, kinds: Sequence[str]) -> None:
        """Assigns all arrays of these kinds.

        Raises:
            RunError: the model has other variables than the checkpoint.
        """
        for kind in kinds:
            for variable, array in self.arrays_of(model, kind):
                variable.assign(array)


def write(directory: Path, model: TrainedModel, position: Position, state: Mapping[str, Any]) -> Path:
    """Writes a checkpoint and removes all but the last two. Nothing that was there is touched before.

    Raises:
        KerasftError: the weights are not finite, or the file cannot be written.
    """
    arrays = collect(model)
    broken = [name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    if broken:
        raise KerasftError(
            f"The update {position.updates} made {broken[0]} infinite or not a number; no checkpoint of it was "
            "written. Try a smaller learning rate."
        )
    text = json.dumps({"position": asdict(position), **state}, allow_nan=False)
    with files.temporary_in(directory, f"{position.updates:08d}", suffix=".safetensors") as temporary:
        save_file(arrays, temporary, metadata={"state": text})
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        target = temporary.rename(directory / f"{position.updates:08d}-{digest[:_DIGITS]}.safetensors")
    for old in _ordered(directory)[:-KEPT]:
        old.unlink(missing_ok=True)
    return target


def latest(directory: Path) -> tuple[Checkpoint | None, list[str]]:
    """The last checkpoint that is undamaged, and a line about each damaged one that was passed over."""
    notes: list[str] = []
    for path in reversed(_ordered(directory)):
        try:
            return _read(path), notes
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            notes.append(f"{path} is damaged ({reason}); the checkpoint before it is used.")
    if notes:
        notes[-1] = notes[-1].replace("the checkpoint before it is used", "no other is left, so the run begins anew")
    return None, notes


def collect(model: TrainedModel) -> dict[str, np.ndarray]:
    """Every array that a checkpoint holds. Below several workers all of them must call this together."""
    return {
        _name(kind, i, variable): np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
        for kind, variables in _variables(model).items()
        for i, variable in enumerate(variables)
    }


def _read(path: Path) -> Checkpoint:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest[:_DIGITS] != path.stem.partition("-")[2]:
        raise ValueError("its content is not what its name says")
    with safe_open(path, framework="numpy") as opened:
        state = json.loads(opened.metadata()["state"])
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    return Checkpoint(path=path, position=Position(**state.pop("position")), state=state, arrays=arrays)


def _ordered(directory: Path) -> list[Path]:
    """Checkpoints by number of updates; of one number, the one written later is the later."""
    found = directory.glob("[0-9]*-*.safetensors")
    return sorted(found, key=lambda path: (path.name.partition("-")[0], path.stat().st_mtime_ns))


def _variables(model: TrainedModel) -> dict[str, list[keras.Variable]]:
    metrics = list(model.metrics_variables)
    others = {id(variable) for variable in metrics}
    # Not only weights: the seeds of dropout are variables too.
    own = {id(variable): variable for variable in model.variables if id(variable) not in others}
    return {"model": list(own.values()), "optimizer": list(model.optimizer.variables), "metrics": metrics}


def _name(kind: str, index: int, variable: keras.Variable) -> str:
    return f"{kind}/{index:05d}/{variable.path}"
