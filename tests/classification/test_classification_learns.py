"""Each mode learns a separable problem on the tiny backbone, and says the same as Keras about it."""

import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import kerasft
from kerasft.errors import UsageError

DICE = np.random.default_rng(0)
GOOD, BAD, LONG = "good good", "bad bad", "the 99"


def texts(*parts, count):
    """Texts with these parts among letters that mean nothing."""
    return [" ".join([*DICE.permutation([*parts, *DICE.choice(list("xyzkw"), 3)])]) for _ in range(count)]


SETS = [(), (GOOD,), (LONG,), (GOOD, LONG)]
NAMES = {GOOD: "kind", LONG: "wordy"}
MODES = {
    "single-label": (
        [text for part in (GOOD, BAD, LONG) for text in texts(part, count=32)],
        ["kind"] * 32 + ["rude"] * 32 + ["wordy"] * 32,
    ),
    "multi-label": (
        [text for parts in SETS for text in texts(*parts, count=32)],
        [[NAMES[part] for part in parts] for parts in SETS for _ in range(32)],
    ),
    "regression": (
        [text for n in range(4) for text in texts(*[GOOD] * n, *[BAD] * (3 - n), count=32)],
        [100.0 + 50 * n for n in range(4) for _ in range(32)],
    ),
}


@pytest.fixture(scope="module", params=MODES)
def learned(request, tmp_path_factory):
    """A run of each mode, tested on what it has learned from."""
    inputs, targets = MODES[request.param]
    data = {"text": inputs, "label": targets}
    run = kerasft.finetune(
        "bert/tiny",
        "classification",
        data,
        validation=None,
        test=data,
        out=tmp_path_factory.mktemp("run") / "run",
        phases=["all:8:4e-3"],
        batch_size=8,
        task_options={"mode": request.param},
    )
    return SimpleNamespace(run=run, mode=request.param, inputs=inputs, targets=targets)


def test_the_loss_falls(learned):
    losses = [epoch["loss"] for epoch in learned.run.history]
    assert len(losses) == 8 and losses[-1] < 0.5 * losses[0]


def test_it_learns(learned):
    metrics = learned.run.report.metrics
    if learned.mode == "regression":
        assert metrics["r2"] > 0.7
    else:
        assert metrics["accuracy"] > 0.9


def test_predictions_are_the_targets_as_they_stood_in_the_data(learned):
    predicted = learned.run.predict(learned.inputs)
    if learned.mode == "regression":
        errors = [abs(row["value"] - target) for row, target in zip(predicted, learned.targets, strict=True)]
        assert np.median(errors) < 30
    elif learned.mode == "single-label":
        assert np.mean([row["label"] == t for row, t in zip(predicted, learned.targets, strict=True)]) > 0.9
        assert set(predicted[0]["probabilities"]) == {"kind", "rude", "wordy"}
    else:
        pairs = zip(predicted, learned.targets, strict=True)
        assert np.mean([set(row["label"].split(",")) - {""} == set(target) for row, target in pairs]) > 0.9


def test_the_report_says_what_keras_says(learned):
    """`Model.evaluate` with the task's own loss and metrics, on `kerasft.dataset`."""
    model, task = learned.run.model, learned.run.model.assembly.task
    model.compile(loss=task.loss(), metrics=task.metrics())
    data = kerasft.dataset(model, learned.inputs, learned.targets, batch_size=7)
    keras_says = model.evaluate(data, return_dict=True, verbose=0)
    metrics = learned.run.report.metrics
    if learned.mode == "single-label":
        assert metrics["accuracy"] == pytest.approx(keras_says["accuracy"])
        assert metrics["loss"] == pytest.approx(keras_says["loss"], rel=1e-4)
    elif learned.mode == "multi-label":
        assert metrics["f1"] == pytest.approx(keras_says["f1"])
    else:
        assert metrics["mae"] == pytest.approx(keras_says["mae"] * task.scale, rel=1e-4)
        assert metrics["rmse"] == pytest.approx(math.sqrt(keras_says["loss"]) * task.scale, rel=1e-4)


class TestHead:
    def features(self):
        return {"pooled": keras.Input((8,), name="pooled")}

    @pytest.mark.parametrize("mode", ["single-label", "multi-label"])
    def test_without_labels_it_has_no_width_and_says_what_to_do(self, mode):
        with pytest.raises(UsageError, match=r"labels=\["):
            kerasft.build("bert/tiny", "classification", mode=mode)

    def test_one_logit_per_label_in_float32_under_mixed_precision(self, create):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            logits = create(labels=["a", "b", "c"]).head(self.features())
        finally:
            keras.config.set_dtype_policy("float32")
        assert logits.shape == (None, 3) and logits.dtype == "float32"

    def test_regression_has_one_output(self, create):
        assert create(mode="regression").head(self.features()).shape == (None, 1)

    @pytest.mark.parametrize("dropout", [-0.1, 1.0, 1.5])
    @pytest.mark.parametrize("mode", ["single-label", "multi-label", "regression"])
    def test_a_dropout_that_is_no_fraction(self, create, mode, dropout):
        with pytest.raises(UsageError, match="dropout"):
            create(mode=mode, dropout=dropout)

    def test_dropout_acts_only_while_training(self, create):
        features = self.features()
        model = keras.Model(features, create(labels=["a", "b"], dropout=0.5).head(features))
        inputs = {"pooled": np.ones((1, 8), np.float32)}
        assert np.array_equal(model(inputs), model(inputs))
        assert any(not np.array_equal(model(inputs), model(inputs, training=True)) for _ in range(10))


@pytest.mark.parametrize(
    ("mode", "targets", "logits", "expected"),
    [
        ("single-label", [1], [[0.0, 0.0]], math.log(2)),
        ("multi-label", [[1.0, 0.0]], [[0.0, 0.0]], math.log(2)),
        ("regression", [[1.0]], [[4.0]], 9.0),
    ],
)
def test_losses_by_hand(create, mode, targets, logits, expected):
    loss = create(mode=mode).loss()
    assert float(loss(np.array(targets, np.float32), np.array(logits, np.float32))) == pytest.approx(expected, rel=1e-5)
