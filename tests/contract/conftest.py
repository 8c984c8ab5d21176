"""Small things that stand for plugins of third parties."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def backbone_of() -> Callable[..., Any]:
    """`backbone_of(outputs)` is a backbone whose model gives what `outputs(input)` makes of (batch, tokens) ids."""
    import keras

    from kerasft import Backbone, Encoded, Group

    def make(outputs: Callable[[Any], Any]) -> Any:
        ids = keras.Input((None,), dtype="int32", name="ids")
        mask = keras.Input((None,), dtype="int32", name="padding_mask")
        embedding = keras.layers.Embedding(10, 4, name="embedding")
        model = keras.Model({"ids": ids, "padding_mask": mask}, outputs(embedding(ids)))
        return Backbone(
            model=model,
            groups=(Group("embedding", (embedding,)),),
            preprocess=lambda raw: Encoded({"ids": raw, "padding_mask": raw * 0 + 1}, {}),
            files={},
        )

    return make
