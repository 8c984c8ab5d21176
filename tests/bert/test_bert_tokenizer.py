"""Token ids and byte offsets equal the `tokenizers` library's, on the real checkpoint's own tokenizer.json."""

import pytest
import tensorflow as tf
from hard_strings import HARD
from token_reference import of_reference, of_tokens, of_wordpiece

EVERYTHING = [text for texts in HARD.values() for text in texts]


def test_there_are_enough_hard_strings_and_none_twice():
    assert len(set(EVERYTHING)) == len(EVERYTHING) >= 200


@pytest.mark.parametrize("topic", HARD)
def test_ids_and_offsets_equal_the_reference(wordpiece, reference, topic):
    texts = HARD[topic]
    for text, ours, theirs in zip(texts, of_wordpiece(wordpiece, texts), of_reference(reference, texts), strict=True):
        assert ours == theirs, f"{text!r}"


def test_the_ids_that_bert_base_uncased_is_known_for(wordpiece):
    assert of_wordpiece(wordpiece, ["This is an example sentence", "unaffable"]) == [
        ([2023, 2003, 2019, 2742, 6251], [(0, 4), (5, 7), (8, 10), (11, 18), (19, 27)]),
        ([14477, 20961, 3468], [(0, 3), (3, 6), (6, 9)]),  # una ##ffa ##ble
    ]


@pytest.fixture(scope="module")
def graph(wordpiece):
    return tf.function(wordpiece.tokenize, input_signature=[tf.TensorSpec([None], tf.string)])


def test_graph_mode_equals_eager_for_any_batch_size(wordpiece, graph):
    for batch in (EVERYTHING, EVERYTHING[:1], EVERYTHING[-7:], []):
        assert of_tokens(graph(tf.constant(batch, tf.string))) == of_wordpiece(wordpiece, batch)
    assert graph.experimental_get_tracing_count() == 1


def test_a_text_gives_the_same_tokens_alone_and_in_any_batch(graph):
    together = of_tokens(graph(tf.constant(EVERYTHING)))
    assert of_tokens(graph(tf.constant(EVERYTHING[::-1]))) == together[::-1]
    assert [of_tokens(graph(tf.constant([text])))[0] for text in EVERYTHING] == together


def test_no_texts_and_no_words(wordpiece):
    assert of_wordpiece(wordpiece, []) == []
    assert of_wordpiece(wordpiece, ["", " \n", "\x00"]) == [([], [])] * 3
    ids, starts, ends = wordpiece.tokenize(tf.constant([], tf.string))
    assert [t.shape.as_list() for t in (ids, starts, ends)] == [[0, None]] * 3
    assert ids.dtype == starts.dtype == ends.dtype == tf.int32


def test_offsets_cut_the_original_bytes_of_every_token(wordpiece, reference):
    """What an offset is for: the piece of the original text, accents and capitals included."""
    text = "Ångström ÉTÉ 東京tower"
    encoding = of_wordpiece(wordpiece, [text])[0]
    pieces = [(reference.id_to_token(i), text.encode()[a:b].decode()) for i, (a, b) in zip(*encoding, strict=True)]
    assert pieces == [
        ("ang", "Ång"), ("##strom", "ström"), ("et", "ÉT"), ("##e", "É"), ("東", "東"), ("京", "京"),
        ("tower", "tower"),
    ]  # fmt: skip
