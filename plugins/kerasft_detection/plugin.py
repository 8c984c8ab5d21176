"""What this plugin brings. Light on purpose: `kerasft ls` imports it."""

from collections.abc import Iterable

import kerasft


@kerasft.hookimpl
def kerasft_tasks() -> Iterable[kerasft.TaskSpec]:
    """One, for every backbone of images with a pyramid."""
    yield kerasft.TaskSpec(
        name="detection",
        requires=("pyramid",),
        factory="kerasft_detection.task:create",
        summary="boxes in an image and what is in them",
    )


@kerasft.hookimpl
def kerasft_recipes() -> Iterable[kerasft.RecipeSpec]:
    """One."""
    yield kerasft.RecipeSpec(
        name="detection",
        module="kerasft_recipes.detection",
        summary="boxes with VGG16, on frozen features that are computed once",
    )
