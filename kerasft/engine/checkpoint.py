"""Everything a run needs to go on to the bit, in one file that is whole or not there.

``checkpoints/00000123-<sha256>.safetensors``: the number of updates made, and the first 16 hexadecimal digits of the
file's own checksum. Arrays stand under ``model/…``, ``optimizer/…`` and ``metrics/…``; the JSON text ``state`` in the
file's metadata holds position, callbacks, random generators and what must not have changed.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError, safe_open

from kerasft import files
from kerasft.engine import weights
from kerasft.errors import KerasftError, RunError
from kerasft.model import TrainedModel

KEPT = 2
_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where training stands, between two updates.

    Args:
        phase: counted from 0.
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

    Its arrays are read when they are needed: they are three times the weights.

    Args:
        path: of the file.
        position: where training goes on.
        state: of callbacks and random generators; what must not have changed since; digest of the frozen weights.
    """

    path: Path
    position: Position
    state: Mapping[str, Any]

    def restore(self, model: TrainedModel, *kinds: str) -> None:
        """Assigns all arrays of these kinds: ``"model"``, ``"optimizer"`` or ``"metrics"``.

        Raises:
            RunError: the model has other variables than the checkpoint.
        """
        variables = _variables(model)
        with safe_open(self.path, framework="numpy") as opened:
            for kind in kinds:
                now = {_name(kind, i, variable): variable for i, variable in enumerate(variables[kind])}
                saved = {name for name in opened.keys() if name.startswith(f"{kind}/")}  # noqa: SIM118
                odd = sorted(saved ^ set(now)) or [
                    name for name, v in now.items() if tuple(v.shape) != tuple(opened.get_slice(name).get_shape())
                ]
                if odd:
                    names = ", ".join(odd[:3])
                    raise RunError(f"{self.path} holds other variables than the {kind} has now: {names}")
                for name, variable in now.items():
                    variable.assign(opened.get_tensor(name))


class NotFiniteError(KerasftError):
    """An update has spoilt the weights."""


def write(directory: Path, model: TrainedModel, position: Position, state: Mapping[str, Any]) -> Path:
    """Writes a checkpoint and removes all but the last two. Nothing that was there is touched before.

    Raises:
        NotFiniteError: there are weights that are infinite or not a number.
        KerasftError: the file cannot be written.
    """
    arrays = collect(model)
    broken = [
        name
        for name, array in arrays.items()
        if not name.startswith("metrics/") and array.dtype.kind == "f" and not np.isfinite(array).all()
    ]
    if broken:
        raise NotFiniteError(
            f"Update {position.updates} made {broken[0]} infinite or not a number; no checkpoint of it was written."
        )
    text = json.dumps({"position": asdict(position), **state}, allow_nan=False)
    with files.temporary_in(directory, f"{position.updates:08d}", suffix=".safetensors") as temporary:
        weights.save_arrays(arrays, temporary, metadata={"state": text})
        files.sync(temporary)
        with temporary.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        target = temporary.rename(directory / f"{position.updates:08d}-{digest[:_DIGITS]}.safetensors")
        files.sync(directory)
    for old in _ordered(directory)[:-KEPT]:
        old.unlink(missing_ok=True)
    return target


def remove_after(directory: Path, start: Checkpoint | None) -> None:
    """Removes the damaged checkpoints that `latest` passed over, which would else count as the last two."""
    found = _ordered(directory)
    for path in found[found.index(start.path) + 1 :] if start else found:
        path.unlink(missing_ok=True)


def latest(directory: Path) -> tuple[Checkpoint | None, list[str]]:
    """The last checkpoint that is undamaged, and a line about each later one, which is damaged."""
    notes: list[str] = []
    for path in reversed(_ordered(directory)):
        try:
            return _read(path), notes
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            notes.append(f"{path} is damaged ({reason}); the one before it is tried.")
    return None, notes


def collect(model: TrainedModel) -> dict[str, np.ndarray]:
    """Every array that a checkpoint holds. Below several workers all of them must call this together."""
    return {
        _name(kind, i, variable): np.asarray(keras.ops.convert_to_numpy(variable), order="C")
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
    return Checkpoint(path=path, position=Position(**state.pop("position")), state=state)


def _ordered(directory: Path) -> list[Path]:
    """Checkpoints by number of updates; of one number, the one written later is the later."""
    found = directory.glob("[0-9]*-*.safetensors")
    return sorted(found, key=lambda path: (path.name.partition("-")[0], path.stat().st_mtime_ns))


def _variables(model: TrainedModel) -> dict[str, list[keras.Variable]]:
    metrics = list(model.metrics_variables)
    others = {id(variable) for variable in metrics}
    # Not only weights: the seeds of dropout are variables too.
    own = {id(variable): variable for variable in model.variables if id(variable) not in others}
    optimizer = getattr(model, "optimizer", None)  # before it is compiled there is none
    steps = list(optimizer.variables) if optimizer else []
    return {"model": list(own.values()), "optimizer": steps, "metrics": metrics}


def _name(kind: str, index: int, variable: keras.Variable) -> str:
    # Keras numbers names through over all models of a process, so ``dense`` may be ``dense_7`` where it is resumed.
    return f"{kind}/{index:05d}/{re.sub(r'_[0-9]+(?![0-9A-Za-z])', '', variable.path)}"
