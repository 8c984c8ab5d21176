"""One continuous training for callbacks, however many times `fit` is called below them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np

from kerasft.engine.checkpoint import Position
from kerasft.freezing import Frozen
from kerasft.phases import Phase

_PLAIN = (int, float, str, bool, type(None), np.integer, np.floating)


@runtime_checkable
class KnowsPhases(Protocol):
    """A callback that wants to hear of phases."""

    def on_phase_begin(self, index: int, phase: Phase, frozen: Frozen) -> None:
        """Called before the first epoch of each phase."""


@runtime_checkable
class Remembers(Protocol):
    """A callback that says itself what must be remembered."""

    def get_state(self) -> dict[str, Any]:
        """JSON-ready data."""

    def set_state(self, state: Mapping[str, Any]) -> None:
        """The inverse of `get_state`."""


class Relay(keras.callbacks.Callback):
    """Passes what `fit` says on to the callbacks of a run, numbered through over all its phases.

    Keras starts and ends training with every call of `fit`, and counts batches from 0 when an epoch is resumed in the
    middle. Callbacks below this one see one beginning, every epoch and batch once, and one end.

    Args:
        callbacks: in the order in which they are told.
        epochs: most there can be, over all phases.
        steps: batches of an epoch.
        checkpoint: called between updates with the position, when all callbacks have been told.
    """

    def __init__(
        self,
        callbacks: Sequence[keras.callbacks.Callback],
        *,
        epochs: int,
        steps: int,
        checkpoint: Callable[[Position], None],
    ):
        super().__init__()
        self.callbacks = list(callbacks)
        self.position = Position()
        self._params = {"epochs": epochs, "steps": steps, "verbose": 0}
        self._checkpoint = checkpoint
        self._list: keras.callbacks.CallbackList | None = None
        self._offset = 0
        self._metrics: Sequence[tuple[keras.Variable, np.ndarray]] = ()
        self._at_begin: list[dict[str, Any]] = []

    def begin(self, model: keras.Model) -> None:
        """Training begins, for the first time or again."""
        self._list = keras.callbacks.CallbackList(self.callbacks, add_history=False, model=model)
        self._list.set_params(self._params)
        self._list.on_train_begin()
        self._at_begin = [_plain(vars(callback)) for callback in self.callbacks]

    def go_on_from(self, position: Position, metrics: Sequence[tuple[keras.Variable, np.ndarray]]) -> None:
        """The next `fit` continues here; metrics that `fit` resets get their values back."""
        self.position = position
        self._offset = position.step
        self._metrics = metrics

    def end(self, logs: Mapping[str, float] | None = None) -> None:
        """Training is over."""
        assert self._list is not None
        self._list.on_train_end(logs)

    def on_phase_begin(self, index: int, phase: Phase, frozen: Frozen) -> None:
        """Tells the callbacks that know phases."""
        for callback in self.callbacks:
            if isinstance(callback, KnowsPhases):
                callback.on_phase_begin(index, phase, frozen)

    def get_state(self) -> list[dict[str, Any]]:
        """What callbacks remember.

        Ours say it themselves. Of others it is every attribute that is a number, a string, or lists and dicts of
        them, and has changed since training began.
        """
        found = []
        for callback, before in zip(self.callbacks, self._at_begin, strict=True):
            if isinstance(callback, Remembers):
                values = callback.get_state()
            else:
                now = _plain(vars(callback))
                values = {name: value for name, value in now.items() if name not in before or before[name] != value}
            found.append({"class": type(callback).__name__, "values": values})
        return found

    def set_state(self, state: Sequence[Mapping[str, Any]]) -> list[str]:
        """Gives callbacks back what they remembered; returns the names of those that are not there any more."""
        missing = []
        left = list(self.callbacks)
        for record in state:
            found = next((callback for callback in left if type(callback).__name__ == record["class"]), None)
            if found is None:
                missing.append(record["class"])
                continue
            left.remove(found)
            if isinstance(found, Remembers):
                found.set_state(record["values"])
            else:
                vars(found).update({name: _value(value) for name, value in record["values"].items()})
        return missing

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """An epoch, unless it had begun before an interruption."""
        assert self._list is not None
        if self._offset:
            for metric, value in self._metrics:
                metric.assign(value)
            return
        self.position = replace(self.position, epoch=epoch, step=0)
        self._checkpoint(self.position)
        self._list.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """The end of an epoch."""
        assert self._list is not None
        self._offset = 0
        self._list.on_epoch_end(epoch, logs)
        self.position = replace(self.position, epoch=epoch + 1, step=0)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A batch, counted from the beginning of its epoch."""
        assert self._list is not None
        self._list.on_train_batch_begin(batch + self._offset, logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A batch that is done, and a time for a checkpoint; that of the last batch waits for the end of the epoch."""
        assert self._list is not None
        step = batch + self._offset + 1
        self.position = replace(self.position, step=step, updates=self.position.updates + 1)
        self._list.on_train_batch_end(step - 1, logs)
        if step < self._params["steps"]:
            self._checkpoint(self.position)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Validation begins."""
        assert self._list is not None
        self._list.on_test_begin(logs)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Validation is over."""
        assert self._list is not None
        self._list.on_test_end(logs)

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A batch of validation."""
        assert self._list is not None
        self._list.on_test_batch_begin(batch, logs)

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A batch of validation is done."""
        assert self._list is not None
        self._list.on_test_batch_end(batch, logs)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Of an object's attributes those that JSON can hold, but for what Keras sets itself."""
    return {
        name: _json(value)
        for name, value in values.items()
        if name not in ("params", "_model", "validation_data") and _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    # JSON has no infinities, which are what "the best so far" begins with.
    return {"float": repr(value)} if isinstance(value, float) and not np.isfinite(value) else value


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return [_value(item) for item in value]
    if isinstance(value, dict):
        return float(value["float"]) if set(value) == {"float"} else {key: _value(v) for key, v in value.items()}
    return value
