"""Specs are checked when a plugin loads, with messages that quote what was received."""

from dataclasses import fields
from types import MappingProxyType
from typing import Any

import pytest

from kerasft import specs
from kerasft.host import checks
from kerasft.specs import BackboneSpec, PresetSpec, RecipeSpec, TaskSpec


def backbone(**changes: Any) -> BackboneSpec:
    good = {"name": "bert", "modality": "text", "provides": ("tokens", "pooled"), "factory": "pkg.mod:create"}
    return BackboneSpec(**{**good, "presets": (PresetSpec(name="tiny"),), **changes})


def task(**changes: Any) -> TaskSpec:
    return TaskSpec(**{"name": "ner", "requires": ("tokens",), "factory": "pkg.task:Ner", **changes})


def recipe(**changes: Any) -> RecipeSpec:
    return RecipeSpec(**{"name": "news", "module": "pkg.news", **changes})


def preset(**changes: Any) -> BackboneSpec:
    return backbone(presets=(PresetSpec(**{"name": "tiny", **changes}),))


@pytest.mark.parametrize(
    "spec",
    [
        backbone(),
        backbone(presets=(), tiny=""),
        backbone(provides=("acme.heatmap",), modality="point-cloud"),
        preset(options={"layers": (1, 2), "nested": MappingProxyType({"a": None})}),
        task(),
        recipe(),
    ],
)
def test_good_specs_pass(spec: Any) -> None:
    assert checks.problems([spec], type(spec)) == []


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (backbone(name=""), "name: expected a name without spaces or slashes"),
        (backbone(name="a/b"), "BackboneSpec(name='a/b').name: expected a name without"),
        (backbone(name="a b"), "name: expected a name without"),
        (backbone(name=3), "name: expected a string. Received: 3"),
        (backbone(modality=""), "modality: expected 'text', 'image' or a name. Received: ''"),
        (backbone(provides="tokens"), "provides: expected a tuple of strings. Received: 'tokens'"),
        (backbone(provides=["tokens"]), "provides: expected a tuple of strings. Received: ['tokens']"),
        (backbone(provides=("tokens", 1)), "provides: expected a tuple of strings"),
        (backbone(provides=()), "provides: expected one feature or more. Received: ()"),
        (
            backbone(factory="pkg.mod.create"),
            "factory: expected 'module:attribute'. Received: 'pkg.mod.create'",
        ),
        (backbone(factory="pkg mod:create"), "factory: expected 'module:attribute'"),
        (backbone(factory=print), "factory: expected a string. Received: <built-in function print>"),
        (backbone(tiny="small"), "tiny: expected '' or the name of a preset (tiny). Received: 'small'"),
        (backbone(presets=()), "tiny: expected '' or the name of a preset (it has none). Received: 'tiny'"),
        (backbone(presets=("tiny",)), "presets: expected a tuple of PresetSpec. Received: ('tiny',)"),
        (backbone(presets=(PresetSpec(name="tiny"),) * 2), "presets: expected distinct names"),
        (backbone(phases=({"train": "head"},)), "phases: expected a tuple of Phase. Received: ({'train': 'head'},)"),
        (backbone(custom_ops="tensorflow_text"), "custom_ops: expected a tuple of strings"),
        (preset(sources="hf://a/b"), "PresetSpec(name='tiny').sources: expected a tuple of strings"),
        (preset(parameters=1.5), "parameters: expected an integer. Received: 1.5"),
        (preset(parameters=-1), "presets: tiny has -1 parameters"),
        (preset(options={"f": print}), "presets: options of tiny are not plain data"),
        (preset(options={1: 2}), "options: expected a mapping with string keys"),
        (task(requires=()), "TaskSpec(name='ner').requires: expected one feature or more"),
        (task(factory=":x"), "factory: expected 'module:attribute'. Received: ':x'"),
        (
            recipe(module="pkg.news:main"),
            "RecipeSpec(name='news').module: expected the dotted name of a module",
        ),
    ],
)
def test_bad_fields_are_quoted(spec: Any, message: str) -> None:
    (problem,) = checks.problems([spec], type(spec))
    assert message in problem


def test_all_problems_are_told_at_once() -> None:
    given = [task(name="a b", factory="x"), recipe(), task(), task()]
    assert checks.problems(given, TaskSpec) == [
        "TaskSpec(name='a b').name: expected a name without spaces or slashes",
        "TaskSpec(name='a b').factory: expected 'module:attribute'. Received: 'x'",
        "expected TaskSpec. Received: RecipeSpec(name='news', module='pkg.news', summary='')",
        "TaskSpec(name='ner') is brought twice",
    ]


def test_every_type_of_every_field_is_checked() -> None:
    kinds = (specs.BackboneSpec, specs.PresetSpec, specs.TaskSpec, specs.RecipeSpec)
    assert {field.type for kind in kinds for field in fields(kind)} == set(checks._TYPES)
