"""The callbacks of every run, on a model with one weight."""

import json
import math
from pathlib import Path

import keras
import pytest

import kerasft
from kerasft.engine import weights
from kerasft.engine.best import Average, BestWeights, averaged
from kerasft.engine.callbacks import EarlyStopping, History, StopAtNaN
from kerasft.engine.directory import RunDirectory
from kerasft.engine.optim import Optimization
from kerasft.freezing import Frozen
from kerasft.phases import Phase


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run")


@pytest.fixture
def model() -> keras.Model:
    x = keras.Input((1,))
    model = keras.Model(x, keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")(x))
    model.compile("adamw", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def after_epochs(callback: BestWeights, model: keras.Model, logs: list[dict[str, float]]) -> None:
    """Ends epochs with these logs; in epoch n the model's weight is n."""
    callback.set_model(model)
    for epoch, log in enumerate(logs):
        model.weights[0].assign([[epoch + 1.0]])
        callback.on_epoch_end(epoch, log)


def kept(model: keras.Model, directory: RunDirectory) -> float:
    model.weights[0].assign([[-1.0]])
    weights.load(model, directory.best_weights)
    return float(model.weights[0].numpy()[0, 0])


def test_steps_are_counted_though_every_epoch_is_one_call_of_tensorflow(directory: RunDirectory) -> None:
    history = History(directory)
    history.set_params({"steps": 13, "epochs": 3})
    for epoch, steps in enumerate([13, 12, 13]):  # as many as a limit of tokens makes them
        history.on_train_batch_end(steps - 1, {"loss": 1.0})
        history.on_epoch_end(epoch, {"loss": 1.0})
    history.flush()
    found = json.loads((directory.path / "history.json").read_text())
    assert [epoch["step"] for epoch in found["epochs"]] == [13, 25, 38]


@pytest.mark.parametrize(
    ("mode", "values", "epoch"),
    [
        ("max", [0.1, 0.9, 0.8], 2),
        ("min", [0.9, 0.8, 0.1], 3),
        ("max", [0.5, 0.5, 0.5], 1),  # of equals the first
        ("max", [-0.3, -0.1, -0.2], 2),
    ],
)
def test_the_weights_of_the_best_epoch_are_kept(
    mode: str, values: list[float], epoch: int, model: keras.Model, directory: RunDirectory
) -> None:
    best = BestWeights(directory, "val_score", mode)
    after_epochs(best, model, [{"loss": 1.0, "val_score": value} for value in values])
    assert kept(model, directory) == epoch
    assert best.keep() == f"the best weights so far, of epoch {epoch}"


@pytest.mark.parametrize("mode", ["max", "min"])
def test_without_validation_the_last_epoch_is_kept(mode: str, model: keras.Model, directory: RunDirectory) -> None:
    after_epochs(BestWeights(directory, "val_score", mode), model, [{"loss": 1.0}, {"loss": 2.0}])
    assert kept(model, directory) == 2


def test_before_the_end_of_the_first_epoch_weights_are_kept_as_they_are(
    model: keras.Model, directory: RunDirectory
) -> None:
    best = BestWeights(directory, "val_score", "max")
    best.set_model(model)
    model.weights[0].assign([[7.0]])
    assert best.keep() == "the weights as they were in the first epoch"
    assert kept(model, directory) == 7


def test_an_interruption_keeps_the_best_epoch_that_is_still_in_memory(
    model: keras.Model, directory: RunDirectory
) -> None:
    best = BestWeights(directory, "val_score", "max", every=1000.0)
    after_epochs(best, model, [{"val_score": value} for value in (0.5, 0.9, 0.4)])
    assert best.keep() == "the best weights so far, of epoch 2"
    assert kept(model, directory) == 2


def test_loading_weights_leaves_the_optimizer_alone(model: keras.Model, directory: RunDirectory) -> None:
    after_epochs(BestWeights(directory, "val_score", "max"), model, [{}])
    model.optimizer.variables[2].assign([[3.0]])
    assert kept(model, directory) == 1
    assert float(model.optimizer.variables[2].numpy()[0, 0]) == 3.0


def test_the_history_is_on_disk_after_an_epoch_and_at_most_once_a_second(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("kerasft.engine.callbacks.time.monotonic", lambda: clock[0])
    history = History(directory)
    history.set_params({"epochs": 3, "steps": 100})

    def on_disk_after(epoch: int, seconds: float) -> int:
        clock[0] += seconds
        for step in range(100):
            history.on_train_batch_end(step, {"loss": 1.0 - step / 100})
        history.on_epoch_end(epoch, {"loss": 0.5 - epoch / 4})
        return len(json.loads((directory.path / "history.json").read_text())["epochs"])

    assert [on_disk_after(0, 0.0), on_disk_after(1, 0.9), on_disk_after(2, 0.2)] == [1, 1, 3]
    history.on_epoch_end(3, {"loss": 0.0})
    history.flush()
    on_disk = json.loads((directory.path / "history.json").read_text())
    assert on_disk["epochs"][:2] == [{"epoch": 1, "step": 100, "loss": 0.5}, {"epoch": 2, "step": 200, "loss": 0.25}]
    assert on_disk["epochs"][3]["epoch"] == 4
    assert [record["step"] for record in on_disk["steps"]] == list(range(6, 301, 6))  # fifty points


def test_short_epochs_hold_the_best_weights_until_they_are_asked_for(
    directory: RunDirectory, model: keras.Model
) -> None:
    best = BestWeights(directory, "val_accuracy", "max", every=1000.0)
    after_epochs(best, model, [{"val_accuracy": value} for value in (0.5, 0.4, 0.7, 0.6)])
    assert not directory.best_weights.exists()
    best.flush()
    assert model.weights[0].numpy() == [[4.0]]  # training goes on from where it was
    written = directory.best_weights.stat().st_mtime_ns
    best.flush()
    assert directory.best_weights.stat().st_mtime_ns == written
    weights.load(model, directory.best_weights)
    assert model.weights[0].numpy() == [[3.0]]
    model.weights[0].assign([[4.0]])
    directory.best_weights.unlink()  # `restore` has them in memory
    best.restore()
    assert model.weights[0].numpy() == [[3.0]]


def test_the_best_weights_of_an_earlier_phase_come_from_the_disk(directory: RunDirectory) -> None:
    x = keras.Input((1,))
    frozen, head = (keras.layers.Dense(1, use_bias=False, kernel_initializer="ones") for _ in range(2))
    model = keras.Model(x, head(frozen(x)))
    best = BestWeights(directory, "val_accuracy", "max", every=1000.0)
    best.set_model(model)
    frozen.trainable = False
    best.on_epoch_end(0, {"val_accuracy": 0.5})
    best.flush()
    best.on_phase_begin(1, Phase("all"), Frozen(trained=2, total=2, groups=("head",), digest=""))
    frozen.trainable = True
    for weight in model.weights:
        weight.assign([[2.0]])
    best.on_epoch_end(1, {"val_accuracy": 0.4})
    best.flush()
    best.restore()
    assert [weight.numpy().tolist() for weight in model.weights] == [[[1.0]], [[1.0]]]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_a_number_ends_training_and_names_the_batch(value: float) -> None:
    guard = StopAtNaN(lambda epoch, batch: f"batch {batch} of {epoch}")
    guard.set_params({"epochs": 5, "steps": 4})
    guard.on_epoch_begin(1)
    guard.on_train_batch_end(0, {"loss": 1e6})
    with pytest.raises(kerasft.KerasftError) as raised:
        guard.on_train_batch_end(2, {"loss": value})
    assert f"The loss became {value} at step 3 of epoch 2. Try a smaller learning rate" in str(raised.value)
    assert "batch 2 of 1" in str(raised.value)
    guard.on_epoch_end(0, {"loss": 1.0, "val_loss": 2.0})
    with pytest.raises(kerasft.KerasftError, match=f"The val_loss became {value} at the end of epoch 2"):
        guard.on_epoch_end(1, {"loss": 1.0, "val_loss": value})


@pytest.mark.parametrize(
    ("mode", "values", "stops"),
    [
        ("max", [0.1, 0.2, 0.3], None),
        ("max", [0.3, 0.2, 0.3], 3),  # as good as the best is no better
        ("min", [0.3, 0.4, 0.2, 0.3, 0.3], 5),
    ],
)
def test_early_stopping_waits_for_a_better_value(mode: str, values: list[float], stops: int | None) -> None:
    model = keras.Model()
    early = EarlyStopping("val_score", mode, patience=2)
    early.set_model(model)
    model.stop_training = False
    ended = []
    for epoch, value in enumerate(values):
        early.on_epoch_end(epoch, {"val_score": value})
        if model.stop_training:
            ended.append(epoch + 1)
    assert ended == ([stops] if stops else []) and early.stopped == bool(stops)


def test_the_average_takes_the_place_of_the_weights_and_gives_it_back(model: keras.Model) -> None:
    optimizer = Optimization(average=0.9).make(model.trainable_variables, [], Phase(learning_rate=0.1), 4)
    model.compile(optimizer, "mse")
    (weight,), (average,) = model.trainable_variables, optimizer.averages
    weight.assign([[1.0]])
    average.assign([[5.0]])
    callback = Average()
    callback.set_model(model)
    callback.on_test_begin()
    assert float(weight.numpy()[0, 0]) == 5.0
    callback.on_test_end()
    with averaged(model):
        assert float(weight.numpy()[0, 0]) == 5.0
    assert (float(weight.numpy()[0, 0]), float(average.numpy()[0, 0])) == (1.0, 5.0)


def test_without_an_average_there_is_nothing_to_take(model: keras.Model) -> None:
    model.weights[0].assign([[1.0]])
    with averaged(model):
        assert float(model.weights[0].numpy()[0, 0]) == 1.0


def test_a_metric_without_a_value_yet_ends_nothing_unless_it_is_monitored() -> None:
    logs = {"loss": 1.0, "val_loss": 1.0, "correlation": math.nan}
    StopAtNaN(lambda epoch, batch: "").on_epoch_end(0, logs)
    with pytest.raises(kerasft.KerasftError, match="The correlation became nan at the end of epoch 1"):
        StopAtNaN(lambda epoch, batch: "", monitor="correlation").on_epoch_end(0, logs)
