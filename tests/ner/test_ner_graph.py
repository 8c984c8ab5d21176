"""From texts to words, labels and back to spans, in graph operations."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasft import pretrained
from kerasft_ner import decoding, entities, labels, words
from kerasft_ner.loss import TokenLoss
from kerasft_ner.metric import EntityF1

NAMES = ["place", "person"]


def preprocess(length=128):
    return pretrained.locate("bert/tiny").create({"length": length}).preprocess


WHOLE, SHORT = preprocess(), preprocess(8)


def split(text):
    found = words.split(tf.constant([text]))
    return [
        text.encode()[start:end].decode() for start, end in zip(found.starts.numpy(), found.ends.numpy(), strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Angela Merkel (CDU) went.", ["Angela", "Merkel", "(", "CDU", ")", "went", "."]),
        ("the U.S. and J.K. Rowling's", ["the", "U.S.", "and", "J.K.", "Rowling", "'s"]),
        ("Is it “Paris”, now?!", ["Is", "it", "“", "Paris", "”,", "now", "?!"]),
        ("10:30 http://t.co/x @me #tag New-York", ["10:30", "http://t.co/x", "@me", "#tag", "New-York"]),
        ("a\tb\u00a0c\u3000d\n\ne", ["a", "b", "c", "d", "e"]),
        ("in 中国 and café", ["in", "中", "国", "and", "café"]),
        ("", []),
        (" \t ", []),
    ],
)
def test_words_of_raw_text(text, expected):
    assert split(text) == expected


def test_words_with_blanks_between_them_are_not_joined():
    text = "U.S . ' s ( a ) \" b \" 's"
    assert split(text) == text.split()


def encoded(texts, length=None):
    raw = tf.constant(texts)
    alignment = (SHORT if length == 8 else WHOLE).whole(raw).alignment
    return {**words.of_tokens(raw, alignment), **{name: alignment[name] for name in ("rows", "owned")}}


def decoded(targets, texts, length=None):
    """The spans that come back when a model is sure of every label."""
    alignment = encoded(texts, length)
    rows = np.concatenate([np.array(spans, np.int32).reshape(-1, 3) for spans in targets])
    ragged = tf.gather(tf.RaggedTensor.from_row_lengths(rows, [len(spans) for spans in targets]), alignment["rows"])
    truth = labels.of_tokens(ragged, alignment, all_tokens=False)
    logits = 20.0 * tf.one_hot(tf.maximum(truth, 0), labels.width(len(NAMES)))
    answer = decoding.spans(logits, alignment, NAMES)
    return [
        [
            (int(answer["start"][i, k]), int(answer["end"][i, k]), NAMES.index(answer["label"][i, k].numpy().decode()))
            for k in range(int(answer["count"][i]))
        ]
        for i in range(len(texts))
    ]


TEXTS = [
    "Zoë  saw 東京 and 👩‍🔬 Müller in São Paulo.",
    "",
    "x",
    "cafe\u0301 de Flore  \t in Paris, (Paris) 👍🏽 " + "b" * 500,
]


def test_spans_come_back_exactly_under_accents_ideographs_emoji_and_blanks():
    targets = [
        [(0, 3, 1), (9, 11, 0), (20, 26, 1), (30, 39, 0)],
        [],
        [(0, 1, 1)],
        [(0, 14, 0), (21, 26, 0), (29, 34, 0)],
    ]
    assert [TEXTS[0][a:b] for a, b, _ in targets[0]] == ["Zoë", "東京", "Müller", "São Paulo"]
    assert [TEXTS[3][a:b] for a, b, _ in targets[3]] == ["cafe\u0301 de Flore", "Paris", "Paris"]
    assert decoded(targets, TEXTS) == targets


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.sampled_from(["a", "ab", "Abc", "é", "中", "U.S.", "👍🏽"]), max_size=30), min_size=1,
max_size=3),
       st.randoms(use_true_random=False))  # fmt: skip
def test_any_entities_of_any_text_come_back_also_through_windows(sentences, dice):
    texts = [" ".join(sentence) for sentence in sentences]
    targets = []
    for sentence in sentences:
        places = np.cumsum([0, *(len(word) + 1 for word in sentence)])
        spans, i = [], 0
        while i < len(sentence):
            length = min(dice.randint(1, 3), len(sentence) - i)
            if dice.random() < 0.5:
                end = int(places[i + length - 1]) + len(sentence[i + length - 1])
                spans.append((int(places[i]), end, dice.randint(0, 1)))
            i += length
        targets.append(spans)
    assert decoded(targets, texts) == targets
    assert decoded(targets, texts, length=8) == targets


def test_a_tab_inside_a_word_is_white_space_within_its_entity():
    text = "in New\tYork now"
    assert decoded([[(3, 11, 0)]], [text]) == [[(3, 11, 0)]]


def test_every_token_is_owned_by_one_window():
    raw = tf.constant(["a " * 100, "", "b"])
    whole, windows = WHOLE.whole(raw).alignment, SHORT.whole(raw).alignment
    assert windows["rows"].numpy().tolist() == [0] * 20 + [1, 2] or windows["rows"].numpy()[-2:].tolist() == [1, 2]
    owned = tf.boolean_mask(windows["starts"], windows["owned"] == 1).numpy()
    assert owned.tolist() == tf.boolean_mask(whole["starts"], whole["owned"] == 1).numpy().tolist()


def test_labels_of_subwords():
    alignment = encoded(["Babbage met"])
    spans = tf.ragged.constant([[[0, 7, 1]]], ragged_rank=1, dtype=tf.int32)
    first = labels.of_tokens(spans, alignment, all_tokens=False).numpy()[0]
    every = labels.of_tokens(spans, alignment, all_tokens=True).numpy()[0]
    tokens = len("babbage")
    assert first.tolist() == [-1, 3, *[-1] * (tokens - 1), 0, -1, -1, -1]
    assert every.tolist() == [-1, 3, *[4] * (tokens - 1), 0, 0, 0, -1]


def test_every_token_that_is_looked_at_counts_the_same_in_the_loss():
    dice = np.random.default_rng(0)
    truth = np.array([[0, 2, -1, -1], [-1, 1, 2, 0], [-1, -1, -1, -1]], np.int32)
    logits = dice.normal(size=(3, 4, 3)).astype(np.float32)
    log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    kept = truth >= 0
    losses = -log[kept][np.arange(kept.sum()), truth[kept]]
    loss = TokenLoss(words=2.5)
    assert float(loss(truth, logits)) == pytest.approx(losses.sum() / 3 / 2.5, rel=1e-5)
    parts = [float(loss(truth[[i]], logits[[i]])) for i in range(3)]
    assert float(loss(truth, logits)) == pytest.approx(np.mean(parts), rel=1e-5)  # of a batch in pieces, too


def python_entities(tags):
    """The independent way: one word after the other."""
    found, before = [], 0
    for i, tag in enumerate(tags):
        if tag and not (tag % 2 == 0 and before and (before - 1) // 2 == (tag - 1) // 2):
            found.append([i, i, (tag - 1) // 2])
        elif tag:
            found[-1][1] = i
        before = tag
    return {tuple(entity) for entity in found}


def test_the_metric_counts_entities():
    dice = np.random.default_rng(1)
    metric, right, expected, found = EntityF1(5), 0, 0, 0
    for _ in range(5):
        truth = dice.integers(-1, 5, (6, 12))
        predicted = np.where(dice.random((6, 12)) < 0.7, np.maximum(truth, 0), dice.integers(0, 5, (6, 12)))
        metric.update_state(truth, np.eye(5, dtype=np.float32)[predicted])
        for true, guess in zip(truth, predicted, strict=True):
            one, other = python_entities(true[true >= 0]), python_entities(guess[true >= 0])
            right, expected, found = right + len(one & other), expected + len(one), found + len(other)
    assert right > 10
    assert float(metric.result()) == pytest.approx(2 * right / (expected + found))


def test_entities_do_not_cross_texts():
    found = entities.find(tf.constant([1, 2, 2, 0, 2]), tf.constant([0, 0, 1, 1, 1]))
    assert found.begins.numpy().tolist() == [True, False, True, False, True]
    assert found.last.numpy()[[0, 2, 4]].tolist() == [1, 2, 4]
