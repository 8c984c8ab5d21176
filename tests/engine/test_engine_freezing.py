"""Frozen is frozen: to the bit, statistics and dropout included, on a net of images and on BERT."""

import itertools
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
import toy_images

import kerasft
from kerasft import freezing, modeling
from kerasft.backbone import Group
from kerasft.errors import KerasftError, PluginError, UsageError
from kerasft.model import TrainedModel
from kerasft.phases import Phase

GROUPS = ["stem", "block_0", "block_1", "neck"]
TEXTS = ["a good film", "bad", "so so, the end is good", "", "x " * 20, "not bad"]


def weights_of(groups: list[str], *, batch_norm: bool) -> set[str]:
    """Paths of all weights that training should change."""
    statistics = ("gamma", "beta", "moving_mean", "moving_variance")
    found = {f"{group}_conv/kernel" for group in groups}
    return found | ({f"{group}_bn/{name}" for group in groups for name in statistics} if batch_norm else set())


@pytest.mark.parametrize(
    ("train", "batch_norm"),
    [("head", False), ("head", True), ("top1", False), (2, True), ("all", False), ("all", True)],
)
def test_only_what_should_train_changes_by_a_bit(train: str | int, batch_norm: bool) -> None:
    model = toy_images.build()
    said = kerasft.freeze(model, train, batch_norm=batch_norm)
    before = toy_images.bits(model)
    toy_images.train(model)
    groups = GROUPS[len(GROUPS) - {"head": 0, "top1": 1, 2: 2, "all": 4}[train] :]
    expected = weights_of(groups, batch_norm=batch_norm) | {"logits/kernel", "logits/bias"}
    assert toy_images.changed(model, before) == expected
    assert said.groups == (*groups, "head")
    shapes = {weight.path: weight.shape for weight in model.weights}
    counted = {path for path in expected if "moving" not in path}
    assert said.trained == sum(np.prod(shapes[path]) for path in counted)
    assert said.total == sum(np.prod(shape) for shape in shapes.values())
    freezing.check(model, said.digest)


@pytest.mark.parametrize(("train", "drawn"), [("head", []), ("top1", GROUPS[3:]), (2, GROUPS[2:]), ("all", GROUPS)])
def test_dropout_is_drawn_in_what_trains_and_nowhere_else(train: str | int, drawn: list[str]) -> None:
    model = toy_images.build()
    kerasft.freeze(model, train)
    dropouts = {group.name: group.layers[2] for group in model.assembly.groups[:-1]}
    inputs, found = toy_images.images(), []
    for name, dropout in dropouts.items():
        for other in dropouts.values():
            other.rate = 0.5 if other is dropout else 0.0
        if not np.array_equal(model(inputs, training=True), model(inputs, training=True)):
            found.append(name)
    assert found == drawn


def bert(precision: str = "float32") -> tuple[TrainedModel, dict]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        model = kerasft.build("bert/tiny", "classification", labels=["a", "b"], backbone_options={"length": 16})
    finally:
        keras.config.set_dtype_policy(before)
    return model, dict(model.assembly.backbone.preprocess(tf.constant(TEXTS)).inputs)


def masked() -> tuple[TrainedModel, dict]:
    """Masks that Keras passes along by itself, across the cut."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    layers = [
        keras.layers.Embedding(10, 4, mask_zero=True, name="embedding"),
        keras.layers.LSTM(4, return_sequences=True, name="shallow"),
        keras.layers.LSTM(4, name="deep"),
    ]
    x = ids
    for layer in layers:
        x = layer(x)
    backbone = kerasft.Backbone(
        model=keras.Model(ids, {"pooled": x}),
        groups=[Group(layer.name, [layer]) for layer in layers],
        preprocess=lambda raw: kerasft.Encoded({"ids": raw}, {}),
        files={},
    )
    spec = kerasft.BackboneSpec(name="masked", modality="text", provides=("pooled",), factory="a:b")
    task = toy_images.SingleLabel(labels=["a", "b"])
    return modeling.assemble(spec, backbone, task), {"ids": tf.constant([[1, 2, 3], [4, 0, 0], [5, 6, 0]])}


def test_bert_draws_no_dropout_where_it_is_frozen() -> None:
    """Nor in attention, inside of its blocks."""
    task = toy_images.SingleLabel(labels=["a", "b"], dropout=0.0)
    model = kerasft.build("bert/tiny", task, backbone_options={"length": 16})
    inputs = dict(model.assembly.backbone.preprocess(tf.constant(TEXTS)).inputs)
    assert not np.array_equal(model(inputs, training=True), model(inputs, training=True))
    kerasft.freeze(model, "head")
    inference = model(inputs, training=False)
    assert all(np.array_equal(model(inputs, training=True), inference) for _ in range(2))
    kerasft.freeze(model, "top1")
    assert not np.array_equal(model(inputs, training=True), model(inputs, training=True))


NETS: dict[str, Callable[[], tuple[TrainedModel, object]]] = {
    "images": lambda: (toy_images.build(), toy_images.images()),
    "bert": bert,
    "bert in bfloat16": lambda: bert("mixed_bfloat16"),
    "masks": masked,
}


@pytest.mark.parametrize("net", NETS)
def test_the_two_parts_of_a_model_are_the_whole_wherever_it_is_cut(net: str) -> None:
    model, inputs = NETS[net]()
    expected = model(inputs, training=False).numpy()
    for count in range(len(model.assembly.groups)):
        kerasft.freeze(model, count or "head")
        if count == len(model.assembly.groups) - 1:
            assert model.split is None
            continue
        assert model.split is not None
        parts = model.split.suffix(model.split.prefix(inputs, training=False), training=False)
        np.testing.assert_array_equal(parts, expected)
        shallow = {
            id(weight) for g in model.assembly.groups[: -1 - count] for layer in g.layers for weight in layer.weights
        }
        assert {id(weight) for weight in model.split.prefix.weights} == shallow
        shared = {id(weight) for weight in model.weights}
        assert {id(weight) for weight in model.split.suffix.weights} == shared - shallow
    np.testing.assert_array_equal(model(inputs, training=False), expected)


def test_masks_reach_what_stands_behind_the_cut() -> None:
    model, inputs = masked()
    kerasft.freeze(model, "top1")
    longer = {"ids": tf.pad(inputs["ids"], [[0, 0], [0, 2]])}
    np.testing.assert_allclose(model(longer, training=False), model(inputs, training=False), atol=1e-6)
    assert model.split is not None
    np.testing.assert_allclose(model.split.suffix(model.split.prefix(longer)), model(inputs, training=False), atol=1e-6)


def normalizations(model: TrainedModel) -> list[keras.Layer]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_after_unfreezing_batch_normalization_stays_in_inference_mode_unless_asked(batch_norm: bool) -> None:
    model = toy_images.build()
    kerasft.freeze(model, "head")
    kerasft.freeze(model, "all", batch_norm=batch_norm)
    inputs = tf.random.normal((16, 8, 8, 4), 3.0, 2.0)
    for layer in normalizations(model):
        before = [weight.numpy() for weight in layer.weights]
        inference, training = layer(inputs, training=False), layer(inputs, training=True)
        assert np.array_equal(inference, training) != batch_norm
        same = [np.array_equal(old, new) for old, new in zip(before, layer.weights, strict=True)]
        assert same == [True, True, not batch_norm, not batch_norm]


def test_phases_may_come_in_any_order() -> None:
    """What one phase froze is free in the next, and the other way round."""
    model = toy_images.build()
    first = kerasft.freeze(model, "top2", batch_norm=True)
    for train in ("all", "head"):
        kerasft.freeze(model, train)
    assert kerasft.freeze(model, "top2", batch_norm=True) == first


def test_the_head_may_normalize_batches() -> None:
    class Normalized(toy_images.SingleLabel):
        def head(self, features):
            x = keras.layers.BatchNormalization(name="head_bn")(features["pooled"])
            return keras.layers.Dense(2, name="logits")(x)

    model = modeling.assemble(toy_images.SPEC, toy_images.backbone(), Normalized(labels=["a", "b"]))
    said = kerasft.freeze(model, "head")
    before = toy_images.bits(model)
    toy_images.train(model, epochs=1)
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    assert toy_images.changed(model, before) == {"logits/kernel", "logits/bias", *(f"head_bn/{name}" for name in names)}
    freezing.check(model, said.digest)


def test_a_model_that_was_never_frozen_trains_as_keras_would() -> None:
    model = toy_images.build()
    before = toy_images.bits(model)
    toy_images.train(model, epochs=1)
    assert toy_images.changed(model, before) == set(before)


class TestDigest:
    @pytest.fixture(scope="class")
    def frozen(self) -> tuple[TrainedModel, freezing.Frozen]:
        model = toy_images.build()
        return model, freezing.apply(model, Phase("top1", batch_norm=True))

    @pytest.mark.parametrize("path", ["stem_conv/kernel", "block_1_bn/gamma", "stem_bn/moving_variance"])
    def test_one_bit_of_what_is_frozen_is_noticed(self, path: str, frozen: tuple) -> None:
        model, said = frozen
        (weight,) = [weight for weight in model.weights if weight.path == path]
        value = weight.numpy()
        other = value.copy()
        other.reshape(-1).view(np.int32)[-1] ^= 1
        weight.assign(other)
        with pytest.raises(KerasftError, match="Frozen weights have changed during this phase"):
            freezing.check(model, said.digest)
        weight.assign(value)
        freezing.check(model, said.digest)

    @pytest.mark.parametrize("path", ["neck_conv/kernel", "neck_bn/gamma", "neck_bn/moving_mean", "logits/bias"])
    def test_what_trains_may_change(self, path: str, frozen: tuple) -> None:
        model, said = frozen
        (weight,) = [weight for weight in model.weights if weight.path == path]
        weight.assign(weight + 1)
        freezing.check(model, said.digest)


class TestRefusals:
    @pytest.mark.parametrize("train", ["top99", 5])
    def test_more_groups_than_there_are(self, train: str | int) -> None:
        with pytest.raises(UsageError, match=r"Phase top\d+: the backbone has 4 groups of layers, so top1 to top4"):
            kerasft.freeze(toy_images.build(), train)

    @pytest.mark.parametrize("train", ["top0", "tail", None])
    def test_what_is_no_depth(self, train: object) -> None:
        with pytest.raises(UsageError, match="train is 'head', 'all', or 'topN'"):
            kerasft.freeze(toy_images.build(), train)  # type: ignore[arg-type]

    def test_a_phase_that_trains_nothing(self) -> None:
        class Weightless(toy_images.SingleLabel):
            def head(self, features):
                return features["pooled"]

        model = modeling.assemble(toy_images.SPEC, toy_images.backbone(), Weightless(labels=["a", "b"]))
        with pytest.raises(UsageError, match="Phase head trains nothing: the head of this task has no weights"):
            kerasft.freeze(model, "head")
        assert kerasft.freeze(model, "top1").trained > 0

    @pytest.mark.parametrize(
        "order", [p for p in itertools.permutations(range(4)) if p in ((1, 0, 2, 3), (3, 1, 2, 0))]
    )
    def test_groups_out_of_order(self, order: tuple[int, ...]) -> None:
        model = toy_images.build(regroup=lambda groups: [groups[i] for i in order])
        with pytest.raises(PluginError) as raised:
            kerasft.freeze(model, 3)
        assert str(raised.value).startswith(
            "backbone toy: its groups are not in order from shallow to deep: the frozen"
        )

    def test_groups_that_leave_weights_out(self) -> None:
        """They would train while the report says that the head does."""
        model = toy_images.build(regroup=lambda groups: groups[1:])
        with pytest.raises(PluginError) as raised:
            kerasft.freeze(model, "head")
        assert str(raised.value).startswith(
            "backbone toy: its groups must hold every weight. Left out: stem_conv/kernel"
        )

    def test_groups_of_layers_inside_of_layers(self) -> None:
        inner = toy_images.backbone()
        images = keras.Input((8, 8, 3), name="images")
        outer = keras.Model(images, {"spatial": inner.model(images)["spatial"]})
        nested = kerasft.Backbone(model=outer, groups=inner.groups, preprocess=inner.preprocess, files={})
        model = modeling.assemble(toy_images.SPEC, nested, toy_images.SingleLabel(labels=["a", "b"]))
        with pytest.raises(PluginError, match=r"backbone toy: groups are of layers that stand in its model.*stem_conv"):
            kerasft.freeze(model, "top1")
