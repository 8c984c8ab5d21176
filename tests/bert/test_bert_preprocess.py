"""Raw strings to BERT's inputs: ids, mask, truncation, and the way back to the bytes of the text."""

import numpy as np
import pytest
import tensorflow as tf
import tiny_checkpoints as tiny

from kerasft_bert.preprocess import BertPreprocess
from kerasft_bert.vocabulary import Vocabulary

CLS, SEP, PAD = (tiny.TOKENS.index(token) for token in ("[CLS]", "[SEP]", "[PAD]"))
GOOD, BAD, S = (tiny.TOKENS.index(token) for token in ("good", "bad", "##s"))
VOCABULARY = Vocabulary(tokens=tuple(tiny.TOKENS), lower_case=True)


@pytest.fixture(scope="module")
def short():
    """At most five tokens, the two special ones included."""
    return BertPreprocess(VOCABULARY, length=5)


def encode(preprocess, *texts):
    encoded = preprocess(tf.constant(list(texts), tf.string))
    inputs = {name: value.numpy().tolist() for name, value in encoded.inputs.items()}
    spans = (np.stack([encoded.alignment["starts"], encoded.alignment["ends"]], axis=-1)).tolist()
    return inputs, spans


def test_special_tokens_around_padding_to_the_longest_mask_and_segments(short):
    inputs, _ = encode(short, "good bads", "", "Bad")
    assert inputs == {
        "token_ids": [[CLS, GOOD, BAD, S, SEP], [CLS, SEP, PAD, PAD, PAD], [CLS, BAD, SEP, PAD, PAD]],
        "padding_mask": [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]],
        "segment_ids": [[0] * 5] * 3,
    }


def test_a_batch_is_only_as_wide_as_its_longest_text(short):
    assert encode(short, "good")[0]["token_ids"] == [[CLS, GOOD, SEP]]
    assert encode(short, "", "")[0]["token_ids"] == [[CLS, SEP]] * 2


def test_longer_texts_are_cut_at_the_end_and_still_end_in_sep(short):
    inputs, _ = encode(short, "good bad good bad bad bad", "bad good bad")
    assert inputs["token_ids"] == [[CLS, GOOD, BAD, GOOD, SEP], [CLS, BAD, GOOD, BAD, SEP]]


def test_which_texts_are_cut(short):
    texts = tf.constant(["good bad good bad", "good bad good", "", "bads bads", "good \x00 bad , "])
    cut = short.truncated(texts)
    assert cut.numpy().tolist() == [True, False, False, True, False]


def test_offsets_are_bytes_of_the_original_and_zero_on_special_tokens_and_padding(short):
    _, spans = encode(short, "Gôod BÄDs", "", "a")
    assert spans == [
        [[0, 0], [0, 5], [6, 10], [10, 11], [0, 0]],
        [[0, 0]] * 5,
        [[0, 0], [0, 1], [0, 0], [0, 0], [0, 0]],
    ]


def test_offsets_are_cut_with_their_tokens(short):
    inputs, spans = encode(short, "good bad good bad bad bad")
    assert np.shape(spans) == (*np.shape(inputs["token_ids"]), 2)
    assert spans == [[[0, 0], [0, 4], [5, 8], [9, 13], [0, 0]]]


def test_types_and_shapes(short):
    encoded = short(tf.constant(["a", "good bad"]))
    for tensor in (*encoded.inputs.values(), *encoded.alignment.values()):
        assert tensor.dtype == tf.int32 and tensor.shape == (2, 4)


def test_no_texts(short):
    inputs, spans = encode(short)
    assert inputs == {"token_ids": [], "padding_mask": [], "segment_ids": []} and spans == []


def test_special_tokens_keep_their_own_ids_wherever_they_stand():
    tokens = ("a", "<e>", "<s>", "<?>", "<p>")
    vocabulary = Vocabulary(
        tokens=tokens, lower_case=True, unk_token="<?>", cls_token="<s>", sep_token="<e>", pad_token="<p>"
    )
    inputs, _ = encode(BertPreprocess(vocabulary, length=8), "a b a", "a")
    assert inputs["token_ids"] == [[2, 0, 3, 0, 1], [2, 0, 1, 4, 4]]
    assert inputs["padding_mask"] == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]


def test_it_works_inside_tf_data_and_in_a_saved_model(short, tmp_path):
    """A tf.Module: an exported graph carries its tables with it."""
    expected, _ = encode(short, "good bads", "Bad")
    batches = tf.data.Dataset.from_tensor_slices(["good bads", "Bad"]).batch(2).map(lambda texts: short(texts).inputs)
    assert {name: value.numpy().tolist() for name, value in next(iter(batches)).items()} == expected

    module = tf.Module()
    module.preprocess = short
    module.serve = tf.function(lambda texts: dict(short(texts).inputs), [tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    assert {k: v.numpy().tolist() for k, v in loaded.serve(tf.constant(["good bads", "Bad"])).items()} == expected
