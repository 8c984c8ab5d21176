"""Tags and spans as they stand in data."""

import pytest

from kerasft.errors import DataError, UsageError
from kerasft_ner import tags
from kerasft_ner.locate import Span, spans
from kerasft_ner.task import NamedEntities


def where(i):
    return f"data:{i + 1}"


def located(inputs, targets, **options):
    return spans(inputs, targets, where, **options)


WORDS = ["Ada", "Lovelace", "met", "Charles", "Babbage", "in", "London", "Kew"]
SPANS = [Span(0, 12, "PER"), Span(17, 32, "PER"), Span(36, 42, "LOC"), Span(43, 46, "LOC")]
SCHEMES = {
    "IOB1": ["I-PER", "I-PER", "O", "I-PER", "I-PER", "O", "I-LOC", "B-LOC"],
    "IOB2": ["B-PER", "I-PER", "O", "B-PER", "I-PER", "O", "B-LOC", "B-LOC"],
    "IOBES": ["B-PER", "E-PER", "O", "B-PER", "E-PER", "O", "S-LOC", "S-LOC"],
    "BILOU": ["B-PER", "L-PER", "O", "B-PER", "L-PER", "O", "U-LOC", "U-LOC"],
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_gives_the_same_spans_and_nothing_is_odd(scheme):
    found, odd = located([WORDS], [SCHEMES[scheme]])
    assert found == [SPANS] and odd == []
    assert tags.is_iob1([SCHEMES[scheme]]) == (scheme == "IOB1")


def test_tags_that_break_their_scheme_are_read_and_named():
    found, odd = located([["a", "b", "c", "d"], ["x"]], [["B-X", "O", "I-X", "I-Y"], ["B-X"]])
    assert found[0] == [Span(0, 1, "X"), Span(4, 5, "X"), Span(6, 7, "Y")]
    assert odd == [
        "data:1, word 3 'c': I-X behind O does not begin an entity; read as B-X",
        "data:1, word 4 'd': I-Y behind I-X does not begin an entity; read as B-Y",
    ]


def test_an_entity_that_ended_does_not_go_on():
    found, odd = located([["a", "b", "c"]], [["B-X", "E-X", "I-X"]])
    assert found[0] == [Span(0, 3, "X"), Span(4, 5, "X")] and len(odd) == 1


def test_what_annotation_tools_write():
    text = "Ada saw  Kew. "
    targets = [
        [{"start": 0, "end": 3, "label": "PER"}, {"start": 9, "end": 12, "label": "LOC"}],
        [{"start_offset": 9, "end_offset": 12, "label": "LOC", "id": 3}],
        [],
    ]
    found, odd = located([text] * 3, targets)
    assert found == [[Span(0, 3, "PER"), Span(9, 12, "LOC")], [Span(9, 12, "LOC")], []] and odd == []


def test_numbers_of_tags_need_their_names():
    names = ["O", "B-X", "I-X"]
    assert located([["a", "b"]], [[1, 2]], names=names)[0] == [[Span(0, 3, "X")]]
    with pytest.raises(DataError) as error:
        located([["a", "b"]], [[1, 7]], names=names)
    assert "data:1: tags are numbers, 7 among them; there are 3 names" in error.value.problems[0]
    with pytest.raises(DataError) as error:
        located([["a", "b"]], [[0, 1]])
    assert "--task-option names=" in error.value.problems[0]


def test_spans_in_white_space_are_trimmed_and_those_inside_words_kept_and_both_said():
    found, odd = located(["in  New York city"], [[{"start": 3, "end": 12, "label": "X"}]])
    assert found == [[Span(4, 12, "X")]]
    assert odd == ["data:1: X at 3-12 begins or ends in white space, which is left out: ' New York'"]
    found, odd = located(["in Newark"], [[{"start": 3, "end": 6, "label": "X"}]])
    assert found == [[Span(3, 6, "X")]] and "inside a word" in odd[0]


@pytest.mark.parametrize(
    ("text", "target", "says"),
    [
        (["a", "b"], ["O"], ": 2 words and 1 tags"),
        (["a"], ["PER"], ", word 1 'a': expected O, or a tag such as B-PER or I-PER; received 'PER'"),
        (["a"], ["B-"], ", word 1 'a': expected O, or"),
        ("a b", ["O", "O"], ": tags need a list of words. Received a text: 'a b'"),
        ("abc", [{"start": 1, "end": 9, "label": "X"}], ": X at 1-9 reaches beyond the text of 3 characters"),
        ("abc", [{"start": 2, "end": 2, "label": "X"}], ": X at 2-2 holds no character"),
        ("abc", [{"start": -1, "end": 2, "label": "X"}], ": X at -1-2 holds no character"),
        ("a  b", [{"start": 1, "end": 3, "label": "X"}], ": X at 1-3 holds white space only"),
        ("abc", [{"start": 0, "end": 2}], ": an entity without label: {'start': 0, 'end': 2}"),
        ("abc", [{"start": "0", "end": 2, "label": "X"}], ": an entity without start"),
        ("abc", "X", ": expected a list of entities. Received: 'X'"),
        ("cafe\u0301 x", [{"start": 0, "end": 4, "label": "X"}], ": X at 0-4 cuts the character"),
        ("👩‍🔬 x", [{"start": 1, "end": 5, "label": "X"}], ": X at 1-5 cuts the character"),
        ("👍🏽 x", [{"start": 0, "end": 1, "label": "X"}], ": X at 0-1 cuts the character"),
        (
            "Ada Lovelace",
            [{"start": 0, "end": 12, "label": "X"}, {"start": 4, "end": 12, "label": "Y"}],
            ": X at 0-12 and Y at 4-12 overlap",
        ),
    ],
)
def test_what_cannot_be_is_named(text, target, says):
    with pytest.raises(DataError) as error:
        located([text], [target])
    assert len(error.value.problems) == 1
    assert error.value.problems[0].startswith(f"data:1{says}")


def test_all_problems_are_named_at_once():
    with pytest.raises(DataError, match="3 entities do not fit") as error:
        located([["a"], ["b", "c"], ["d"]], [["X"], ["O"], ["Y"]])
    assert [problem[:6] for problem in error.value.problems] == ["data:1", "data:2", "data:3"]


def test_the_words_of_the_mean_training_text_are_learned():
    task = NamedEntities()
    of_words, _ = task.locate([["Ada", "Lovelace", "met", "him"]], [["B-PER", "I-PER", "O", "O"]], where)
    of_text, _ = task.locate(["no  one\there"], [[]], where)
    task.adapt([*of_words, *of_text], where)
    assert task.words == task.get_config()["words"] == 3.5
    given = NamedEntities(words=20)
    given.adapt([*of_words, *of_text], where)
    assert given.words == 20
    with pytest.raises(UsageError, match="words must be 0 or above"):
        NamedEntities(words=-1)
