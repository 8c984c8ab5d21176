"""Optimizers of a phase against formulas in NumPy and against Keras's own with the same settings."""

import json
import math
from collections.abc import Sequence

import keras
import numpy as np
import pytest

from kerasft import keras_private
from kerasft.backbone import Group
from kerasft.engine.optim import Optimization
from kerasft.errors import UnknownNameError, UsageError
from kerasft.phases import Phase

UPDATES = 12
RATES = Phase("all", learning_rate=0.02, layer_decay=0.5, warmup=0.25)


class Net:
    """Three layers, each a group: what may be decayed and what may not, and gradients for it."""

    def __init__(self) -> None:
        dice = np.random.default_rng(0)
        self.layers = [keras.layers.Dense(3, name=f"dense_{i}") for i in range(2)]
        self.layers.insert(1, keras.layers.LayerNormalization(name="norm"))
        for layer in self.layers:
            layer.build((None, 3))
        self.groups = [Group(layer.name, [layer]) for layer in self.layers]
        self.variables = [variable for layer in self.layers for variable in layer.trainable_variables]
        for variable in self.variables:
            variable.assign(dice.normal(size=variable.shape))
        # Some larger than the limit to clip at, some smaller.
        self.gradients = [
            [dice.normal(size=v.shape).astype("float32") * 10.0 ** (step % 3 - 1.5) for v in self.variables]
            for step in range(UPDATES)
        ]

    def values(self) -> list[np.ndarray]:
        return [variable.numpy() for variable in self.variables]

    def train(self, optimizer: keras.optimizers.Optimizer, steps: range = range(UPDATES)) -> list[np.ndarray]:
        for step in steps:
            optimizer.apply(self.gradients[step], self.variables)
        return self.values()


def make(net: Net, optimization: Optimization, phase: Phase = RATES) -> keras.optimizers.Optimizer:
    return optimization.make(net.variables, net.groups, phase, UPDATES)


def rate(step: int) -> float:
    """Linear, three updates of warmup, 0.02 at most."""
    return 0.02 * min((step + 1) / 3, 1, (UPDATES - step) / (UPDATES - 3))


def reference(net: Net, kind: str, decay: float, clip: float | None) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The weights after all updates, and their moving average with momentum 0.9, by formulas in float64."""
    weights = [value.astype(np.float64) for value in net.values()]
    averages = [value.copy() for value in weights]
    first, second = ([np.zeros_like(value) for value in weights] for _ in range(2))
    scales = [0.25, 0.25, 0.5, 0.5, 1.0, 1.0]
    for step in range(UPDATES):
        gradients = [gradient.astype(np.float64) for gradient in net.gradients[step]]
        norm = math.sqrt(sum((gradient**2).sum() for gradient in gradients))
        for i, gradient in enumerate(gradients):
            g = gradient * (min(1.0, clip / norm) if clip else 1.0)
            lr = rate(step) * scales[i]
            weights[i] *= 1 - lr * (decay if net.variables[i].name == "kernel" else 0.0)
            if kind == "adam":
                first[i] = 0.9 * first[i] + 0.1 * g
                second[i] = 0.999 * second[i] + 0.001 * g**2
                # In the order that Kingma and Ba give at the end of section 2.
                lr *= math.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
                weights[i] -= lr * first[i] / (np.sqrt(second[i]) + 1e-7)
            elif kind == "sgd":
                first[i] = 0.9 * first[i] - lr * g
                weights[i] += first[i]
            else:
                weights[i] -= lr * np.sign(0.9 * first[i] + 0.1 * g)
                first[i] = 0.99 * first[i] + 0.01 * g
            averages[i] = 0.9 * averages[i] + 0.1 * weights[i]
    return weights, averages


def assert_close(found: Sequence, expected: Sequence, atol: float = 2e-6) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=atol)


@pytest.fixture(params=["small variables", "large variables"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam has two ways; these variables are all small."""
    if request.param == "large variables":
        monkeypatch.setattr(keras_private, "_FEW", 0)


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize(
    ("name", "kind", "decay"),
    [("adamw", "adam", 0.3), ("adam", "adam", 0.0), ("sgd", "sgd", 0.3), ("lion", "lion", 0.3)],
)
def test_updates_are_those_of_the_formulas(name: str, kind: str, decay: float, clip: float | None) -> None:
    """Schedule, layer decay, decay mask, clipping and the moving average, all at once."""
    net = Net()
    weights, averages = reference(net, kind, decay, clip)
    optimizer = make(net, Optimization(optimizer=name, weight_decay=0.3, clip_norm=clip, average=0.9))
    assert_close(net.train(optimizer), weights)
    assert_close([average.numpy() for average in optimizer.averages], averages)
    assert len({id(variable) for variable in optimizer.variables}) == len(optimizer.variables)


KERAS = {
    "adamw": lambda **options: keras.optimizers.AdamW(weight_decay=0.3, **options),
    "adam": lambda **options: keras.optimizers.Adam(**options),
    "sgd": lambda **options: keras.optimizers.SGD(momentum=0.9, weight_decay=0.3, **options),
    "lion": lambda **options: keras.optimizers.Lion(weight_decay=0.3, **options),
}


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("name", KERAS)
def test_without_layer_decay_it_is_keras_own(name: str) -> None:
    ours, theirs = Net(), Net()
    phase = Phase("all", learning_rate=0.02, layer_decay=1.0, schedule="constant", warmup=0)
    plain = KERAS[name](learning_rate=0.02, global_clipnorm=1.0)
    plain.exclude_from_weight_decay(var_list=[v for v in theirs.variables if v.name != "kernel"])
    optimizer = make(ours, Optimization(optimizer=name, weight_decay=0.3), phase)
    assert_close(ours.train(optimizer), theirs.train(plain), atol=2e-6)


@pytest.mark.parametrize("name", KERAS)
def test_saved_in_the_middle_it_goes_on_as_it_would_have(name: str) -> None:
    settings = Optimization(optimizer=name, weight_decay=0.3, average=0.9)
    whole, halves = Net(), Net()
    expected = whole.train(make(whole, settings))
    first = make(halves, settings)
    halves.train(first, range(5))
    store: dict[str, np.ndarray] = {}
    first.save_own_variables(store)
    config = json.loads(json.dumps(keras.optimizers.serialize(first)))
    second = keras.optimizers.deserialize(config)
    assert type(second) is type(first)
    second.build(halves.variables)
    second.load_own_variables(store)
    for one, other in zip(halves.train(second, range(5, UPDATES)), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(second.iterations) == UPDATES
    assert second.get_config() == first.get_config()


def test_the_head_trains_at_the_full_rate_and_each_group_at_a_fraction_of_the_next() -> None:
    net = Net()
    before = net.values()
    settings = Optimization(optimizer="sgd", weight_decay=0.0, clip_norm=None)
    phase = Phase("all", learning_rate=1.0, layer_decay=0.1, schedule="constant", warmup=0)
    make(net, settings, phase).apply([np.ones(v.shape, "float32") for v in net.variables], net.variables)
    moved = [float((old - new).mean()) for old, new in zip(before, net.values(), strict=True)]
    assert moved == pytest.approx([0.01, 0.01, 0.1, 0.1, 1.0, 1.0], rel=1e-4)


def everything() -> keras.Model:
    """All kinds of weights that may be decayed or not; layers whose names contain "bias", "gamma" and "beta"."""
    inputs = keras.Input((4,), dtype="int32")
    x = keras.layers.Embedding(5, 6, name="embedding")(inputs)
    x = keras.layers.LayerNormalization(name="norm")(x)
    x = keras.layers.RMSNormalization(name="rms")(x)
    x = keras.layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    x = keras.layers.Dense(6, name="debias")(x)
    x = keras.layers.BatchNormalization(name="batch_norm")(x)
    x = keras.layers.Conv1D(6, 2, name="conv")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="gamma_beta")(x))
    for weight in model.trainable_variables:
        weight.assign(np.ones(weight.shape))
    return model


def test_only_kernels_and_embeddings_decay() -> None:
    """Measured by updates with zero gradients, in which weight decay is all that acts."""
    model = everything()
    variables = model.trainable_variables
    phase = Phase("all", learning_rate=0.5, schedule="constant", warmup=0)
    optimizer = Optimization(weight_decay=0.1).make(variables, [], phase, 1)
    optimizer.apply([np.zeros(weight.shape, np.float32) for weight in variables])
    shrunk = {w.path for w in variables if np.allclose(w.numpy(), 1.0 - 0.5 * 0.1)}
    still = {w.path for w in variables if np.array_equal(w.numpy(), np.ones(w.shape))}
    assert shrunk == {
        "embedding/embeddings", "attention/query/kernel", "attention/key/kernel", "attention/value/kernel",
        "attention/attention_output/kernel", "debias/kernel", "conv/kernel", "gamma_beta/kernel",
    }  # fmt: skip
    assert shrunk | still == {w.path for w in variables}


@pytest.fixture
def line() -> keras.Model:
    """A model with one weight."""
    x = keras.Input((1,))
    return keras.Model(x, keras.layers.Dense(1, use_bias=False)(x))


def test_a_training_step_is_traced_once(line: keras.Model) -> None:
    """Variables made by the first step would have TensorFlow trace it twice: seconds for a large model."""
    traces = []

    class Loss(keras.losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            traces.append(None)
            return super().call(y_true, y_pred)

    optimizer = Optimization().make(line.trainable_variables, [], RATES, 4)
    line.compile(optimizer, Loss(), jit_compile=False)
    line.fit(np.ones((4, 1)), np.ones((4, 1)), batch_size=2, epochs=2, verbose=0)
    assert len(traces) == 1


def test_callbacks_of_keras_take_the_rate_over_from_the_schedule(line: keras.Model) -> None:
    rates: list[float] = []
    optimizer = Optimization(optimizer="sgd").make(line.trainable_variables, [], RATES, 12)
    line.compile(optimizer, "mse", jit_compile=False)
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, now: now if epoch == 0 else 0.5 / epoch)
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9)
    note = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: rates.append(float(optimizer.learning_rate))
    )
    data = (np.ones((3, 1)), np.ones((3, 1)))
    line.fit(*data, batch_size=1, epochs=1, callbacks=[note], verbose=0)
    assert rates == pytest.approx([rate(step) for step in range(3)])
    line.fit(*data, batch_size=1, initial_epoch=1, epochs=3, callbacks=[note, scheduler], verbose=0)
    assert rates[3:] == pytest.approx([0.5] * 3 + [0.25] * 3)
    line.fit(*data, batch_size=1, initial_epoch=3, epochs=6, callbacks=[note, plateau], verbose=0)
    assert rates[9:] == pytest.approx([0.25] * 6 + [0.125] * 3)
    optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
    assert float(optimizer.learning_rate) == 0.5**18


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"weight_decay": -0.1}, "weight_decay must be 0 or above. Received: -0.1"),
        ({"weight_decay": math.nan}, "weight_decay"),
        ({"weight_decay": math.inf}, "weight_decay"),
        ({"weight_decay": None}, "weight_decay must be 0 or above. Received: None"),
        ({"clip_norm": 0}, "clip_norm must be above 0, or None. Received: 0"),
        ({"clip_norm": math.nan}, "clip_norm"),
        ({"clip_norm": "1"}, "clip_norm must be above 0, or None. Received: '1'"),
        ({"average": 1.0}, "ema must lie between 0 and 1, for example 0.999. Received: 1.0"),
        ({"average": 0}, "ema"),
        ({"average": math.nan}, "ema"),
        ({"average": True}, "ema"),
    ],
)
def test_values_out_of_range_are_refused(options: dict, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        Optimization(**options)
    assert says in str(raised.value)


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(UsageError, match=r"weight_decay.*\nclip_norm.*\nema"):
        Optimization(weight_decay=-1, clip_norm=-1, average=-1)


def test_an_unknown_optimizer_is_corrected() -> None:
    with pytest.raises(UnknownNameError, match="no optimizer named 'adamv'\\.\nDid you mean adam or adamw"):
        Optimization(optimizer="adamv")
    with pytest.raises(UnknownNameError, match="no optimizer named 'None'"):
        Optimization(optimizer=None)  # type: ignore[arg-type]
