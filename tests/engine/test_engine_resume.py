"""`kerasft.resume`: the same result from every position."""

import os
from pathlib import Path

import keras
import pytest
from interrupted_runs import Recording, Whole, damage

import kerasft


# In the first epoch; between two phases; within the last one.
@pytest.mark.parametrize(("epoch", "step"), [(0, 2), (1, 0), (2, 1)])
def test_it_goes_on_as_if_there_had_been_no_interruption(epoch: int, step: int, whole: Whole, tmp_path: Path) -> None:
    after = Recording()
    run = kerasft.resume(whole.copy(tmp_path, epoch, step), callbacks=[after])
    assert whole.snapshots.before[epoch, step] + after.heard == whole.snapshots.heard
    whole.assert_the_same(run)
    phase = 1 if epoch == 0 else 2
    assert run.notes[-2:] == [
        f"Resumed at phase {phase}, epoch {epoch + 1}, step {step + 1}.",
        "The run had a callback Snapshots when it was interrupted; it has none now.",
    ]


def test_a_damaged_checkpoint_costs_a_step_and_is_said(whole: Whole, tmp_path: Path) -> None:
    directory = whole.copy(tmp_path, 1, 2)
    before, last = sorted((directory / "checkpoints").iterdir())
    damage(last)
    leftover = directory / "checkpoints" / ".00000006.abc.safetensors"
    leftover.write_bytes(b"half")
    seen: list[list[str]] = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
            seen.append(sorted(path.name for path in (directory / "checkpoints").iterdir()))

    run = kerasft.resume(directory, callbacks=[Look()])
    assert f"{last} is damaged (its content is not what its name says); the one before it is tried." in run.notes
    assert seen[0] == [before.name]  # neither the damaged nor the half-written one counts as one of the last two
    assert [name.partition("-")[0] for name in seen[1]] == ["00000004", "00000005"]
    whole.assert_the_same(run)


def test_without_a_checkpoint_it_begins_anew(whole: Whole, tmp_path: Path) -> None:
    directory = whole.copy(tmp_path, 0, 1)
    for path in (directory / "checkpoints").iterdir():
        os.truncate(path, 100)
    for name in ("status", "notes", "data", "samples"):  # killed while it wrote its records
        (directory / f"{name}.json").unlink()
    run = kerasft.resume(directory)
    whole.assert_the_same(run)
    assert run.notes[-2].endswith("is tried.")
    assert run.notes[-1] == "Resumed from the beginning: there is no undamaged checkpoint."
    assert len(run.predict(run.samples)) == 10
