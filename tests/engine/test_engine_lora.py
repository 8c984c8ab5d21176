"""Low-rank adapters: they alone train, they are kept apart, and what is kept of the model has them merged."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file
from small_runs import separable

import kerasft
from kerasft import freezing
from kerasft.engine import weights
from kerasft.errors import UnknownNameError, UsageError
from kerasft.model import TrainedModel
from kerasft.phases import Lora, Phase

TEXTS = ["a good film", "bad", "so so, the end is good", "", "x " * 20, "not bad"]


def build() -> TrainedModel:
    return kerasft.build("bert/tiny", "classification", labels=["a", "b"], backbone_options={"length": 16})


def inputs(model: TrainedModel) -> dict[str, tf.Tensor]:
    return dict(model.assembly.backbone.preprocess(tf.constant(TEXTS)).inputs)


def adapters(model: TrainedModel) -> list[keras.Variable]:
    return [variable for variable in model.weights if freezing.is_adapter(variable)]


def adapted(lora: Lora) -> TrainedModel:
    """With adapters that have an effect."""
    model = build()
    freezing.add_adapters(model, lora)
    dice = np.random.default_rng(0)
    for variable in adapters(model):
        variable.assign(dice.normal(0.0, 0.3, variable.shape))
    return model


@pytest.mark.parametrize(
    ("lora", "layers"),
    [
        # Query, key, value, output and two of the feed-forward net in each block; the pooler in the last.
        (Lora(rank=2), 13),
        (Lora(rank=3, groups=("block_1",)), 7),
    ],
)
def test_adapters_of_the_named_groups_begin_at_no_effect(lora: Lora, layers: int) -> None:
    model = build()
    x = inputs(model)
    before, count = model(x, training=False).numpy(), len(model.weights)
    assert freezing.add_adapters(model, lora) == layers
    np.testing.assert_array_equal(model(x, training=False), before)
    found = adapters(model)
    assert len(found) == 2 * layers == len(model.weights) - count
    assert len({variable.path for variable in found}) == len(found)  # what they are kept by
    named = lora.groups or ("block_0", "block_1")
    inside = {
        id(weight)
        for group in model.assembly.groups
        if group.name in named
        for layer in group.layers
        for weight in layer.weights
    }
    assert all(id(variable) in inside for variable in found)


@pytest.mark.parametrize(
    ("train", "groups", "trained"),
    [
        ("head", (), ()),
        ("top1", (), ("block_1",)),
        ("all", (), ("block_0", "block_1")),  # embeddings have no layer that takes one
        ("all", ("block_0",), ("block_0",)),
        ("top1", ("block_0",), ()),
    ],
)
def test_adapters_and_the_head_train_alone(train: str, groups: tuple[str, ...], trained: tuple[str, ...]) -> None:
    model = adapted(Lora(rank=2, groups=groups))
    frozen = freezing.apply(model, Phase(train), Lora(rank=2, groups=groups))
    assert frozen.groups == (*trained, "head")
    head = {id(weight) for layer in model.assembly.groups[-1].layers for weight in layer.weights}
    free = {variable.path for variable in model.trainable_variables if id(variable) not in head}
    inside = {
        weight.path
        for group in model.assembly.groups
        if group.name in trained
        for layer in group.layers
        for weight in layer.weights
        if freezing.is_adapter(weight)
    }
    assert free == inside
    assert frozen.trained == sum(math.prod(variable.shape) for variable in model.trainable_variables)
    x, before = inputs(model), {w.path: w.numpy() for w in model.weights}
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(x, training=True) ** 2)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    keras.optimizers.SGD(0.1).apply(gradients, model.trainable_variables)
    changed = {w.path for w in model.weights if not np.array_equal(w.numpy(), before[w.path])}
    assert changed == {variable.path for variable in model.trainable_variables}
    freezing.check(model, frozen.digest)


def test_the_part_before_the_first_adapter_draws_no_dropout() -> None:
    model = adapted(Lora(rank=2, groups=("block_1",)))
    freezing.apply(model, Phase("all"), Lora(rank=2, groups=("block_1",)))
    assert model.split is not None
    prefix = {layer.name for layer in model.split.prefix.layers}
    assert {"embeddings_dropout", "transformer_layer_0"} <= prefix and "transformer_layer_1" not in prefix


def test_weights_on_disk_are_merged_and_fit_a_plain_model(tmp_path: Path) -> None:
    model = adapted(Lora(rank=2, alpha=4.0))
    x = inputs(model)
    expected = model(x, training=False).numpy()
    path = tmp_path / "best.weights.h5"
    weights.save(model, path)
    plain = build()
    assert np.abs(plain(x, training=False).numpy() - expected).max() > 1e-2
    weights.load(plain, path)
    np.testing.assert_allclose(plain(x, training=False), expected, atol=1e-5)
    np.testing.assert_array_equal(model(x, training=False), expected)  # and saving has changed nothing
    weights.load(model, path)
    np.testing.assert_allclose(model(x, training=False), expected, atol=1e-5)


def test_alpha_scales_the_adapters() -> None:
    """Against kernels with the product added by hand."""
    model, plain = adapted(Lora(rank=2, alpha=6.0, groups=("block_1",))), build()
    layer, same = (m.get_layer("pooled_dense") for m in (model, plain))
    delta = 3.0 * layer.lora_kernel_a.numpy() @ layer.lora_kernel_b.numpy()
    x = tf.random.normal((4, 32))
    expected = same.activation(x @ (layer._kernel + delta) + layer.bias)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


@pytest.mark.parametrize("groups", [("embeddings",), ("block_9",), ("block0",)])
def test_groups_that_can_have_none(groups: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as raised:
        freezing.add_adapters(build(), Lora(groups=groups))
    if groups == ("embeddings",):
        assert str(raised.value) == "Lora: there is no Dense or EinsumDense layer in embeddings."
    else:
        assert isinstance(raised.value, UnknownNameError)
        assert f"no group of layers named {groups[0]!r}" in str(raised.value) and "block_1" in str(raised.value)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A real run with adapters; what a callback saw in it."""
    seen = SimpleNamespace(base=[], logits=None, files=[])
    out = tmp_path_factory.mktemp("lora") / "run"

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            base = [w for g in self.model.assembly.groups[:-1] for layer in g.layers for w in layer.weights]
            seen.base.append([w.numpy() for w in base if not freezing.is_adapter(w)])
            seen.logits = self.model(inputs(self.model), training=False).numpy()
            seen.adapters = {variable.path: variable.numpy() for variable in adapters(self.model)}

    seen.run = kerasft.finetune(
        "bert/tiny",
        "classification",
        separable(32),
        validation=None,  # the last epoch is kept
        out=out,
        phases=["all:2:0.02"],
        lora={"rank": 2, "alpha": 4, "groups": ["block_1"]},
        batch_size=16,
        backbone_options={"length": 16},
        callbacks=[Watch()],
    )
    return seen


def test_a_run_leaves_the_base_as_it_was_to_the_bit(run: Any) -> None:
    fresh = build().assembly.groups[:-1]
    base = [weight.numpy() for group in fresh for layer in group.layers for weight in layer.weights]
    for epoch in run.base:
        assert all(np.array_equal(one, other) for one, other in zip(base, epoch, strict=True))
    assert any(np.abs(value).max() > 0 for path, value in run.adapters.items() if path.endswith("_b"))


def test_a_run_keeps_its_adapters_apart(run: Any) -> None:
    kept = load_file(run.run.directory / "weights" / "adapters.safetensors")
    assert len(kept) == 14 and set(kept) == set(run.adapters)
    assert all(np.array_equal(kept[path], value) for path, value in run.adapters.items())


def test_a_run_gives_back_a_plain_model_with_the_adapters_merged(run: Any) -> None:
    for model in (run.run.model, kerasft.load(run.run.directory).model):
        assert not adapters(model)
        np.testing.assert_allclose(model(inputs(model), training=False), run.logits, atol=1e-5)


def test_its_report_says_what_trained(run: Any) -> None:
    (phase,) = json.loads((run.run.directory / "report.json").read_text())["phases"]
    assert phase["groups"] == ["block_1", "head"]
    assert phase["trained_weights"] == 32 * 2 + 2 + sum(value.size for value in run.adapters.values())


def test_its_export_is_the_model(run: Any, tmp_path: Path) -> None:
    exported = tf.saved_model.load(run.run.export(tmp_path / "export"))
    found = exported.signatures["serving_default"](text=tf.constant(TEXTS))
    np.testing.assert_allclose(found["probabilities"], tf.nn.softmax(run.logits), atol=1e-5)


@pytest.mark.parametrize(
    ("lora", "says"),
    [
        ({"rnak": 2}, "There is no setting of lora named 'rnak'"),
        ({"groups": ["embeddings"]}, "there is no Dense or EinsumDense layer in embeddings"),
        ({"groups": ["blok_1"]}, "Did you mean block_1 or block_0?"),
        ({"rank": 0}, "rank must be a whole number from 1"),
    ],
)
def test_a_run_that_cannot_be_is_refused_before_it_leaves_a_trace(lora: dict, says: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(UsageError) as raised:
        kerasft.finetune("bert/tiny", "classification", separable(8), out=out, lora=lora, validation=None)
    assert says in str(raised.value)
    assert not out.exists()
