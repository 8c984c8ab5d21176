"""`kerasft.build` and `kerasft.dataset`: what they refuse, with the nearest names, and what Keras gets from them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasft
from kerasft import host
from kerasft.errors import UnknownNameError, UsageError

LABELS = {"labels": ["ham", "spam"]}


@pytest.fixture(scope="module")
def model():
    return kerasft.build("bert/tiny", "classification", **LABELS)


class TestNames:
    @pytest.mark.parametrize(
        ("backbone", "message"),
        [
            ("brt/tiny", "There is no backbone named 'brt'.\nDid you mean bert?"),
            ("BERT/tiny", "There is no backbone named 'BERT'.\nKnown: bert, resnet, vgg, vit"),
            ("gpt/tiny", "There is no backbone named 'gpt'."),
            ("bert/tyni", "There is no preset of bert named 'tyni'.\nDid you mean tiny?"),
            ("bert/minilm-l5", "There is no preset of bert named 'minilm-l5'.\nDid you mean minilm-l6?"),
            ("bert/tiny/extra", "There is no preset of bert named 'tiny/extra'."),
            ("bert/bert_bas_en", "There is no preset of bert named 'bert_bas_en'.\nDid you mean bert_base_en"),
        ],
    )
    def test_of_backbones_and_presets(self, backbone, message):
        with pytest.raises(UnknownNameError) as caught:
            kerasft.build(backbone, "classification", **LABELS)
        assert str(caught.value).startswith(message)
        assert caught.value.exit_code == 2

    @pytest.mark.parametrize("backbone", ["bert", "bert/"])
    def test_of_a_backbone_alone(self, backbone):
        with pytest.raises(UsageError, match=r"Which preset of bert\? For example bert/minilm-l6"):
            kerasft.build(backbone, "classification", **LABELS)

    def test_of_tasks(self):
        with pytest.raises(UnknownNameError, match=r"no task named 'clasification'\.\nDid you mean classification\?"):
            kerasft.build("bert/tiny", "clasification")

    def test_qualified_by_their_plugins(self):
        built = kerasft.build("bert/bert/tiny", "classification/classification", **LABELS)
        assert built.assembly.spec is host.load().backbone("bert")

    @pytest.mark.parametrize(
        ("mode", "option", "meant"),
        [
            ("single-label", "lables", "labels"),
            ("multi-label", "seperator", "separator"),
            ("regression", "scal", "scale"),
        ],
    )
    def test_of_task_options(self, mode, option, meant):
        message = f"option of {mode} classification named '{option}'.\nDid you mean {meant}"
        with pytest.raises(UnknownNameError, match=message):
            kerasft.build("bert/tiny", "classification", mode=mode, **{option: 1})

    def test_of_backbone_options(self):
        with pytest.raises(UnknownNameError, match=r"option of backbone bert named 'lenght'\.\nDid you mean length"):
            kerasft.build("bert/tiny", "classification", backbone_options={"lenght": 5}, **LABELS)

    def test_of_a_mode(self):
        with pytest.raises(UnknownNameError, match="no classification mode named 'multi'"):
            kerasft.build("bert/tiny", "classification", mode="multi")

    def test_weights_are_not_for_users_to_leave_out(self):
        """A model without its pretrained weights looks like any other and learns nothing."""
        with pytest.raises(UnknownNameError, match="option of backbone bert named 'weights'"):
            kerasft.build("bert/tiny", "classification", backbone_options={"weights": False}, **LABELS)


class TestModel:
    def test_it_is_a_functional_keras_model(self, model):
        assert isinstance(model, keras.Model)
        assert model.output.shape == (None, 2) and set(model.input) == {"token_ids", "segment_ids", "padding_mask"}

    def test_options_reach_the_backbone(self):
        built = kerasft.build("bert/tiny", "classification", backbone_options={"length": 5}, **LABELS)
        encoded = built.assembly.backbone.preprocess(tf.constant(["a good film is this"]))
        assert encoded.inputs["token_ids"].shape == (1, 5)

    def test_a_task_of_your_own_object(self, model):
        task = model.assembly.task
        assert kerasft.build("bert/tiny", task).assembly.task is task

    def test_the_backbone_is_shared_not_copied(self, model):
        shared = {id(weight) for weight in model.weights}
        assert {id(weight) for weight in model.assembly.backbone.model.weights} <= shared

    def test_training_it_changes_its_backbone(self):
        built = kerasft.build("bert/tiny", "classification", **LABELS)
        before = built.assembly.backbone.model.get_weights()
        for weight in built.trainable_weights:
            weight.assign_add(tf.ones_like(weight))
        after = built.assembly.backbone.model.get_weights()
        assert all(np.allclose(one + 1, two) for one, two in zip(before, after, strict=True))

    def test_every_weight_of_the_backbone_gets_a_gradient(self, model):
        """Nothing on the way from tokens to logits is cut off, and nothing is trained that does not matter."""
        inputs = dict(model.assembly.backbone.preprocess(tf.constant(["a good film", "bad"])).inputs)
        with tf.GradientTape() as tape:
            loss = model.assembly.task.loss()(tf.constant([0, 1]), model(inputs, training=False))
        gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
        without = [w.path for w, gradient in zip(model.trainable_weights, gradients, strict=True) if gradient is None]
        assert without == []


class TestDataset:
    TEXTS = ("a good film", "bad", "so so", "very very good", "x")
    TARGETS = ("ham", "spam", "spam", "ham", "ham")

    def targets_of(self, data):
        return [target for _, batch in data for target in batch.numpy().tolist()]

    def test_batches_of_the_models_inputs_and_encoded_targets_in_order(self, model):
        data = kerasft.dataset(model, self.TEXTS, self.TARGETS, batch_size=2)
        batches = list(data)
        assert len(batches) == len(data) == 3
        assert [batch.shape[0] for _, batch in batches] == [2, 2, 1]
        assert all(set(inputs) == set(model.input) for inputs, _ in batches)
        assert self.targets_of(data) == [0, 1, 1, 0, 0]
        expected = model.assembly.backbone.preprocess(tf.constant(self.TEXTS[:2])).inputs
        assert all(np.array_equal(batches[0][0][name], expected[name]) for name in expected)

    def test_it_can_be_read_again_and_again(self, model):
        data = kerasft.dataset(model, self.TEXTS, self.TARGETS, batch_size=2)
        assert self.targets_of(data) == self.targets_of(data)

    def passes(self, model, seed, count):
        """The order of twenty examples, told by their lengths, in some passes."""
        texts = ["x" * i for i in range(20)]
        data = kerasft.dataset(model, texts, ["ham"] * 20, batch_size=20, shuffle_seed=seed)
        return [inputs["padding_mask"].numpy().sum(1).tolist() for _ in range(count) for inputs, _ in data]

    def test_shuffled_every_pass_has_every_example_in_another_order(self, model):
        first, second = self.passes(model, seed=1, count=2)
        assert sorted(first) == sorted(second) == list(range(2, 22))
        assert first != second and sorted(first) not in (first, second)
        assert self.passes(model, seed=1, count=2) == [first, second]  # and the same every time
        assert self.passes(model, seed=2, count=1) != [first]

    def test_labels_outside_the_label_space_are_listed(self, model):
        with pytest.raises(kerasft.KerasftError, match="example 1: 'eggs'"):
            kerasft.dataset(model, ["a", "b"], ["ham", "eggs"])

    @pytest.mark.parametrize(("inputs", "targets"), [(["a", "b"], ["ham"]), (["a"], ["ham", "spam"]), ([], [])])
    def test_as_many_targets_as_inputs_and_at_least_one(self, model, inputs, targets):
        with pytest.raises(UsageError, match=f"Received: {len(inputs)} inputs and {len(targets)} targets"):
            kerasft.dataset(model, inputs, targets)

    @pytest.mark.parametrize("batch_size", [0, -1])
    def test_a_batch_has_an_example(self, model, batch_size):
        with pytest.raises(UsageError, match="batch_size must be 1 or more"):
            kerasft.dataset(model, ["a"], ["ham"], batch_size=batch_size)

    def test_regression_must_know_the_scale_of_its_targets(self):
        built = kerasft.build("bert/tiny", "classification", mode="regression")
        with pytest.raises(UsageError, match=r"mean=.*scale="):
            kerasft.dataset(built, ["a", "b"], [1.0, 2.0])
