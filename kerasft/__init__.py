"""Fine-tune pretrained models with TensorFlow and Keras 3.

Names are imported when first used (PEP 562), so that ``import kerasft`` costs nothing and plugin modules stay light.
"""

import importlib
from typing import TYPE_CHECKING, Any

from kerasft.quiet import quiet_imports

if TYPE_CHECKING:
    from kerasft.backbone import Backbone, Encoded, Group
    from kerasft.engine.estimate import plan
    from kerasft.engine.lr_finder import find_learning_rate
    from kerasft.engine.placement import strategy
    from kerasft.engine.run import Run, load
    from kerasft.engine.train import finetune, resume
    from kerasft.errors import KerasftError
    from kerasft.export.savedmodel import serve_in_fresh_process
    from kerasft.freezing import freeze
    from kerasft.hookspecs import hookimpl
    from kerasft.modeling import build, dataset
    from kerasft.phases import Lora, Phase
    from kerasft.specs import BackboneSpec, PresetSpec, RecipeSpec, TaskSpec
    from kerasft.task import Evaluation, Table, Task

__version__ = "0.1.0"

_HOMES = {
    "Backbone": "kerasft.backbone",
    "BackboneSpec": "kerasft.specs",
    "Encoded": "kerasft.backbone",
    "Evaluation": "kerasft.task",
    "Group": "kerasft.backbone",
    "KerasftError": "kerasft.errors",
    "Lora": "kerasft.phases",
    "Phase": "kerasft.phases",
    "PresetSpec": "kerasft.specs",
    "RecipeSpec": "kerasft.specs",
    "Run": "kerasft.engine.run",
    "Table": "kerasft.task",
    "Task": "kerasft.task",
    "TaskSpec": "kerasft.specs",
    "build": "kerasft.modeling",
    "dataset": "kerasft.modeling",
    "find_learning_rate": "kerasft.engine.lr_finder",
    "finetune": "kerasft.engine.train",
    "freeze": "kerasft.freezing",
    "hookimpl": "kerasft.hookspecs",
    "load": "kerasft.engine.run",
    "plan": "kerasft.engine.estimate",
    "resume": "kerasft.engine.train",
    "serve_in_fresh_process": "kerasft.export.savedmodel",
    "strategy": "kerasft.engine.placement",
}

__all__ = [
    "Backbone",
    "BackboneSpec",
    "Encoded",
    "Evaluation",
    "Group",
    "KerasftError",
    "Lora",
    "Phase",
    "PresetSpec",
    "RecipeSpec",
    "Run",
    "Table",
    "Task",
    "TaskSpec",
    "build",
    "dataset",
    "find_learning_rate",
    "finetune",
    "freeze",
    "hookimpl",
    "load",
    "plan",
    "resume",
    "serve_in_fresh_process",
    "strategy",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kerasft' has no attribute {name!r}")
    with quiet_imports():
        return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
