"""Names: short, qualified by plugin, followed by a preset; unknown and ambiguous ones."""

import pytest

from kerasft.errors import UnknownNameError, UsageError
from kerasft.host import Host, Plugin
from kerasft.host.isolate import Contents
from kerasft.specs import BackboneSpec, PresetSpec, RecipeSpec, TaskSpec


def backbone(name: str, *presets: str) -> BackboneSpec:
    return BackboneSpec(
        name=name,
        modality="text",
        provides=("pooled",),
        factory="module:create",
        presets=tuple(PresetSpec(name=preset) for preset in presets),
        tiny="",
    )


def task(name: str) -> TaskSpec:
    return TaskSpec(name=name, requires=("pooled",), factory="module:create")


def plugin(id: str) -> Plugin:
    return Plugin(id=id, distribution=f"dist-{id}", version="1.0", module=id, status="loaded")


def host(**contents: Contents) -> Host:
    return Host((plugin(id), brought) for id, brought in contents.items())


BERT = Contents(backbones=(backbone("bert", "minilm-l6", "tiny"),))
OTHER = Contents(backbones=(backbone("roberta", "base"), backbone("deberta")), tasks=(task("ner"),))


@pytest.mark.parametrize(
    ("reference", "name", "rest"),
    [
        ("bert", "bert", ""),
        ("bert/minilm-l6", "bert", "minilm-l6"),
        ("bert/no-such-preset", "bert", "no-such-preset"),
        ("bert/bert", "bert", ""),
        ("bert/bert/minilm-l6", "bert", "minilm-l6"),
        ("other/roberta", "roberta", ""),
        ("other/roberta/base", "roberta", "base"),
        ("roberta/base", "roberta", "base"),
        ("bert/", "bert", ""),
    ],
)
def test_find_backbone_splits_a_reference(reference: str, name: str, rest: str) -> None:
    spec, found = host(bert=BERT, other=OTHER).find_backbone(reference)
    assert (spec.name, found) == (name, rest)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("brt/minilm-l6", "no backbone named 'brt'.\nDid you mean bert"),
        ("other/robert/base", "no backbone named 'other/robert'.\nDid you mean other/roberta"),
        ("", "no backbone named ''.\nKnown: bert, deberta, roberta."),
        ("/bert", "no backbone named ''"),
        ("bertha", "no backbone named 'bertha'.\nDid you mean bert"),
    ],
)
def test_find_backbone_names_the_part_that_is_wrong(reference: str, message: str) -> None:
    with pytest.raises(UnknownNameError) as error:
        host(bert=BERT, other=OTHER).find_backbone(reference)
    assert message in str(error.value)


def test_a_short_name_of_two_plugins_is_refused_with_the_names_that_work() -> None:
    both = host(one=BERT, two=BERT, other=OTHER)
    with pytest.raises(UsageError) as error:
        both.find_backbone("bert/minilm-l6")
    assert str(error.value).splitlines()[1:] == [
        "  one/bert/minilm-l6  (dist-one 1.0)",
        "  two/bert/minilm-l6  (dist-two 1.0)",
    ]
    for name in ("one/bert/minilm-l6", "two/bert/minilm-l6"):
        assert both.find_backbone(name)[1] == "minilm-l6"
    assert list(both.backbones) == ["deberta", "one/bert", "roberta", "two/bert"]


def test_a_reference_with_two_meanings_is_refused_rather_than_guessed() -> None:
    # "vit/base" is the backbone "base" of the plugin "vit", and also the preset "base" of the backbone "vit".
    two = host(vit=Contents(backbones=(backbone("base"),)), timm=Contents(backbones=(backbone("vit", "base"),)))
    with pytest.raises(UsageError) as error:
        two.find_backbone("vit/base")
    spellings = [line.split()[0] for line in str(error.value).splitlines()[1:]]
    assert [two.find_backbone(spelling)[0].name for spelling in spellings] == ["base", "vit"]


def test_tasks_and_recipes_are_found_by_short_and_qualified_name() -> None:
    brought = Contents(tasks=(task("ner"),), recipes=(RecipeSpec(name="news", module="recipes.news"),))
    only = host(ext=brought)
    assert only.task("ner") is only.task("ext/ner") is only.tasks["ner"]
    assert only.recipe("news") is only.recipe("ext/news") is only.recipes["news"]
    with pytest.raises(UnknownNameError, match="no recipe named 'new'"):
        only.recipe("new")
    with pytest.raises(UnknownNameError, match="no backbone named 'ner'"):
        only.backbone("ner")
    with pytest.raises(UsageError, match="'ner' may mean more than one task"):
        host(ext=brought, other=OTHER).task("ner")


def test_a_backbone_is_looked_up_without_preset() -> None:
    assert host(bert=BERT).backbone("bert/bert").name == "bert"
    with pytest.raises(UnknownNameError):
        host(bert=BERT).backbone("bert/minilm-l6")


def test_which_tells_every_provider_of_whichever_kind() -> None:
    mixed = host(a=BERT, b=Contents(tasks=(task("bert"),)))
    assert [(item.kind, item.plugin.id) for item in mixed.which("bert")] == [("backbone", "a"), ("task", "b")]
    assert [item.kind for item in mixed.which("b/bert")] == ["task"]
    with pytest.raises(UnknownNameError, match="no backbone, task or recipe named 'brt'"):
        mixed.which("brt")


def test_not_found_lists_the_plugins_that_did_not_load() -> None:
    broken = Plugin(
        id="x",
        distribution="dist-x",
        version="2",
        module="x",
        status="failed",
        phase="import",
        reason="OSError: y",
    )
    with pytest.raises(UnknownNameError) as error:
        Host([(plugin("bert"), BERT), (broken, Contents())]).find_backbone("x/thing")
    assert str(error.value).splitlines() == [
        "There is no backbone named 'x/thing'.",
        "Known: bert/bert.",
        "plugin 'x' of dist-x 2 failed in phase import: OSError: y",
    ]
