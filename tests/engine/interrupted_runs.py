"""A run that was copied at every step, as a kill would have left it."""

import json
import shutil
from pathlib import Path
from typing import Any

import keras
from small_runs import separable, weights_of, write_csv

import kerasft


class Recording(keras.callbacks.Callback):
    """Hears a run; remembers nothing over an interruption."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def get_state(self) -> dict[str, Any]:
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        pass

    def _hear(self, *words: object, logs: dict[str, float] | None = None) -> None:
        figures = [f"{name}={float(value).hex()}" for name, value in sorted((logs or {}).items())]
        self.heard.append(" ".join(map(str, (*words, *figures))))

    def on_phase_begin(self, index: int, phase: Any, frozen: Any) -> None:
        self._hear("phase", index, phase, frozen)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._hear("begin", epoch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._hear("step", batch, logs=logs)

    def on_test_end(self, logs: dict | None = None) -> None:
        self._hear("test", logs=logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._hear("end", epoch, logs=logs)

    def on_train_end(self, logs: dict | None = None) -> None:
        self._hear("train end", logs=logs)


class Snapshots(Recording):
    """Copies the run as a kill would leave it, before each step."""

    def __init__(self, run: Path, home: Path):
        super().__init__()
        self.run, self.home = run, home
        self.epoch = 0
        self.before: dict[tuple[int, int], list[str]] = {}

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch
        self._copy(0)
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if batch:
            self._copy(batch)

    def _copy(self, step: int) -> None:
        shutil.copytree(self.run, self.home / f"{self.epoch}-{step}")
        self.before[self.epoch, step] = list(self.heard)


class Whole:
    """A run that nothing interrupted, and copies of it at every step."""

    def __init__(self, home: Path):
        self.home, self.csv = home, write_csv(home / "train.csv", separable(40))
        self.snapshots = Snapshots(home / "run", home)
        self.run = kerasft.finetune(
            "bert/tiny",
            "classification",
            self.csv,
            validation=0.25,
            out=home / "run",
            phases=[kerasft.Phase("head", 1, 1e-2), kerasft.Phase("all", 2, 1e-2)],
            batch_size=12,
            ema=0.9,
            checkpoint_steps=1,
            backbone_options={"length": 16},
            callbacks=[self.snapshots],
        )

    def copy(self, out: Path, epoch: int, step: int) -> Path:
        return Path(shutil.copytree(self.home / f"{epoch}-{step}", out / "run"))

    def assert_the_same(self, run: kerasft.Run) -> None:
        directory = self.home / "run"
        assert (run.directory / "history.json").read_bytes() == (directory / "history.json").read_bytes()
        assert weights_of(run.directory) == weights_of(directory)
        for ours, theirs in zip(run.model.weights, self.run.model.weights, strict=True):
            assert ours.numpy().tobytes() == theirs.numpy().tobytes(), ours.path
        assert json.loads((run.directory / "status.json").read_text()) == {"status": "finished"}
        assert not (run.directory / "checkpoints").exists()


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
