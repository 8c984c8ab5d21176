"""One continuous training for callbacks, however many times `fit` is called below them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np

from kerasft import keras_private
from kerasft.engine.checkpoint import Position
from kerasft.errors import UsageError
from kerasft.freezing import Frozen
from kerasft.phases import Phase

_PLAIN = (int, float, str, bool, type(None), np.integer, np.floating, np.bool_)
_CHANGEABLE = (dict, list, set, np.ndarray)
_OF_KERAS = ("params", "_model", "validation_data", "monitor_op")


@runtime_checkable
class KnowsPhases(Protocol):
    """A callback that wants to hear of phases."""

    def on_phase_begin(self, index: int, phase: Phase, frozen: Frozen) -> None:
        """Called before the first epoch of each phase."""


@runtime_checkable
class ShowsFeatures(Protocol):
    """A callback that shows how far the frozen part of the model is computed."""

    def on_features(self, done: int, examples: int) -> None:
        """Called now and then, before a phase."""


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
        self._restore: Callable[[], None] | None = None
        self._at_begin: list[dict[str, Any]] = []
        self._plain_at_begin: list[dict[str, Any]] = []

    @property
    def steps(self) -> int:
        """Batches of the epoch."""
        return self._params["steps"]

    @steps.setter
    def steps(self, value: int) -> None:
        self._params["steps"] = value  # the callbacks below have this same mapping

    @property
    def is_watched(self) -> bool:
        """Whether a callback that is not ours wants to hear of every batch."""
        hooks = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
        return any(
            getattr(type(callback), hook) is not getattr(keras.callbacks.Callback, hook)
            for callback in self.callbacks
            if not type(callback).__module__.startswith("kerasft.engine.")
            for hook in hooks
        )

    def on_features(self, done: int, examples: int) -> None:
        """Tells the callbacks that show it how far the frozen part is computed."""
        for callback in self.callbacks:
            if isinstance(callback, ShowsFeatures):
                callback.on_features(done, examples)

    def begin(self, model: keras.Model) -> None:
        """Training begins, for the first time or again."""
        self._list = keras.callbacks.CallbackList(self.callbacks, add_history=False, model=model)
        self._list.set_params(self._params)
        self._list.on_train_begin()
        self._at_begin = [dict(vars(callback)) for callback in self.callbacks]
        self._plain_at_begin = [_plain(values) for values in self._at_begin]

    def go_on_from(self, position: Position, restore: Callable[[], None]) -> None:
        """The next `fit` continues here; `restore` is called when it has reset what it resets."""
        self.position = position
        self._offset = position.step
        self._restore = restore

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

        Raises:
            UsageError: a callback's own state is not that.
        """
        found = []
        for callback, at_begin, before in zip(self.callbacks, self._at_begin, self._plain_at_begin, strict=True):
            name, lost = type(callback).__name__, []
            if isinstance(callback, Remembers):
                values = callback.get_state()
                if not _is_plain(values):
                    raise UsageError(
                        f"The callback {name} cannot be resumed: its get_state() must return numbers, strings, or "
                        f"lists and dicts of them. Received: {str(values)[:80]}"
                    )
                values = _json(values)
            else:
                now = _plain(vars(callback))
                values = {name: value for name, value in now.items() if name not in before or before[name] != value}
                lost = _lost(vars(callback), at_begin)
            ours = type(callback).__module__.startswith("kerasft.")
            found.append({"class": name, "ours": ours, "values": values, "lost": [] if ours else lost})
        return found

    def set_state(self, state: Sequence[Mapping[str, Any]]) -> list[str]:
        """Gives callbacks back what they remembered; returns what the user should know, one line each."""
        notes = []
        left = list(self.callbacks)
        for record in state:
            name = record["class"]
            found = next((callback for callback in left if type(callback).__name__ == name), None)
            if found is None:
                if not record["ours"]:
                    notes.append(f"The run had a callback {name} when it was interrupted; it has none now.")
                continue
            left.remove(found)
            if record["lost"]:
                notes.append(
                    f"The callback {name} did not get back {', '.join(record['lost'])}: give it get_state() and "
                    "set_state(state)."
                )
            if isinstance(found, Remembers):
                found.set_state(_value(record["values"]))
            else:
                vars(found).update({name: _value(value) for name, value in record["values"].items()})
                keras_private.forget_direction(found)
        return notes

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """An epoch, unless it had begun before an interruption."""
        assert self._list is not None
        if self._restore:
            self._restore()
            self._restore = None
        if self._offset:
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
        # Of several batches in one call Keras counts to the end of the call, also where the data end before.
        step = min(batch + self._offset + 1, self.steps)
        updates = self.position.updates + step - self.position.step
        self.position = replace(self.position, step=step, updates=updates)
        self._list.on_train_batch_end(step - 1, logs)
        # A callback's wish to stop would be lost: `fit` begins without one.
        if step < self.steps and not self.model.stop_training:
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
    return {name: _json(value) for name, value in values.items() if name not in _OF_KERAS and _is_plain(value)}


def _lost(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Names of attributes that JSON cannot hold and that may have changed."""
    return [
        name
        for name, value in now.items()
        if name not in _OF_KERAS
        and not _is_plain(value)
        and (name not in before or before[name] is not value or isinstance(value, _CHANGEABLE))
    ]


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
