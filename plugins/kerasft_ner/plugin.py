"""What this plugin brings. Light on purpose: `kerasft ls` imports it."""

from collections.abc import Iterable

import kerasft


@kerasft.hookimpl
def kerasft_tasks() -> Iterable[kerasft.TaskSpec]:
    """One, for every backbone of texts."""
    yield kerasft.TaskSpec(
        name="ner",
        requires=("tokens",),
        factory="kerasft_ner.task:create",
        summary="named entities: spans of a text and what they name",
        custom_ops=("tensorflow_text",),
    )


@kerasft.hookimpl
def kerasft_recipes() -> Iterable[kerasft.RecipeSpec]:
    """One."""
    yield kerasft.RecipeSpec(
        name="ner_bert",
        module="kerasft_recipes.ner_bert",
        summary="named entities with MiniLM, from CoNLL columns to a served graph",
    )
