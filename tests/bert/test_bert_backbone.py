"""What the factory promises: features, groups, lengths, options, the tiny preset, files to build it again."""

import itertools
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_checkpoints as tiny

import kerasft
from kerasft import host, pretrained
from kerasft.errors import AssetError, UnknownNameError, UsageError

TEXTS = tf.constant(["good film", "not bad, but 90 minutes too long!", ""])


@pytest.fixture(scope="module")
def backbone():
    return pretrained.locate("bert/tiny").create()


@pytest.fixture(scope="module")
def inputs(backbone):
    return dict(backbone.preprocess(TEXTS).inputs)


def test_features_and_their_layouts(backbone, inputs):
    outputs = backbone.model(inputs)
    assert set(outputs) == set(host.load().backbone("bert").provides) == {"tokens", "pooled"}
    length = inputs["token_ids"].shape[1]
    assert outputs["tokens"].shape == (3, length, 32) and outputs["pooled"].shape == (3, 32)
    assert set(backbone.model.input) == {"token_ids", "segment_ids", "padding_mask"}


def test_padding_changes_nothing(backbone, inputs):
    alone = dict(backbone.preprocess(TEXTS[:1]).inputs)
    length = alone["token_ids"].shape[1]
    assert length < inputs["token_ids"].shape[1]
    for name, value in backbone.model(alone).items():
        padded = backbone.model(inputs)[name][:1]
        padded = padded[:, :length] if name == "tokens" else padded
        np.testing.assert_allclose(value, padded, atol=1e-6)


@pytest.mark.parametrize("length", [2, 7, 128])
def test_any_sequence_length_up_to_its_positions(backbone, length):
    ids = np.arange(length)[None] % 40 + 4
    inputs = {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids * 0 + 1}
    assert backbone.model(inputs)["tokens"].shape == (1, length, 32)


@pytest.mark.parametrize("options", [{}, {"pooler": False}])
def test_groups_are_disjoint_cover_every_weight_and_go_from_shallow_to_deep(options):
    built = pretrained.locate("bert/tiny").create(options)
    assert [group.name for group in built.groups] == ["embeddings", "block_0", "block_1"]
    grouped = [weight.path for group in built.groups for layer in group.layers for weight in layer.weights]
    assert len(set(grouped)) == len(grouped)
    assert set(grouped) == {weight.path for weight in built.model.weights}
    order = [layer.name for layer in built.model.layers]
    places = [[order.index(layer.name) for layer in group.layers] for group in built.groups]
    assert all(max(shallow) < min(deep) for shallow, deep in itertools.pairwise(places))


def test_every_random_layer_stands_in_a_group_or_in_one_of_its_layers(backbone):
    """Frozen means dropout off, which is decided group by group."""
    grouped = {id(layer) for group in backbone.groups for layer in group.layers}
    loose = [layer for layer in backbone.model.layers if id(layer) not in grouped]
    assert not [layer.name for layer in loose if isinstance(layer, keras.layers.Dropout) or layer.weights]


def test_freezing_a_group_freezes_just_its_weights(backbone):
    built = pretrained.locate("bert/tiny").create()
    for layer in built.groups[0].layers:
        layer.trainable = False
    frozen = {w.path for w in built.model.weights} - {w.path for w in built.model.trainable_weights}
    assert frozen == {w.path for layer in built.groups[0].layers for w in layer.weights}


class TestTiny:
    def test_the_same_weights_every_time(self, backbone):
        keras.utils.set_random_seed(99)
        again = pretrained.locate("bert/tiny").create()
        for one, other in zip(backbone.model.get_weights(), again.model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_other_weights_for_another_seed(self, backbone):
        other = pretrained.locate("bert/tiny").create({"seed": 1})
        same = [
            np.array_equal(one, two)
            for weight, one, two in zip(
                backbone.model.weights, backbone.model.get_weights(), other.model.get_weights(), strict=True
            )
            if weight.path.endswith(("kernel", "embeddings"))
        ]
        assert same and not any(same)

    def test_it_leaves_the_users_random_numbers_alone(self):
        def drawn_after(build):
            keras.utils.set_random_seed(3)
            if build:
                pretrained.locate("bert/tiny").create()
            return np.random.random(3)

        np.testing.assert_array_equal(drawn_after(True), drawn_after(False))

    def test_it_tells_texts_apart(self, backbone, inputs):
        pooled = backbone.model(inputs)["pooled"].numpy()
        assert np.abs(pooled[0] - pooled[1]).max() > 0.1 < np.abs(pooled[0] - pooled[2]).max()

    def test_it_is_small_and_needs_no_files(self, backbone):
        found = pretrained.locate("bert/tiny")
        assert found.directory is None and found.source == ""
        assert backbone.model.count_params() < 50_000

    def test_it_is_built_quickly(self, backbone):
        """The fastest of three, once Keras is warm: a loaded machine must not fail this."""
        times = []
        for _ in range(3):
            start = time.perf_counter()
            pretrained.locate("bert/tiny").create()
            times.append(time.perf_counter() - start)
        assert min(times) < 1.0

    def test_its_vocabulary_spells_every_english_word(self, backbone):
        ids = backbone.preprocess(tf.constant(["The quick-brown fox, 1984?! GOOD"])).inputs["token_ids"].numpy()
        assert 1 not in ids


class TestLength:
    def test_256_tokens_by_default_or_as_many_as_there_are_positions(self, tmp_path):
        assert pretrained.locate("bert/tiny").create().preprocess.length == 128
        tiny.write(tmp_path, max_position_embeddings=300)
        assert pretrained.locate(str(tmp_path)).create().preprocess.length == 256

    def test_it_is_cut_to_what_the_user_asks_for(self):
        built = pretrained.locate("bert/tiny").create({"length": 6})
        assert built.preprocess(TEXTS).inputs["token_ids"].shape == (3, 6)
        assert built.preprocess.truncated(TEXTS).numpy().tolist() == [True, True, False]

    @pytest.mark.parametrize("length", [-1, 0, 2, 129, 10_000])
    def test_out_of_range(self, length):
        with pytest.raises(UsageError, match=f"length must be from 3 to 128 tokens for bert/tiny.*length={length}"):
            pretrained.locate("bert/tiny").create({"length": length})

    @pytest.mark.parametrize("length", [3, 128])
    def test_both_ends_of_the_range(self, length):
        assert pretrained.locate("bert/tiny").create({"length": length}).preprocess.length == length


class TestOptions:
    def test_a_pooler_that_is_not_there_cannot_be_asked_for(self, tmp_path):
        tiny.write(tmp_path, tiny.weights(pooler=False))
        with pytest.raises(UsageError, match="no trained pooler"):
            pretrained.locate(str(tmp_path)).create({"pooler": True})

    def test_a_misspelt_one_is_corrected(self):
        with pytest.raises(UnknownNameError, match=r"option of backbone bert named 'lenght'\.\nDid you mean length"):
            pretrained.locate("bert/tiny").create({"lenght": 64})

    @pytest.mark.parametrize("name", ["directory", "preset"])
    def test_what_the_core_passes_is_no_option(self, name):
        with pytest.raises(UnknownNameError, match=f"named '{name}'"):
            kerasft.build("bert/tiny", "classification", labels=["a", "b"], backbone_options={name: "x"})


class TestFiles:
    """A run directory keeps these, and builds the backbone again without network, cache or weights."""

    @pytest.fixture(params=["tiny", "cased, no pooler, tanh", "padded embeddings"])
    def original(self, request, tmp_path):
        if request.param == "tiny":
            return pretrained.locate("bert/tiny").create()
        if request.param == "padded embeddings":
            directory = tiny.write(tmp_path / "checkpoint", vocab_size=16, layer_norm_eps=1e-3)
        else:
            arrays = tiny.weights(pooler=False)
            settings = {"do_lower_case": False}
            directory = tiny.write(tmp_path / "checkpoint", arrays, tokenizer_config=settings, hidden_act="gelu_new")
        return pretrained.locate(str(directory)).create()

    def test_rebuilt_and_given_the_weights_it_is_the_same(self, original, tmp_path):
        factory = pretrained.load_object(host.load().backbone("bert").factory, "test")
        directory = tmp_path / "backbone"
        directory.mkdir()
        for name, content in original.files.items():
            (directory / name).write_bytes(content)
        rebuilt = factory(directory, preset="any", weights=False)
        rebuilt.model.set_weights(original.model.get_weights())

        first, second = original.preprocess(TEXTS), rebuilt.preprocess(TEXTS)
        assert all(np.array_equal(first.inputs[name], second.inputs[name]) for name in first.inputs)
        expected, found = original.model(dict(first.inputs)), rebuilt.model(dict(second.inputs))
        assert set(found) == set(expected)
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])
        assert rebuilt.files == original.files
        assert [group.name for group in rebuilt.groups] == [group.name for group in original.groups]

    def test_they_hold_no_weights_and_say_so(self, original, tmp_path):
        factory = pretrained.load_object(host.load().backbone("bert").factory, "test")
        for name, content in original.files.items():
            (tmp_path / name).write_bytes(content)
        with pytest.raises(AssetError, match="without its weights"):
            factory(tmp_path, preset="any", weights=True)
