"""The vocabulary of a BERT checkpoint, from whichever files it came with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasft import json_files
from kerasft.errors import AssetError


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Tokens in the order of their ids, how text is normalized, and the special tokens.

    Args:
        tokens: in the order of their ids.
        lower_case: whether text is lower-cased.
        strip_accents: whether accents are removed from it; None: if it is lower-cased.
        split_ideographs: whether each Chinese ideograph is a word by itself.
        unk_token, cls_token, sep_token, pad_token: the special tokens.
    """

    tokens: tuple[str, ...]
    lower_case: bool
    strip_accents: bool | None = None
    split_ideographs: bool = True
    unk_token: str = "[UNK]"
    cls_token: str = "[CLS]"
    sep_token: str = "[SEP]"
    pad_token: str = "[PAD]"

    def __post_init__(self) -> None:
        """Raises AssetError when a special token is not in the vocabulary."""
        special = (self.unk_token, self.cls_token, self.sep_token, self.pad_token)
        missing = [token for token in special if token not in self.tokens]
        if missing:
            raise AssetError(
                f"The vocabulary ({len(self.tokens)} tokens) lacks the special tokens {', '.join(missing)}."
            )

    def files(self) -> dict[str, bytes]:
        """The vocabulary as the files `from_hugging_face` reads."""
        config = {
            "do_lower_case": self.lower_case,
            "strip_accents": self.strip_accents,
            "tokenize_chinese_chars": self.split_ideographs,
            "unk_token": self.unk_token,
            "cls_token": self.cls_token,
            "sep_token": self.sep_token,
            "pad_token": self.pad_token,
        }
        return {
            "vocab.txt": "".join(f"{token}\n" for token in self.tokens).encode(),
            "tokenizer_config.json": json.dumps(config, indent=1).encode(),
        }


def from_hugging_face(directory: Path) -> Vocabulary:
    """Reads ``vocab.txt`` or else ``tokenizer.json``, with ``tokenizer_config.json``.

    A checkpoint that does not say ``do_lower_case`` takes it from ``tokenizer.json``, and is otherwise lower-cased
    unless its vocabulary has capital letters: an uncased vocabulary has none.

    Raises:
        AssetError: neither file is there, one is damaged, or the tokenizer is not WordPiece.
    """
    config = _read_json(directory / "tokenizer_config.json")
    tokenizer = _read_json(directory / "tokenizer.json")
    if (directory / "vocab.txt").exists():
        tokens = _read_lines(directory / "vocab.txt")
    elif tokenizer.get("model", {}).get("type") == "WordPiece":
        by_id = {number: token for token, number in tokenizer["model"]["vocab"].items()}
        if set(by_id) != set(range(len(by_id))):
            raise AssetError(f"{directory / 'tokenizer.json'}: the ids of its tokens are not 0 to {len(by_id) - 1}.")
        tokens = tuple(by_id[number] for number in range(len(by_id)))
    else:
        raise AssetError(
            f"{directory}: no WordPiece vocabulary. Expected vocab.txt, or tokenizer.json with a WordPiece model."
        )
    normalizer = tokenizer.get("normalizer") or {}
    lower_case = config.get("do_lower_case", normalizer.get("lowercase"))
    if lower_case is None:
        lower_case = not any(token[:1].isupper() for token in tokens)
    return Vocabulary(
        tokens=tokens,
        lower_case=bool(lower_case),
        strip_accents=config.get("strip_accents", normalizer.get("strip_accents")),
        split_ideographs=bool(config.get("tokenize_chinese_chars", normalizer.get("handle_chinese_chars", True))),
        **_special_tokens(config),
    )


def from_keras_hub(directory: Path) -> Vocabulary:
    """Reads the ``tokenizer.json`` and ``assets/tokenizer/vocabulary.txt`` of a KerasHub preset directory.

    Raises:
        AssetError: the vocabulary is missing.
    """
    path = directory / "assets" / "tokenizer" / "vocabulary.txt"
    if not path.exists():
        raise AssetError(f"{directory}: a KerasHub BERT preset keeps its vocabulary in {path.name}, which is missing.")
    config = _read_json(directory / "tokenizer.json").get("config", {})
    return Vocabulary(tokens=_read_lines(path), lower_case=bool(config.get("lowercase", False)))


def _special_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """Special tokens that differ from the defaults; Hugging Face writes them as strings or ``{"content": …}``."""
    found = {}
    for name in ("unk_token", "cls_token", "sep_token", "pad_token"):
        value = config.get(name)
        value = value.get("content") if isinstance(value, dict) else value
        if isinstance(value, str):
            found[name] = value
    return found


def _read_lines(path: Path) -> tuple[str, ...]:
    """Lines split at newlines only: a vocabulary may hold other separators, such as U+2028, as tokens."""
    try:
        lines = path.read_bytes().decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise AssetError(f"{path} is not UTF-8: {error}") from error
    return tuple(line.rstrip("\r") for line in (lines[:-1] if lines[-1] == "" else lines))


def _read_json(path: Path) -> dict[str, Any]:
    return json_files.read(path) if path.exists() else {}
