"""The relay: callbacks hear one training, however many times `fit` was called and wherever it was interrupted."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasft.engine.checkpoint import Position
from kerasft.engine.relay import Relay
from kerasft.errors import UsageError

STEPS, PHASES = 3, (1, 2)  # batches of an epoch; epochs of each phase
EPOCHS = sum(PHASES)


class Recording(keras.callbacks.Callback):
    """Writes down everything it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[Any, ...]] = []


def _hear(name: str) -> Callable[..., None]:
    def hear(self: Recording, *values: Any, logs: dict[str, float] | None = None) -> None:
        if values and not isinstance(values[-1], int):
            *values, logs = values  # type: ignore[assignment]
        figures = tuple(sorted((key, float(value).hex()) for key, value in (logs or {}).items()))
        self.heard.append((name, *values, figures))

    return hear


_TOLD = ("epoch_begin", "epoch_end", "train_batch_begin", "train_batch_end", "test_begin", "test_end", "train_begin")
for _name in (*_TOLD, "test_batch_begin", "test_batch_end", "train_end"):
    setattr(Recording, f"on_{_name}", _hear(_name))


class Telling(Recording):
    """Also hears of phases."""

    def on_phase_begin(self, index: int, phase: Any, frozen: Any) -> None:
        self.heard.append(("phase_begin", index, phase, frozen))


@pytest.fixture
def model() -> keras.Model:
    x = keras.Input((2,))
    model = keras.Model(x, keras.layers.Dense(1, kernel_initializer="ones")(x))
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


def batches(epochs: range, step: int = 0) -> tf.data.Dataset:
    """As the engine's: a function of epoch and step; the last batch of an epoch is smaller."""
    draws = [np.random.default_rng(epoch).random((5, 2), np.float32) for epoch in range(EPOCHS)]
    cut = [draws[epoch][first : first + 2] for epoch in epochs for first in range(0, 5, 2)][step:]
    return tf.data.Dataset.from_generator(
        lambda: ((x, x[:, :1]) for x in cut),
        output_signature=(tf.TensorSpec([None, 2]), tf.TensorSpec([None, 1])),
    ).apply(tf.data.experimental.assert_cardinality(len(cut)))


def fit(model: keras.Model, relay: Relay, epochs: range, step: int = 0) -> None:
    model.fit(
        batches(epochs, step),
        shuffle=False,
        initial_epoch=epochs.start,
        epochs=epochs.stop,
        steps_per_epoch=STEPS - step,
        validation_data=batches(range(1)),
        callbacks=[relay],
        verbose=0,
    )


def train(
    model: keras.Model, callbacks: list[keras.callbacks.Callback], checkpoint: Callable[[Position], None]
) -> Relay:
    relay = Relay(callbacks, epochs=EPOCHS, steps=STEPS, checkpoint=checkpoint)
    relay.begin(model)
    for index, epochs in enumerate(PHASES):
        relay.on_phase_begin(index, f"phase {index}", f"frozen {index}")  # type: ignore[arg-type]
        fit(model, relay, range(relay.position.epoch, relay.position.epoch + epochs))
    relay.end()
    return relay


def test_numbers_go_on_over_phases(model: keras.Model) -> None:
    recording, positions = Telling(), list[Position]()
    relay = train(model, [recording], positions.append)

    names = [event[0] for event in recording.heard]
    assert names[0] == "train_begin" and names.count("train_begin") == 1
    assert names[-1] == "train_end" and names.count("train_end") == 1
    told = [event[:2] for event in recording.heard if event[0] in ("epoch_begin", "epoch_end", "phase_begin")]
    assert told == [
        ("phase_begin", 0), ("epoch_begin", 0), ("epoch_end", 0),
        ("phase_begin", 1), ("epoch_begin", 1), ("epoch_end", 1), ("epoch_begin", 2), ("epoch_end", 2),
    ]  # fmt: skip
    for name in ("train_batch_begin", "train_batch_end"):
        assert [event[1] for event in recording.heard if event[0] == name] == [0, 1, 2] * EPOCHS
    assert recording.params == {"epochs": EPOCHS, "steps": STEPS, "verbose": 0}

    # A checkpoint may be made before each epoch and between any two batches: never twice in one place.
    assert [(p.epoch, p.step, p.updates) for p in positions] == [(e, s, 3 * e + s) for e in range(3) for s in range(3)]
    assert relay.position == Position(epoch=3, step=0, updates=9)


@pytest.mark.parametrize(("epoch", "step"), [(0, 1), (1, 0), (1, 2), (2, 1)])
def test_a_resumed_training_is_told_as_if_there_had_been_no_interruption(
    epoch: int, step: int, model: keras.Model
) -> None:
    whole, kept = Recording(), dict[str, Any]()

    def keep(position: Position) -> None:
        if (position.epoch, position.step) == (epoch, step):
            kept["heard"] = list(whole.heard)
            kept["position"] = position
            kept["variables"] = [
                (v, v.numpy()) for v in [*model.variables, *model.optimizer.variables, *model.metrics_variables]
            ]

    train(model, [whole], keep)
    before, position = kept["heard"], kept["position"]

    metrics = {id(variable) for variable in model.metrics_variables}
    for variable, value in kept["variables"]:
        variable.assign(value + 1 if id(variable) in metrics else value)  # `fit` resets them, so they come back later

    def restore() -> None:
        for variable, value in kept["variables"]:
            if id(variable) in metrics:
                variable.assign(value)

    after = Recording()
    relay = Relay([after], epochs=EPOCHS, steps=STEPS, checkpoint=lambda position: None)
    relay.begin(model)
    relay.go_on_from(position, restore)
    if step:
        fit(model, relay, range(epoch, epoch + 1), step)
    fit(model, relay, range(relay.position.epoch, EPOCHS))
    relay.end()

    assert after.heard[0][0] == "train_begin"
    assert before + after.heard[1:] == whole.heard
    assert relay.position == Position(epoch=3, step=0, updates=9)


class Counting(keras.callbacks.Callback):
    """A user's callback: has attributes of all kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.patience = 3
        self.batches = 0
        self.best = float("inf")
        self.worst = np.float32(0)
        self.by_epoch: dict[str, list[float]] = {}
        self.unlucky = float("nan")
        self.name: str | None = None
        self.array = np.zeros(2)
        self.sizes: dict[Any, int] = {}
        self.model_of_old = keras.layers.Dense(1)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        assert logs
        self.batches += 1
        self.best = min(self.best, logs["loss"])
        self.worst = max(self.worst, np.float32(logs["loss"]))
        self.by_epoch.setdefault("losses", []).append(logs["loss"])
        self.sizes[batch] = 1
        self.name = "counting"


class Own(keras.callbacks.Callback):
    """A callback that says itself what it needs."""

    def __init__(self, value: Any = None) -> None:
        super().__init__()
        self.value = value

    def get_state(self) -> dict[str, Any]:
        return {"value": self.value}

    def set_state(self, state: dict[str, Any]) -> None:
        self.value = state["value"]


def begun(model: keras.Model, *callbacks: keras.callbacks.Callback) -> Relay:
    relay = Relay(callbacks, epochs=1, steps=STEPS, checkpoint=lambda position: None)
    relay.begin(model)
    return relay


def test_callbacks_get_back_what_they_had(model: keras.Model) -> None:
    counting, own = Counting(), Own()
    relay = begun(model, counting, own)
    fit(model, relay, range(1))
    own.value = [1, float("-inf"), {"a": None, "b": True}]
    counting.worst = np.float32("inf")
    state = relay.get_state()
    assert state[0]["values"].keys() == {"batches", "best", "worst", "by_epoch", "name"}  # only what has changed

    again, own_again = Counting(), Own()
    notes = begun(model, own_again, again).set_state(state)  # in another order, too
    for name in ("patience", "batches", "best", "worst", "by_epoch", "name"):
        assert vars(again)[name] == vars(counting)[name], name
    assert again.by_epoch is not counting.by_epoch
    assert own_again.value == own.value
    assert notes == ["The callback Counting did not get back array, sizes: give it get_state() and set_state(state)."]


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_callback_of_keras_goes_on_as_it_was(epochs: int, model: keras.Model) -> None:
    def make() -> keras.callbacks.Callback:
        return keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=2, min_delta=0.05)

    def told(callback: keras.callbacks.Callback, epochs: range) -> list[float]:
        rates = []
        for epoch in epochs:
            callback.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 1.0 - 0.01 * epoch})
            rates.append(float(model.optimizer.learning_rate))
        return rates

    whole = make()
    begun(model, whole)
    expected = told(whole, range(4))
    assert expected == pytest.approx([0.1, 0.1, 0.05, 0.05])  # better by less than 0.05 is not better

    model.optimizer.learning_rate = 0.1
    first, second = make(), make()
    relay = begun(model, first)
    assert told(first, range(epochs)) == expected[:epochs]
    assert begun(model, second).set_state(relay.get_state()) == []
    assert told(second, range(epochs, 4)) == expected[epochs:]


def test_two_callbacks_of_one_class_are_told_apart_by_their_order(model: keras.Model) -> None:
    first, second = Own(1), Own(2)
    state = begun(model, first, second).get_state()
    again = Own(), Own()
    assert begun(model, *again).set_state(state) == []
    assert [callback.value for callback in again] == [1, 2]


def test_a_callback_that_is_not_there_any_more_is_named(model: keras.Model) -> None:
    state = begun(model, Own(1), Counting()).get_state()
    assert begun(model, Counting()).set_state(state) == [
        "The run had a callback Own when it was interrupted; it has none now.",
        "The callback Counting did not get back array: give it get_state() and set_state(state).",
    ]


def test_a_state_that_cannot_be_written_is_refused_by_the_name_of_its_callback(model: keras.Model) -> None:
    relay = begun(model, Own(np.zeros(2)))
    with pytest.raises(UsageError, match=r"callback Own cannot be resumed: its get_state\(\) must return numbers"):
        relay.get_state()


def test_a_wish_to_stop_is_not_lost_in_a_checkpoint(model: keras.Model) -> None:
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            if batch == 1:
                self.model.stop_training = True

    positions: list[int] = []
    relay = Relay([Stop()], epochs=1, steps=STEPS, checkpoint=lambda position: positions.append(position.updates))
    relay.begin(model)
    fit(model, relay, range(1))
    assert positions == [0, 1]
