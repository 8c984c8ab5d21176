"""Words and tags in columns."""

import pytest

from kerasft import data
from kerasft.errors import DataError


@pytest.fixture
def write(tmp_path):
    def make(name, text, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return make


def rows(path, **options):
    found = data.read(path, **options)
    return found, list(zip(found.column("tokens"), found.column("tags"), strict=True))


def test_conll_2003(write):
    path = write("eng.conll", (
        "-DOCSTART- -X- -X- O\n\nEU NNP B-NP I-ORG\nrejects VBZ B-VP O\n\n\n\nPeter NNP B-NP I-PER\n"
    ))  # fmt: skip
    examples, found = rows(path)
    assert found == [(["EU", "rejects"], ["I-ORG", "O"]), (["Peter"], ["I-PER"])]
    assert [examples.where(i) for i in range(2)] == [f"{path}:3", f"{path}:8"]


def test_tabs_crlf_byte_order_mark_and_hash_words(write):
    path = write("w.bio", "\ufeff#tag\tO\r\n@New York\tB-x y\r\n\r\n# no comment\tO\r\n")
    assert rows(path)[1] == [(["#tag", "@New York"], ["O", "B-x y"]), (["# no comment"], ["O"])]


def test_conll_u_with_comments_ranges_and_misc_behind_the_tags(write):
    path = write("u.conllu", (
        "# sent_id = 1\n# text = vámonos Ana\n"
        "1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_\n1\tvamos\t_\t_\t_\t_\t_\t_\tO\t_\n2\tnos\t_\t_\t_\t_\t_\t_\tO\t_\n"
        "3\tAna\t_\t_\t_\t_\t_\t_\tB-PER\tSpaceAfter=No\n"
    ))  # fmt: skip
    assert rows(path)[1] == [(["vamos", "nos", "Ana"], ["O", "O", "B-PER"])]


def test_numbered_words_without_a_tag_column_of_a_scheme(write):
    path = write("n.iob", "1 Ada PER\n2 ran O\n")
    assert rows(path)[1] == [(["Ada", "ran"], ["PER", "O"])]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a O\nb\nc O\n", ":2: expected 2 fields, as in most lines; found 1: 'b'"),
        ("a\tO\nb\tc\tO\nd\tO\n", ":2: expected 2 fields, as in most lines; found 3: 'b c O'"),
        ("a\nb\n", ":1: expected a word and a tag; found 'a'"),
        ("a\tO\n\tO\n", ":2: the word is empty"),
    ],
)
def test_lines_that_are_no_word_with_its_tag(write, text, problem):
    path = write("bad.conll", text)
    with pytest.raises(DataError) as error:
        data.read(path)
    assert error.value.problems == [f"{path}{problem}"]


def test_an_empty_file(write):
    with pytest.raises(DataError, match="holds no sentence"):
        data.read(write("empty.conll", "\n\n-DOCSTART- O\n"))


def test_lists_of_words_are_texts_and_their_blanks_are_problems():
    examples = data.read({"tokens": [["a", "b"], [], None, ["c", " "]], "tags": [["O"]] * 4})
    columns = data.infer_columns(examples, modality="text", target_names=("tags",))
    assert (columns.input, columns.target) == ("tokens", "tags")
    assert data.joined(examples.column("tokens"))[0] == "a b"
    assert [line.split(": ")[1] for line in data.check_text(examples, "tokens")] == [
        "tokens is empty", "tokens is missing", "tokens is blank at 2"
    ]  # fmt: skip
