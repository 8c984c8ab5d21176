"""Checkpoint files: whole or not there, checked by content, two of them kept, and nothing damaged is used."""

import json
import os
import random
import re
import shutil
from pathlib import Path

import command_line
import keras
import numpy as np
import pytest

from kerasft import files
from kerasft.engine import checkpoint, randomness
from kerasft.engine.checkpoint import Checkpoint, NotFiniteError, Position
from kerasft.errors import KerasftError, RunError


def make(width: int = 3) -> keras.Model:
    """Compiled, trained for a step; with statistics, dropout, an averaging optimizer and metrics."""
    keras.utils.set_random_seed(0)
    x = keras.Input((2,))
    y = keras.layers.BatchNormalization()(keras.layers.Dense(width)(x))
    model = keras.Model(x, keras.layers.Dense(1)(keras.layers.Dropout(0.5)(y)))
    model.compile(keras.optimizers.Adam(use_ema=True), "mse", metrics=["mae"])
    model.fit(np.ones((4, 2)), np.ones((4, 1)), batch_size=2, verbose=0)
    return model


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return make()


def values(model: keras.Model) -> list[bytes]:
    return [variable.numpy().tobytes() for variable in [*model.variables, *model.optimizer.variables]]


def write(directory: Path, model: keras.Model, updates: int) -> Path:
    return checkpoint.write(directory, model, Position(updates=updates), {"note": updates})


def latest(directory: Path) -> tuple[Checkpoint, list[str]]:
    found, notes = checkpoint.latest(directory)
    assert found
    return found, notes


def test_everything_comes_back_into_another_model(model: keras.Model, tmp_path: Path) -> None:
    position = Position(phase=1, begun=2, epoch=3, step=4, updates=5)
    path = checkpoint.write(tmp_path, model, position, {"callbacks": [{"best": 0.1}]})
    assert re.fullmatch(r"00000005-[0-9a-f]{16}\.safetensors", path.name)
    assert path.stat().st_mode & 0o777 == 0o644
    found, notes = latest(tmp_path)
    assert (found.path, found.position, found.state, notes) == (path, position, {"callbacks": [{"best": 0.1}]}, [])

    # Keras counts the names of layers, so those of a second model are others: dense_2, seed_generator_1.
    other = make()
    assert [v.path for v in other.variables] != [v.path for v in model.variables]
    for variable in [*other.variables, *other.optimizer.variables]:
        variable.assign(keras.ops.zeros_like(variable))
    found.restore(other, "model", "optimizer", "metrics")
    assert values(other) == values(model)
    assert any("seed_generator" in v.path for v in model.variables)  # or the comparison would say less


def test_kinds_are_restored_apart(model: keras.Model, tmp_path: Path) -> None:
    write(tmp_path, model, 1)
    other = make()
    for variable in [*other.variables, *other.optimizer.variables]:
        variable.assign(keras.ops.zeros_like(variable))
    latest(tmp_path)[0].restore(other, "optimizer")
    assert [v.numpy().tobytes() for v in other.optimizer.variables] == [
        v.numpy().tobytes() for v in model.optimizer.variables
    ]
    assert not any(np.any(variable.numpy()) for variable in other.variables)


def test_another_model_is_refused(model: keras.Model, tmp_path: Path) -> None:
    write(tmp_path, model, 1)
    wider = make(width=4)
    with pytest.raises(RunError, match=r"holds other variables than the model has now: model/00000/dense/kernel"):
        latest(tmp_path)[0].restore(wider, "model")


def test_the_last_two_are_kept(model: keras.Model, tmp_path: Path) -> None:
    for updates in (2, 4, 30, 100):
        write(tmp_path, model, updates)
    assert sorted(path.name.partition("-")[0] for path in tmp_path.iterdir()) == ["00000030", "00000100"]
    assert latest(tmp_path)[0].position.updates == 100


def test_of_two_with_one_number_the_later_counts(model: keras.Model, tmp_path: Path) -> None:
    for note in ("first", "second", "third"):
        path = checkpoint.write(tmp_path, model, Position(updates=7), {"note": note})
        os.utime(path, ns=(0, {"first": 1, "second": 2, "third": 3}[note]))
    assert latest(tmp_path)[0].state == {"note": "third"}


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def flip(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        empty,
        lambda path: flip(path, 0),
        lambda path: flip(path, 0.01),
        lambda path: flip(path, 0.7),
        lambda path: flip(path, 1),
        lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    ],
    ids=["truncated", "empty", "first-bit", "header", "weights", "last-byte", "longer"],
)
def test_the_one_before_a_damaged_one_is_used_and_said(damage, model: keras.Model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    before, last = write(tmp_path, model, 10), write(tmp_path, model, 20)
    damage(last)
    found, notes = latest(tmp_path)
    assert found.path == before
    assert notes == [f"{last} is damaged (its content is not what its name says); the one before it is tried."]

    # It would else count as one of the last two, and the run would lose the checkpoints it makes now.
    checkpoint.remove_after(tmp_path, found)
    assert list(tmp_path.iterdir()) == [before]


def test_when_all_are_damaged_it_says_that_the_run_begins_anew(model: keras.Model, tmp_path: Path) -> None:
    for updates in (10, 20):
        empty(write(tmp_path, model, updates))
    found, notes = checkpoint.latest(tmp_path)
    assert found is None
    assert [note.rpartition("; ")[2] for note in notes] == [
        "the one before it is tried.",
        "the one before it is tried.",
    ]
    checkpoint.remove_after(tmp_path, None)
    assert not list(tmp_path.iterdir())


def test_without_checkpoints_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert checkpoint.latest(tmp_path / "checkpoints") == (None, [])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["weights", "optimizer"])
def test_spoilt_weights_are_not_written(value: float, kind: str, tmp_path: Path) -> None:
    model = make()
    good = write(tmp_path, model, 1)
    variable = model.trainable_variables[0] if kind == "weights" else model.optimizer.variables[2]
    variable.assign(np.full(variable.shape, value))
    with pytest.raises(NotFiniteError, match=r"^Update 2 made \S+ infinite or not a number; no checkpoint of it was"):
        write(tmp_path, model, 2)
    assert list(tmp_path.iterdir()) == [good]


def test_a_directory_that_cannot_be_written_is_an_error_in_words(model: keras.Model, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(KerasftError, match=r"Cannot write .*checkpoints.*: Not a directory"):
        write(tmp_path / "checkpoints", model, 1)


_SLOW_DEATH = """
import os, signal, sys
from pathlib import Path
from kerasft import files
with files.temporary_in(Path(sys.argv[1]), "00000009", suffix=".safetensors") as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_leaves_is_not_a_checkpoint_and_is_removed(model: keras.Model, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    whole = write(folder, model, 5)
    assert command_line.python("-c", _SLOW_DEATH, folder).code == -9
    assert len(list(folder.iterdir())) == 2
    assert latest(folder)[0].path == whole
    (folder / ".tmpAbCdEf").write_bytes(b"safetensors writes so before it takes our place")
    files.remove_temporaries(tmp_path)
    assert list(folder.iterdir()) == [whole]


def test_a_checkpoint_can_be_copied_elsewhere(model: keras.Model, tmp_path: Path) -> None:
    write(tmp_path / "here", model, 5)
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert latest(tmp_path / "there")[0].position.updates == 5


def draws() -> list[float]:
    return [random.random(), random.gauss(0, 1), np.random.normal(), float(keras.random.uniform(()))]


def test_random_generators_go_on_where_they_were() -> None:
    draws()
    random.gauss(0, 1), np.random.normal()  # each has drawn a second number, and keeps it for later
    state = json.loads(json.dumps(randomness.get_state()))
    expected = draws()
    keras.utils.set_random_seed(12)  # also drops the generator of Keras
    assert draws() != expected
    randomness.set_state(state)
    assert draws() == expected
