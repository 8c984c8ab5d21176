"""The four hooks of ``kerasft.v1``. A plugin implements any of them in one light module.

    [project.entry-points."kerasft.v1"]
    bert = "kerasft_bert.plugin"

The module named by the entry point must import neither tensorflow, keras nor numpy: it is read by `kerasft ls`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

from kerasft.specs import BackboneSpec, RecipeSpec, TaskSpec

if TYPE_CHECKING:
    import keras

API_VERSION = 1
GROUP = f"kerasft.v{API_VERSION}"

hookspec = pluggy.HookspecMarker("kerasft")
hookimpl = pluggy.HookimplMarker("kerasft")


@hookspec
def kerasft_backbones() -> Iterable[BackboneSpec]:  # type: ignore[empty-body]
    """Backbones this plugin brings.

    Example::

        @kerasft.hookimpl
        def kerasft_backbones():
            yield kerasft.BackboneSpec(
                name="bert",
                modality="text",
                provides=("tokens", "pooled"),
                factory="kerasft_bert.backbone:create",
                presets=(kerasft.PresetSpec(name="tiny"),),
            )
    """


@hookspec
def kerasft_tasks() -> Iterable[TaskSpec]:  # type: ignore[empty-body]
    """Tasks this plugin brings.

    Example::

        @kerasft.hookimpl
        def kerasft_tasks():
            yield kerasft.TaskSpec(
                name="classification", requires=("pooled",), factory="kerasft_classification.task:Classification"
            )
    """


@hookspec
def kerasft_recipes() -> Iterable[RecipeSpec]:  # type: ignore[empty-body]
    """Recipes this plugin brings.

    Example::

        @kerasft.hookimpl
        def kerasft_recipes():
            yield kerasft.RecipeSpec(name="bbc_news_bert", module="kerasft_recipes.bbc_news_bert")
    """


@hookspec
def kerasft_callbacks(run: Any) -> "Iterable[keras.callbacks.Callback]":  # type: ignore[empty-body]
    """Keras callbacks to add to every training run.

    Args:
        run: the `kerasft.Run` about to train; its ``directory`` and ``config`` may be read.

    Example::

        @kerasft.hookimpl
        def kerasft_callbacks(run):
            import keras  # inside the hook: the plugin module itself stays light

            yield keras.callbacks.CSVLogger(run.directory / "log.csv")
    """
