"""What this plugin brings. Light on purpose: `kerasft ls` imports it."""

from collections.abc import Iterable

import kerasft


@kerasft.hookimpl
def kerasft_tasks() -> Iterable[kerasft.TaskSpec]:
    """One task for single-label, multi-label and regression targets, over text and images alike."""
    yield kerasft.TaskSpec(
        name="classification",
        requires=("pooled",),
        factory="kerasft_classification.task:create",
        summary="one label, several labels or a number per input",
    )


@kerasft.hookimpl
def kerasft_recipes() -> Iterable[kerasft.RecipeSpec]:
    """Scripts to copy."""
    yield kerasft.RecipeSpec(
        name="bbc_news_bert",
        module="kerasft_recipes.bbc_news_bert",
        summary="MiniLM on BBC News: train, evaluate, export, serve (what `kerasft demo` runs)",
    )
    yield kerasft.RecipeSpec(
        name="gradual_unfreezing",
        module="kerasft_recipes.gradual_unfreezing",
        summary="the head first, then layer by layer from the top (ULMFiT)",
    )
    yield kerasft.RecipeSpec(
        name="linear_probe",
        module="kerasft_recipes.linear_probe",
        summary="the head alone, on frozen features that are computed once and kept",
    )
    yield kerasft.RecipeSpec(
        name="lora",
        module="kerasft_recipes.lora",
        summary="low-rank adapters: a few percent of the weights, in a small file",
    )
    yield kerasft.RecipeSpec(
        name="pure_keras",
        module="kerasft_recipes.pure_keras",
        summary="build with kerasft, then plain compile and fit",
    )
