"""`kerasft.resume` refuses in words where the result would be another one."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import command_line
import keras
import pytest
from interrupted_runs import Whole
from safetensors import safe_open
from safetensors.numpy import save_file
from small_runs import separable

import kerasft
from kerasft.engine.directory import RunDirectory
from kerasft.errors import RunError, UsageError


def refused(directory: Path, **options: Any) -> str:
    """The message; nothing in the directory has changed."""
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    with pytest.raises(RunError) as raised:
        kerasft.resume(directory, **options)
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before
    return str(raised.value)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("checkpoint", [True, False])
def test_other_data_are_refused(checkpoint: bool, force: bool, whole: Whole, tmp_path: Path) -> None:
    directory = whole.copy(tmp_path, 1, 1)
    if not checkpoint:
        shutil.rmtree(directory / "checkpoints")
    content = whole.csv.read_bytes()
    try:
        whole.csv.write_bytes(content.replace(b"the b is good 1,", b"the b is good 100,"))
        message = refused(directory, force=force)
    finally:
        whole.csv.write_bytes(content)
    assert f"{directory} cannot be resumed with other data or another configuration; start a new run with" in message
    assert f"kerasft finetune --config {directory}/config.json" in message
    assert "\n  train: was " in message


def test_data_that_are_gone_are_an_error_in_words(whole: Whole, tmp_path: Path) -> None:
    directory = whole.copy(tmp_path, 1, 1)
    moved = whole.csv.rename(whole.csv.with_suffix(".moved"))
    try:
        with pytest.raises(UsageError, match=r"There is no file or folder '.*train\.csv'"):
            kerasft.resume(directory)
    finally:
        moved.rename(whole.csv)


@pytest.mark.parametrize("force", [False, True])
def test_another_configuration_is_refused(force: bool, whole: Whole, tmp_path: Path) -> None:
    directory = whole.copy(tmp_path, 1, 1)
    config = json.loads((directory / "config.json").read_text())
    config["phases"][1]["learning_rate"] = 0.5
    (directory / "config.json").write_text(json.dumps(config | {"batch_size": 6}))
    message = refused(directory, force=force)
    assert "\n  batch_size: was 12, is 6" in message
    assert "\n  phases[1].learning_rate: was 0.01, is 0.5" in message


def rewrite(directory: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Every checkpoint with a changed state, as another installation would have written it."""
    for path in sorted((directory / "checkpoints").iterdir()):
        with safe_open(path, framework="numpy") as opened:
            state = json.loads(opened.metadata()["state"])
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        change(state)
        save_file(arrays, path, metadata={"state": json.dumps(state)})
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.rename(path.with_name(f"{path.name.partition('-')[0]}-{digest[:16]}.safetensors"))


def test_other_versions_are_refused_unless_forced(whole: Whole, tmp_path: Path) -> None:
    directory = whole.copy(tmp_path, 2, 2)
    rewrite(directory, lambda state: state["versions"].update(keras="3.14.0", kerasft="0.0.9", plugin="7"))
    message = refused(directory)
    assert f"{directory} would not end as it would have; --force goes on all the same:" in message
    assert f'\n  keras: was "3.14.0", is "{keras.__version__}"' in message
    assert f'\n  kerasft: was "0.0.9", is "{kerasft.__version__}"' in message
    assert '\n  plugin: was "7", is nothing' in message

    run = kerasft.resume(directory, force=True)
    forced = "Resumed by force though this differs: "
    assert [note for note in run.notes if note.startswith(forced)] == [
        f"{forced}{line.strip()}" for line in message.splitlines()[1:]
    ]
    whole.assert_the_same(run)  # since nothing differs in truth


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the number of CPUs cannot be changed here")
def test_another_number_of_cpus_is_refused(whole: Whole, tmp_path: Path) -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) == 1:
        pytest.skip("there is one CPU")
    directory = whole.copy(tmp_path, 1, 1)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert f"\n  cpus: was {len(allowed)}, is 1" in refused(directory)
    finally:
        os.sched_setaffinity(0, allowed)


def test_another_number_of_devices_is_refused(whole: Whole, tmp_path: Path) -> None:
    directory = whole.copy(tmp_path, 1, 1)
    rewrite(directory, lambda state: state["devices"].update(replicas=8))
    assert "\n  replicas: was 8, is 1" in refused(directory)


def test_other_devices_are_taken_by_force(whole: Whole, tmp_path: Path) -> None:
    """The run had eight, as its records say; this machine has one."""
    directory = whole.copy(tmp_path, 1, 1)
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config, "devices": 8, "strategy": "mirrored"}))
    rewrite(directory, lambda state: state["devices"].update(replicas=8))
    with pytest.raises(RunError, match="replicas: was 8, is 1"):
        kerasft.resume(directory, devices=1)
    run = kerasft.resume(directory, devices=1, force=True)
    assert any("replicas: was 8, is 1" in note for note in run.notes)


def test_what_is_not_a_run_is_refused(tmp_path: Path) -> None:
    assert "is not a run directory" in refused(tmp_path)
    assert "is not a run directory" in refused(tmp_path / "nothing")


_HOLDS = """
import sys
from pathlib import Path
from kerasft.engine.directory import RunDirectory
with RunDirectory(Path(sys.argv[1])).in_use():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_in_use_is_refused_by_whatever_name(
    whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = whole.copy(tmp_path, 1, 1)
    (tmp_path / "link").symlink_to(directory)
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDS, directory],
        env=command_line.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        assert refused(directory) == f"Another process is training into {directory}."
        assert refused(tmp_path / "link").startswith("Another process")
        monkeypatch.chdir(directory)
        assert refused(Path()).startswith("Another process")
        with pytest.raises(RunError, match="Another process is training"):
            kerasft.finetune("bert/tiny", "classification", whole.csv, out=directory, overwrite=True)
    finally:
        holder.kill()  # the system gives the lock back
        holder.communicate()
    with RunDirectory(directory).in_use():
        pass


class Stop(keras.callbacks.Callback):
    """Breaks a run, as a defect in a user's callback does."""

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if batch == 2:
            raise ZeroDivisionError


def test_data_that_were_python_objects_must_be_given_again(tmp_path: Path) -> None:
    rows = separable(24)
    run = tmp_path / "run"
    with pytest.raises(ZeroDivisionError):
        kerasft.finetune(
            *("bert/tiny", "classification", rows),
            **{"out": run, "batch_size": 8, "checkpoint_steps": 1, "backbone_options": {"length": 16}},
            phases=[{"train": "head", "epochs": 1}],
            callbacks=[Stop()],
        )
    with pytest.raises(UsageError, match="train was a Python list, which no file brings back"):
        kerasft.resume(run)
    assert "\n  train: was " in refused(run, train=separable(26))
    assert len(kerasft.resume(run, train=rows).history) == 1
