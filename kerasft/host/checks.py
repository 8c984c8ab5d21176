"""Finds what is wrong with a spec before anything is built on it.

A dataclass does not check its fields, and a mistake such as ``provides=("tokens")``, a string, would
otherwise surface hours later and far from its author.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

from kerasft.phases import Phase
from kerasft.specs import BackboneSpec, PresetSpec, RecipeSpec, TaskSpec, describe


def _tuple_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and all(isinstance(item, kind) for item in value)


# For each annotation used in kerasft.specs: how to say it, and how to check it.
_TYPES: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    str: ("a string", lambda value: isinstance(value, str)),
    int: ("an integer", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    tuple[str, ...]: ("a tuple of strings", _tuple_of(str)),
    tuple[PresetSpec, ...]: ("a tuple of PresetSpec", _tuple_of(PresetSpec)),
    tuple[Phase, ...]: ("a tuple of Phase", _tuple_of(Phase)),
    Mapping[str, Any]: (
        "a mapping with string keys",
        lambda value: isinstance(value, Mapping) and all(isinstance(key, str) for key in value),
    ),
}


def problems(specs: Iterable[Any], kind: type[Any]) -> list[str]:
    """Everything wrong with what one hook of one plugin gave.

    Args:
        specs: what the hook gave.
        kind: what it should give: `BackboneSpec`, `TaskSpec` or `RecipeSpec`.

    Returns:
        One line for each problem; empty when all is well.
    """
    found: list[str] = []
    names: set[str] = set()
    for spec in specs:
        if not isinstance(spec, kind):
            found.append(f"expected {kind.__name__}. Received: {_short(spec)}")
        elif wrong := _wrong_types(spec):
            found += wrong
        else:
            found += _wrong_values(spec)
            if spec.name in names:
                found.append(f"{_label(spec)} is brought twice")
            names.add(spec.name)
    return found


def _wrong_types(spec: Any) -> list[str]:
    wrong = []
    for field in fields(spec):
        value = getattr(spec, field.name)
        # A subclass may have fields of its own, with types of its own.
        expected, fits = _TYPES.get(field.type, ("", lambda _: True))
        if not fits(value):
            wrong.append(f"{_label(spec)}.{field.name}: expected {expected}. Received: {_short(value)}")
    for preset in getattr(spec, "presets", ()):
        wrong += [] if wrong else _wrong_types(preset)
    return wrong


def _wrong_values(spec: Any) -> list[str]:
    wrong = [] if _is_name(spec.name) else ["name: expected a name without spaces or slashes"]
    if isinstance(spec, BackboneSpec):
        wrong += _wrong_backbone(spec)
    if isinstance(spec, TaskSpec) and not _are_names(spec.requires):
        wrong.append(f"requires: expected one feature or more. Received: {_short(spec.requires)}")
    if isinstance(spec, BackboneSpec | TaskSpec) and not _is_reference(spec.factory):
        wrong.append(f"factory: expected 'module:attribute'. Received: {_short(spec.factory)}")
    if isinstance(spec, RecipeSpec) and not _is_module(spec.module):
        wrong.append(f"module: expected the dotted name of a module. Received: {_short(spec.module)}")
    return [f"{_label(spec)}.{line}" for line in wrong]


def _wrong_backbone(spec: BackboneSpec) -> list[str]:
    wrong = []
    if not _is_name(spec.modality):
        wrong.append(f"modality: expected 'text', 'image' or a name. Received: {_short(spec.modality)}")
    if not _are_names(spec.provides):
        wrong.append(f"provides: expected one feature or more. Received: {_short(spec.provides)}")
    names = [preset.name for preset in spec.presets]
    if spec.tiny and spec.tiny not in names:
        wrong.append(
            f"tiny: expected '' or the name of a preset ({', '.join(names) or 'it has none'}). "
            f"Received: {_short(spec.tiny)}"
        )
    if len(set(names)) < len(names):
        wrong.append(f"presets: expected distinct names. Received: {', '.join(names)}")
    return wrong + [line for preset in spec.presets for line in _wrong_preset(preset)]


def _wrong_preset(preset: PresetSpec) -> list[str]:
    wrong = []
    if not _is_name(preset.name):
        wrong.append(f"presets: expected names without spaces or slashes. Received: {_short(preset.name)}")
    if preset.parameters < 0:
        wrong.append(f"presets: {preset.name} has {preset.parameters} parameters")
    try:
        json.dumps(describe(preset))
    except (TypeError, ValueError) as error:
        # `kerasft ls --json` prints every preset: one that is not plain data would break it for all plugins.
        wrong.append(f"presets: options of {preset.name} are not plain data: {error}")
    return wrong


def _is_name(text: str) -> bool:
    return bool(text) and "/" not in text and not any(letter.isspace() for letter in text)


def _are_names(texts: tuple[str, ...]) -> bool:
    return bool(texts) and all(_is_name(text) for text in texts)


def _is_module(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _is_reference(text: str) -> bool:
    module, _, attribute = text.partition(":")
    return _is_module(module) and attribute.isidentifier()


def _label(spec: Any) -> str:
    return f"{type(spec).__name__}(name={_short(spec.name)})"


def _short(value: Any) -> str:
    """The value as Python writes it, on one line and not longer than a reader wants."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:59] + "…"
