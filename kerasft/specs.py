"""What a plugin says about itself: frozen, keyword-only plain data.

This module imports nothing heavy, so that `kerasft ls` can read every installed plugin in milliseconds. Code that needs
TensorFlow is named by a ``"module:attribute"`` string and imported when it is first used.

These classes are the contract ``kerasft.v1``. It only grows: new fields have defaults, and no field changes its
meaning. `tests/contract_v1.json` is compared with them by a test.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from kerasft.errors import PluginError
from kerasft.phases import Phase
from kerasft.quiet import quiet_imports


@dataclass(frozen=True, kw_only=True)
class PresetSpec:
    """Pretrained weights for a backbone, by a short name.

    Args:
        name: unique within the backbone; users write ``backbone/name``.
        sources: handles (see `kerasft.assets`), tried in order; each is pinned by a revision, a version or a
            ``#sha256=…`` fragment. Empty when the backbone's factory makes the weights itself, as ``tiny`` does.
        summary: one line for `kerasft ls presets`.
        parameters: number of weights, for `kerasft ls presets`; 0 when unknown.
        options: keyword arguments for the backbone's factory that belong to this checkpoint.
    """

    name: str
    sources: tuple[str, ...] = ()
    summary: str = ""
    parameters: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class BackboneSpec:
    """A family of pretrained encoders.

    Args:
        name: short name, for example ``"bert"``.
        modality: what it reads: ``"text"``, ``"image"``, or a name of your own.
        provides: the features it gives, for example ``("tokens", "pooled")``; see `kerasft.features`.
        factory: ``"module:attribute"`` of a callable returning a `kerasft.backbone.Backbone`.
        presets: the checkpoints it knows by name.
        tiny: name of the preset with small seeded random weights that tests run on.
        checkpoints: patterns (`fnmatch`) of the ``model_type``, ``architecture`` or ``registered_name`` found in a
            checkpoint's ``config.json``, so that a bare directory finds its backbone.
        custom_ops: modules to import before an exported graph can be loaded, for example ``("tensorflow_text",)``.
        summary: one line for `kerasft ls backbones`.
        phases: how it is fine-tuned when the user says nothing, for example the head and then all layers. Rates that a
            phase of the user leaves out are taken from here too. Empty for `kerasft.phases.DEFAULTS`.
        phases_source: where these come from: a paper with its table, or a measurement.
    """

    name: str
    modality: str
    provides: tuple[str, ...]
    factory: str
    presets: tuple[PresetSpec, ...] = ()
    tiny: str = "tiny"
    checkpoints: tuple[str, ...] = ()
    custom_ops: tuple[str, ...] = ()
    summary: str = ""
    phases: tuple[Phase, ...] = ()
    phases_source: str = ""


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """Something to learn on top of a backbone.

    Args:
        name: short name, for example ``"classification"``.
        requires: the features its head is built on.
        factory: ``"module:attribute"`` of a callable returning a `kerasft.task.Task`.
        summary: one line for `kerasft ls tasks`.
        custom_ops: modules to import before an exported graph with this task can be loaded, as those of `BackboneSpec`.
    """

    name: str
    requires: tuple[str, ...]
    factory: str
    summary: str = ""
    custom_ops: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RecipeSpec:
    """A short runnable script that users copy and own.

    Args:
        name: short name, for example ``"bbc_news_bert"``.
        module: the importable module that holds ``Config`` and ``main(cfg)``.
        summary: one line for `kerasft recipe ls`.
    """

    name: str
    module: str
    summary: str = ""


def load_object(reference: str, owner: str) -> Any:
    """Imports what a ``"module:attribute"`` string names.

    Args:
        reference: the string from a spec.
        owner: who named it, for the error message.

    Raises:
        PluginError: the module does not import or lacks the attribute.
    """
    module_name, _, attribute = reference.partition(":")
    try:
        with quiet_imports():
            return getattr(importlib.import_module(module_name), attribute)
    except Exception as error:
        raise PluginError(f"{owner}: cannot import {reference!r}: {type(error).__name__}: {error}") from error


def describe(spec: Any) -> dict[str, Any]:
    """A spec as JSON-ready data, in the order of its fields."""
    return {f.name: _plain(getattr(spec, f.name)) for f in fields(spec)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return describe(value) if hasattr(value, "__dataclass_fields__") else value
