"""The vocabulary, from whichever files a checkpoint brings."""

import json

import pytest
import tiny_checkpoints as tiny

from kerasft.errors import AssetError
from kerasft_bert import vocabulary
from kerasft_bert.vocabulary import Vocabulary

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def write(directory, **files):
    """Files by name without its suffix; JSON from objects."""
    for name, content in files.items():
        if isinstance(content, str):
            (directory / f"{name}.txt").write_bytes(content.encode())
        else:
            (directory / f"{name}.json").write_text(json.dumps(content))
    return directory


def lines(*tokens, end="\n"):
    return "".join(f"{token}{end}" for token in tokens)


def tokenizer_json(tokens, **normalizer):
    return {
        "model": {"type": "WordPiece", "vocab": {token: i for i, token in enumerate(tokens)}},
        "normalizer": {"type": "BertNormalizer", **normalizer} if normalizer else None,
    }


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_one_token_a_line_in_either_kind_of_lines(tmp_path, end, last):
    text = lines(*SPECIAL, "a", "##b", end=end)
    found = vocabulary.from_hugging_face(write(tmp_path, vocab=text if last else text.removesuffix(end)))
    assert found.tokens == (*SPECIAL, "a", "##b")


def test_tokens_that_look_like_line_ends_keep_their_ids(tmp_path):
    """bert-base-multilingual has U+2028 among its tokens; str.splitlines would shift every later id."""
    tokens = (*SPECIAL, "\u2028", "\x85", "\x1c", "a")
    assert vocabulary.from_hugging_face(write(tmp_path, vocab=lines(*tokens))).tokens == tokens


def test_tokenizer_json_is_read_by_id_not_by_order(tmp_path):
    shuffled = tokenizer_json(SPECIAL)
    shuffled["model"]["vocab"] = dict(reversed(shuffled["model"]["vocab"].items()))
    assert vocabulary.from_hugging_face(write(tmp_path, tokenizer=shuffled)).tokens == SPECIAL


def test_ids_with_a_gap_are_refused(tmp_path):
    """Counted on, every token behind the gap would get another one's embedding."""
    holes = tokenizer_json(SPECIAL)
    holes["model"]["vocab"]["a"] = 9
    with pytest.raises(AssetError, match="ids"):
        vocabulary.from_hugging_face(write(tmp_path, tokenizer=holes))


@pytest.mark.parametrize(
    ("said", "in_tokenizer_json", "tokens", "expected"),
    [
        (True, False, ("A",), True),  # tokenizer_config.json has the last word, as in transformers
        (False, True, ("a",), False),
        (None, True, ("A",), True),
        (None, False, ("a",), False),
        (None, None, ("a", "b"), True),  # an uncased vocabulary has no capitals
        (None, None, ("a", "B"), False),
        (None, None, ("a", "É"), False),
    ],
)
def test_whether_to_lower_case(tmp_path, said, in_tokenizer_json, tokens, expected):
    normalizer = {} if in_tokenizer_json is None else {"lowercase": in_tokenizer_json}
    write(
        tmp_path,
        vocab=lines(*SPECIAL, *tokens),
        tokenizer=tokenizer_json(SPECIAL, **normalizer),
        tokenizer_config={} if said is None else {"do_lower_case": said},
    )
    assert vocabulary.from_hugging_face(tmp_path).lower_case is expected


@pytest.mark.parametrize(
    ("config", "normalizer", "expected"),
    [
        ({}, {}, (None, True)),
        (
            {"strip_accents": False, "tokenize_chinese_chars": False},
            {},
            (False, False),
        ),  # as German and Korean ones say
        ({}, {"strip_accents": True, "handle_chinese_chars": False}, (True, False)),
        ({"strip_accents": None, "tokenize_chinese_chars": True}, {"handle_chinese_chars": False}, (None, True)),
    ],
)
def test_accents_and_ideographs(tmp_path, config, normalizer, expected):
    tokenizer = tokenizer_json(SPECIAL, lowercase=True, **normalizer)
    write(tmp_path, vocab=lines(*SPECIAL), tokenizer=tokenizer, tokenizer_config=config)
    found = vocabulary.from_hugging_face(tmp_path)
    assert (found.strip_accents, found.split_ideographs) == expected


def test_special_tokens_of_its_own_written_either_way(tmp_path):
    tokens = ("<pad>", "<unk>", "<s>", "</s>")
    config = {"pad_token": "<pad>", "unk_token": {"content": "<unk>"}, "cls_token": "<s>", "sep_token": "</s>"}
    found = vocabulary.from_hugging_face(write(tmp_path, vocab=lines(*tokens), tokenizer_config=config))
    assert (found.pad_token, found.unk_token, found.cls_token, found.sep_token) == tokens


def test_special_tokens_that_are_missing_are_listed(tmp_path):
    with pytest.raises(AssetError, match=r"\(3 tokens\) lacks the special tokens \[UNK\], \[SEP\]\."):
        vocabulary.from_hugging_face(write(tmp_path, vocab=lines("[PAD]", "[CLS]", "a")))


@pytest.mark.parametrize("model", [{"type": "BPE", "vocab": {}}, {}])
def test_another_kind_of_tokenizer(tmp_path, model):
    with pytest.raises(AssetError, match=r"no WordPiece vocabulary\. Expected vocab\.txt, or tokenizer\.json"):
        vocabulary.from_hugging_face(write(tmp_path, tokenizer={"model": model}))


@pytest.mark.parametrize("name", ["tokenizer_config.json", "tokenizer.json"])
def test_damaged_json(tmp_path, name):
    write(tmp_path, vocab=lines(*SPECIAL))
    (tmp_path / name).write_text("{")
    with pytest.raises(AssetError, match=f"{name} is not valid JSON"):
        vocabulary.from_hugging_face(tmp_path)


def test_a_vocabulary_that_is_not_utf8(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"[PAD]\n[UNK]\ncaf\xe9\n")
    with pytest.raises(AssetError, match=r"vocab\.txt is not UTF-8"):
        vocabulary.from_hugging_face(tmp_path)


@pytest.mark.parametrize("lower_case", [True, False])
def test_its_files_give_it_back(tmp_path, lower_case):
    tokens = (*tiny.TOKENS, "<u>", "\u2028", "é")
    original = Vocabulary(tokens=tokens, lower_case=lower_case, unk_token="<u>", strip_accents=not lower_case)
    for name, content in original.files().items():
        (tmp_path / name).write_bytes(content)
    assert vocabulary.from_hugging_face(tmp_path) == original
