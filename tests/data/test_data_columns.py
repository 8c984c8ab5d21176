import pytest

from kerasft.data import Columns, columns_of_part, infer_columns, read
from kerasft.errors import UnknownNameError, UsageError

LONG = ["the first of two rather long texts", "the second of two rather long texts"]


TARGET_NAMES = ("label", "labels", "class", "category")


def infer(columns, **options):
    return infer_columns(read(columns), modality="text", target_names=TARGET_NAMES, **options)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"text": ["a"], "label": ["b"]}, ("text", "label")),
        ({"Category": ["a"], " Review ": ["b"]}, (" Review ", "Category")),
        ({"id": ["1"], "text": ["a"], "title": ["t"], "label": [0]}, ("text", "label")),
        ({"foo": ["x"], "label": [0]}, ("foo", "label")),
        ({"text": ["x"], "foo": [0]}, ("text", "foo")),
        ({"foo": ["x", "y"], "bar": LONG}, ("bar", "foo")),
        ({"foo": LONG, "id": ["1", "2"], "bar": [0.5, 1.5]}, ("foo", "bar")),
        (
            {
                "文": ["这部电影非常精彩值得一看再看", "剧情拖沓令人失望透顶不推荐大家观看"],
                "类": ["好", "坏"],
            },
            ("文", "类"),
        ),
    ],
)
def test_unambiguous(columns, expected):
    assert infer(columns) == Columns(*expected)


def test_named_columns_win():
    columns = {"text": LONG, "title": LONG, "label": [0, 1], "stars": [4, 5]}
    assert infer(columns, input_column="title", target_column="stars") == Columns("title", "stars")
    assert infer(columns, target_column="stars") == Columns("text", "stars")
    assert infer({"label": LONG, "class": ["a", "b"]}, input_column="label") == Columns("label", "class")
    assert infer({"id": ["a"], "x": ["b"]}, input_column="x", target_column="id") == Columns("x", "id")


def test_without_target():
    assert infer({"text": LONG, "label": [0, 1]}, with_target=False) == Columns("text")
    assert infer({"anything": ["a"]}, with_target=False) == Columns("anything")
    assert infer({"text": LONG, "x": [0, 1]}, with_target=False, target_column="x") == Columns("text", "x")


def test_missing_column_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no column named 'txt'\.\nDid you mean text"):
        infer({"text": ["a"], "label": ["b"]}, input_column="txt")


@pytest.mark.parametrize(
    ("columns", "asked"),
    [
        ({"text": LONG, "content": LONG, "label": [0, 1]}, "--input-column"),
        ({"text": LONG, "label": [0, 1], "class": [0, 1]}, "--target-column"),
        ({"foo": ["a"], "bar": ["b"]}, "--input-column"),
        ({"text": LONG}, "--target-column"),
        ({"text": LONG, "id": [1, 2]}, "--target-column"),
        ({"foo": [1, 2], "label": [0, 1]}, "--input-column"),
    ],
)
def test_doubt_asks_by_name(columns, asked):
    with pytest.raises(UsageError, match="not clear which column is which") as error:
        infer(columns)
    assert asked in str(error.value)


def test_doubt_lists_every_column_with_an_example(write):
    with pytest.raises(UsageError) as error:
        infer(write("a.csv", f"a,long name,c\n,{'x' * 80},\n1,2,\n"))
    text = str(error.value)
    assert "--input-column" in text and "--target-column" in text
    assert "  a          for example '1'\n" in text
    assert f"  long name  for example '{'x' * 59}…\n" in text
    assert "  c          (empty)\n" in text
    assert "header line" in text


def test_same_column_twice():
    with pytest.raises(UsageError, match="'text' cannot be both"):
        infer({"text": LONG, "label": [0, 1]}, input_column="text", target_column="text")


def test_another_modality_asks_or_takes_its_own_name():
    examples = read({"sound": ["a.wav"], "label": ["dog"]})
    assert infer_columns(examples, modality="sound", target_names=TARGET_NAMES) == Columns("sound", "label")
    with pytest.raises(UsageError, match="holds the image"):
        infer_columns(examples, modality="image")


def of_part(columns):
    known = Columns("tokens", "tags")
    return columns_of_part(read(columns), known, modality="text", target_names=("tags", "entities"))


def test_a_part_of_another_format_has_columns_of_its_own():
    assert of_part({"tokens": [["a"]], "tags": [["O"]], "text": ["a"]}) == (Columns("tokens", "tags"), [])
    found, (note,) = of_part({"text": ["a"], "entities": [[]]})
    assert found == Columns("text", "entities")
    assert "neither 'tokens' nor 'tags': read its columns 'text' and 'entities'" in note


def test_a_part_with_one_of_the_two_columns_is_not_guessed_at():
    found, notes = of_part({"tokens": [["a"]], "entities": [[]]})
    assert (found, notes) == (Columns("tokens", "tags"), [])  # and the missing one is then asked for by name
    with pytest.raises(UsageError):
        of_part({"foo": ["a"], "bar": ["b"], "baz": ["c"]})
