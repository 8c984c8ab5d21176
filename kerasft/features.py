"""The vocabulary between backbones and tasks.

A backbone provides features, a task requires some. Third parties name their own ``vendor.name``. A feature that a
backbone lacks can be bridged from another one; the core owns two bridges and no more.
"""

from dataclasses import dataclass

from kerasft.specs import BackboneSpec, TaskSpec

LAYOUTS = {
    "pooled": "(batch, channels)",
    "tokens": "(batch, tokens, channels), with the input `padding_mask`",
    "spatial": "(batch, height, width, channels)",
    "pyramid": "{P3, P4, P5: (batch, height, width, channels)}",
}

BRIDGES = {
    "pooled": {
        "tokens": "the mean over the tokens, padding left out",
        "spatial": "the mean over height and width",
    },
}


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Whether a task can stand on a backbone, and how each required feature is obtained or why not."""

    backbone: str
    task: str
    works: bool
    lines: tuple[str, ...]


def bridge_source(feature: str, provided: tuple[str, ...]) -> str | None:
    """The provided feature from which the missing one is made, or None."""
    return next((source for source in BRIDGES.get(feature, {}) if source in provided), None)


def explain(backbone: BackboneSpec, task: TaskSpec) -> Explanation:
    """Goes through what the task requires, one line per feature."""
    lines, works = [], True
    for feature in task.requires:
        source = bridge_source(feature, backbone.provides)
        if feature in backbone.provides:
            lines.append(f"{feature}: provided by {backbone.name}")
        elif source:
            lines.append(f"{feature}: bridged from {source} ({BRIDGES[feature][source]})")
        else:
            works = False
            has = ", ".join(backbone.provides)
            lines.append(f"{feature}: {backbone.name} provides only {has}, and no bridge leads from there")
    return Explanation(backbone=backbone.name, task=task.name, works=works, lines=tuple(lines))
