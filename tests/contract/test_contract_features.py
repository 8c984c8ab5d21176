"""How features meet: every branch of `explain`, the two bridges measured, and what happens where there is none."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasft import features, host, modeling
from kerasft.errors import PluginError, UsageError
from kerasft.specs import BackboneSpec, TaskSpec

IDS = tf.constant([[1, 2, 3, 4], [5, 6, 0, 0], [7, 0, 0, 0]])
MASK = tf.cast(IDS > 0, tf.int32)


def backbone(*provides):
    return BackboneSpec(name="acme", modality="text", provides=provides, factory="acme:create")


def task(*requires):
    return TaskSpec(name="heading", requires=requires, factory="acme:heading")


class TestExplain:
    def test_provided(self):
        found = features.explain(backbone("tokens", "pooled"), task("pooled"))
        assert found.works and found.lines == ("pooled: provided by acme",)
        assert (found.backbone, found.task) == ("acme", "heading")

    @pytest.mark.parametrize(
        ("provided", "how"),
        [("tokens", "the mean over the tokens, padding left out"), ("spatial", "the mean over height and width")],
    )
    def test_bridged(self, provided, how):
        found = features.explain(backbone(provided), task("pooled"))
        assert found.works and found.lines == (f"pooled: bridged from {provided} ({how})",)

    def test_neither(self):
        found = features.explain(backbone("acme.heat", "pyramid"), task("pooled"))
        assert not found.works
        assert found.lines == ("pooled: acme provides only acme.heat, pyramid, and no bridge leads from there",)

    def test_bridges_lead_one_way(self):
        assert not features.explain(backbone("pooled"), task("tokens")).works
        assert not features.explain(backbone("pooled", "tokens"), task("spatial")).works

    def test_names_of_third_parties_match_exactly(self):
        assert features.explain(backbone("acme.heat"), task("acme.heat")).works
        assert not features.explain(backbone("acme.heat"), task("other.heat")).works

    def test_one_line_for_each_required_feature_and_all_must_be_there(self):
        found = features.explain(backbone("tokens"), task("tokens", "pooled", "pyramid"))
        assert not found.works
        assert [line.split(":")[0] for line in found.lines] == ["tokens", "pooled", "pyramid"]
        assert [("provided by" in line, "bridged" in line) for line in found.lines] == [
            (True, False), (False, True), (False, False),
        ]  # fmt: skip

    def test_a_task_that_requires_nothing_stands_on_anything(self):
        found = features.explain(backbone("pyramid"), task())
        assert found.works and found.lines == ()

    def test_every_bridge_leads_between_features_with_a_layout(self):
        for feature, sources in features.BRIDGES.items():
            assert {feature, *sources} <= set(features.LAYOUTS)


class Heading:
    """A task that gives back a feature as its logits."""

    def __init__(self, feature):
        self.feature = feature

    def head(self, found):
        return found[self.feature]


def logits(backbone_of, spec, outputs, feature="pooled"):
    model = modeling.assemble(spec, backbone_of(outputs), Heading(feature))
    return model, model({"ids": IDS, "padding_mask": MASK}).numpy()


def features_of(model):
    return model.assembly.backbone.model({"ids": IDS, "padding_mask": MASK})


class TestBridges:
    def test_tokens_to_pooled_is_the_mean_over_the_tokens_without_padding(self, backbone_of):
        model, pooled = logits(backbone_of, backbone("tokens"), lambda x: {"tokens": x})
        tokens, mask = features_of(model)["tokens"].numpy(), MASK.numpy()
        expected = (tokens * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        np.testing.assert_allclose(pooled, expected, rtol=1e-5)
        assert not np.allclose(pooled, tokens.mean(1))

    def test_spatial_to_pooled_is_the_mean_over_height_and_width(self, backbone_of):
        def as_image(x):
            return {"spatial": keras.layers.Reshape((-1, 2, 4))(x)}

        model, pooled = logits(backbone_of, backbone("spatial"), as_image)
        spatial = features_of(model)["spatial"].numpy()
        np.testing.assert_allclose(pooled, spatial.mean((1, 2)), rtol=1e-5)

    def test_a_feature_of_its_own_is_never_bridged_over(self, backbone_of):
        def outputs(x):
            return {"tokens": x, "pooled": keras.layers.GlobalMaxPooling1D()(x)}

        model, pooled = logits(backbone_of, backbone("tokens", "pooled"), outputs)
        assert "tokens_to_pooled" not in {layer.name for layer in model.layers}
        np.testing.assert_array_equal(pooled, features_of(model)["pooled"])

    def test_a_checkpoint_without_a_feature_that_its_family_has_is_bridged(self, backbone_of):
        model, pooled = logits(backbone_of, backbone("tokens", "pooled"), lambda x: {"tokens": x})
        assert pooled.shape == (3, 4) and "tokens_to_pooled" in {layer.name for layer in model.layers}

    def test_bridges_belong_to_no_group(self, backbone_of):
        model, _ = logits(backbone_of, backbone("tokens"), lambda x: {"tokens": x})
        assert [group.name for group in model.assembly.groups] == ["embedding", "head"]
        assert list(model.assembly.groups[-1].layers) == []


class TestRefusals:
    def test_a_task_by_name_that_cannot_stand_on_a_backbone(self):
        with pytest.raises(UsageError) as caught:
            modeling.create_task(backbone("acme.heat"), "classification", {})
        assert str(caught.value) == (
            "classification cannot stand on acme:\n"
            "  pooled: acme provides only acme.heat, and no bridge leads from there"
        )

    def test_a_task_object_that_asks_for_what_is_not_there(self, backbone_of):
        with pytest.raises(UsageError, match=r"acme.*'pyramid'.*pooled, tokens"):
            logits(backbone_of, backbone("tokens"), lambda x: {"tokens": x}, feature="pyramid")

    @pytest.mark.parametrize(
        ("outputs", "received"),
        [
            (lambda x: x, "KerasTensor"),
            (lambda x: [x], "list"),
            (lambda x: {"sequence_output": x}, r"\['sequence_output'\]"),
            (lambda x: {"tokens": x, "extra": x}, r"\['extra', 'tokens'\]"),
        ],
    )
    def test_a_backbone_that_does_not_give_what_it_said(self, backbone_of, outputs, received):
        with pytest.raises(PluginError, match=f"backbone acme: expected an output dict.*tokens.*Received: {received}"):
            logits(backbone_of, backbone("tokens"), outputs)


def test_bert_gives_classification_its_pooled_feature():
    found = host.load()
    assert features.explain(found.backbone("bert"), found.task("classification")).lines == ("pooled: provided by bert",)
