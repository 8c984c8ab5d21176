"""Real runs in phases: one training for callbacks and history, frozen bits asserted, averages validated and kept."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from small_runs import separable

import kerasft
from kerasft.errors import KerasftError, UnknownNameError, UsageError

ROWS = separable(24)
PHASES = ["head:1:0.01", "top1:1:0.005", "all:2:0.005:layer_decay=0.5"]
GROUPS = ["embeddings", "block_0", "block_1", "head"]


def finetune(out: Path, rows: Any = ROWS, **options: Any) -> kerasft.Run:
    options = {"batch_size": 8, "validation": 0.34, "backbone_options": {"length": 8}, **options}
    return kerasft.finetune("bert/tiny", "classification", rows, out=out, **options)


def read(run: kerasft.Run | Path, name: str) -> Any:
    directory = run if isinstance(run, Path) else run.directory
    return json.loads((directory / f"{name}.json").read_text())


def by_group(model: Any) -> dict[str, list[np.ndarray]]:
    return {
        group.name: [weight.numpy() for layer in group.layers for weight in layer.weights]
        for group in model.assembly.groups
    }


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


class Watch(keras.callbacks.Callback):
    """Notes down everything there is to hear, and the weights at the end of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[Any, ...]] = []
        self.weights: list[dict[str, list[np.ndarray]]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.heard.append(("train begin", self.params["epochs"], self.params["steps"]))
        assert self.model.optimizer.iterations == 0  # as below plain `fit`, it is there
        self.weights.append(by_group(self.model))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.heard.append(("epoch", epoch))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.heard.append(("batch", batch))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.heard.append(("epoch end", epoch, sorted(logs)))
        self.weights.append(by_group(self.model))

    def on_train_end(self, logs: Any = None) -> None:
        self.heard.append(("train end",))


@pytest.fixture(scope="module")
def phased(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Head, deepest block, everything; with callbacks of Keras's own."""
    out, watch = tmp_path_factory.mktemp("phased"), Watch()
    own = [keras.callbacks.CSVLogger(str(out / "log.csv")), keras.callbacks.ReduceLROnPlateau("loss", min_delta=1e9)]
    own.append(keras.callbacks.ModelCheckpoint(str(out / "{epoch}.weights.h5"), save_weights_only=True))
    run = finetune(out / "run", phases=PHASES, callbacks=[*own, watch])
    return SimpleNamespace(run=run, watch=watch, out=out)


def test_callbacks_hear_of_one_training(phased: Any) -> None:
    expected: list[tuple[Any, ...]] = [("train begin", 4, 2)]
    for epoch in range(4):
        logs = ["accuracy", "learning_rate", "loss", "val_accuracy", "val_loss"]
        expected += [("epoch", epoch), ("batch", 0), ("batch", 1), ("epoch end", epoch, logs)]
    assert phased.watch.heard == [*expected, ("train end",)]


def test_history_goes_on_over_phases(phased: Any) -> None:
    assert [(record["epoch"], record["step"]) for record in phased.run.history] == [(1, 2), (2, 4), (3, 6), (4, 8)]
    assert [point["step"] for point in read(phased.run, "history")["steps"]] == list(range(1, 9))


def test_callbacks_of_keras_work(phased: Any) -> None:
    assert len((phased.out / "log.csv").read_text().splitlines()) == 5
    assert len(list(phased.out.glob("*.weights.h5"))) == 4


def test_each_phase_trains_its_groups_and_no_bit_of_others(phased: Any) -> None:
    weights = phased.watch.weights
    for epoch, trained in enumerate([GROUPS[3:], GROUPS[2:], GROUPS, GROUPS]):
        moved = [name for name in GROUPS if not same(weights[epoch][name], weights[epoch + 1][name])]
        assert moved == trained, f"epoch {epoch + 1}"


def test_the_report_says_how_much_trained_in_each_phase(phased: Any) -> None:
    phases = read(phased.run, "report")["phases"]
    sizes = {name: sum(array.size for array in arrays) for name, arrays in phased.watch.weights[0].items()}
    assert [phase["groups"] for phase in phases] == [GROUPS[3:], GROUPS[2:], GROUPS]
    assert [phase["trained_weights"] for phase in phases] == [
        sum(sizes[name] for name in phase["groups"]) for phase in phases
    ]
    assert {phase["total_weights"] for phase in phases} == {sum(sizes.values())}
    assert [phase["learning_rate"] for phase in phases] == [0.01, 0.005, 0.005]


def test_a_callback_that_changes_frozen_weights_is_found_out(tmp_path: Path) -> None:
    class Meddler(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            weight = self.model.assembly.groups[0].layers[0].weights[0]
            weight.assign(weight * 1.0001)

    with pytest.raises(KerasftError, match=r"Frozen weights have changed during this phase\. Does a callback assign"):
        finetune(tmp_path / "run", phases=["head:1:0.01", "all:1"], callbacks=[Meddler()])
    assert read(tmp_path / "run", "status") == {"status": "failed"}
    assert len(read(tmp_path / "run", "history")["epochs"]) == 1  # the second phase did not begin


class WatchAverage(keras.callbacks.Callback):
    """The weights after each update of the last phase, and those that are validated."""

    def __init__(self) -> None:
        super().__init__()
        self.raw: list[list[np.ndarray]] = []
        self.tested: list[list[np.ndarray]] = []
        self.begun: list[list[np.ndarray]] = []
        self.dtypes: set[str] = set()

    def note(self, where: list[list[np.ndarray]]) -> None:
        if self.model.split is None:
            where.append([variable.numpy() for variable in self.model.trainable_variables])

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.note(self.begun)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.note(self.raw)

    def on_test_begin(self, logs: Any = None) -> None:
        self.note(self.tested)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        example = dict(self.model.assembly.backbone.preprocess(np.array(["a good film"])).inputs)
        self.dtypes |= {str(variable.dtype) for variable in self.model.weights}
        self.logits = self.model(example, training=False).dtype.name
        self.hidden = self.model.get_layer("transformer_layer_0").compute_dtype


@pytest.fixture(scope="module")
def averaged(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A moving average, computing in bfloat16, a batch in two pieces, and a phase that early stopping ends.

    At a rate of nothing no epoch is better than the first.
    """
    watch = WatchAverage()
    run = finetune(
        tmp_path_factory.mktemp("averaged") / "run",
        phases=["head:5:1e-30", "all:2:0.01"],
        early_stopping=1,
        ema=0.6,
        precision="bfloat16",
        accumulation=2,
        monitor="val_loss",
        callbacks=[watch],
    )
    return SimpleNamespace(run=run, watch=watch)


def averages(watch: WatchAverage) -> list[list[np.ndarray]]:
    """After each update, by hand."""
    found, average = [], watch.begun[0]
    for raw in watch.raw:
        average = [0.6 * old + 0.4 * new for old, new in zip(average, raw, strict=True)]
        found.append(average)
    return found


def test_the_average_is_validated(averaged: Any) -> None:
    watch = averaged.watch
    expected = averages(watch)
    assert len(watch.tested) == 2
    for tested, average, raw in zip(watch.tested, expected[1::2], watch.raw[1::2], strict=True):
        for one, other in zip(tested, average, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
        assert not same(tested, raw)


def test_training_goes_on_with_the_weights_themselves(averaged: Any) -> None:
    watch = averaged.watch
    assert len(watch.raw) == 4
    for ended, begun in zip(watch.raw, watch.begun[1:], strict=False):
        assert same(ended, begun)


def test_the_average_is_kept(averaged: Any) -> None:
    losses = [epoch["val_loss"] for epoch in averaged.run.history[2:]]
    assert min(losses) < averaged.run.history[0]["val_loss"]
    best = averages(averaged.watch)[2 * int(np.argmin(losses)) + 1]
    model = kerasft.load(averaged.run.directory).model
    for weight, expected in zip(model.trainable_variables, best, strict=True):
        np.testing.assert_allclose(weight.numpy(), expected, rtol=0, atol=1e-6, err_msg=weight.path)


def test_bfloat16_computes_and_nothing_else(averaged: Any) -> None:
    assert averaged.watch.dtypes == {"float32"}
    assert (averaged.watch.logits, averaged.watch.hidden) == ("float32", "bfloat16")
    assert keras.config.dtype_policy().name == "float32"
    (answer,) = averaged.run.predict(["the a is good"])
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    assert averaged.run.model.get_layer("transformer_layer_0").compute_dtype == "float32"


def test_early_stopping_ends_the_phase_and_the_next_one_begins(averaged: Any) -> None:
    history = averaged.run.history
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3, 4]
    assert history[0]["val_loss"] == history[1]["val_loss"] != history[2]["val_loss"]
    assert [phase["train"] for phase in read(averaged.run, "report")["phases"]] == ["head", "all"]


REFUSED = [
    ({"phases": ["top99:1"]}, UsageError, "Phase top99: the backbone has 3 groups of layers, so top1 to top3"),
    ({"phases": ["head:1", {"train": "all", "epochs": 0}]}, UsageError, "epochs must be a whole number from 1"),
    (
        {"phases": [{"train": "all", "learning_rate": float("nan")}]},
        UsageError,
        "learning_rate must be a finite number",
    ),
    ({"phases": []}, UsageError, "There must be at least one phase"),
    ({"phases": ["all:1"], "epochs": 2}, UsageError, "Give either phases, or epochs and learning_rate"),
    ({"learning_rate": -1.0}, UsageError, "learning_rate must be a finite number above 0"),
    ({"monitor": "val_acuracy"}, UnknownNameError, "Did you mean val_accuracy"),
    ({"monitor": "accuracy"}, UnknownNameError, "no metric to monitor named 'accuracy'"),
    ({"monitor": "val_loss", "validation": None}, UsageError, "monitor needs validation data"),
    ({"early_stopping": 1, "validation": None}, UsageError, "early_stopping needs validation data"),
    ({"optimizer": "adamv"}, UnknownNameError, "Did you mean adam or adamw"),
    ({"accumulation": 9}, UsageError, "accumulation splits a batch of 8"),
    ({"precision": "float16"}, UsageError, "no precision named 'float16'"),
    ({"ema": 1.5}, UsageError, "ema must lie between 0 and 1"),
]


@pytest.mark.parametrize(("options", "error", "says"), REFUSED)
def test_what_cannot_be_is_refused_before_it_leaves_a_trace(
    options: dict, error: type[Exception], says: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as raised:
        finetune(tmp_path / "run", **options)
    assert says in str(raised.value)
    assert not (tmp_path / "run").exists()
