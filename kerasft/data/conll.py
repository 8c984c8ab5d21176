"""Columns of words and tags, a word per line and a blank line between sentences: CoNLL-2003, CoNLL-U and their kin.

Formats: Tjong Kim Sang and De Meulder 2003, "Introduction to the CoNLL-2003 Shared Task"; universaldependencies.org,
"CoNLL-U Format".
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from kerasft.data.examples import Examples
from kerasft.data.text_files import read_text
from kerasft.errors import DataError

SUFFIXES = (".conll", ".conllu", ".iob", ".iob1", ".iob2", ".bio", ".bioes", ".iobes", ".bilou", ".annotated")

_TAG = re.compile(r"(O|[BIESLU]-\S+)\Z")
_NUMBER = re.compile(r"[0-9]+\Z")
_RANGE_OR_EMPTY = re.compile(r"[0-9]+[-.][0-9]+\Z")  # of CoNLL-U: a multiword token, and a word that is not written
_DOCUMENT = "-DOCSTART-"

_Line = tuple[int, list[str]]


def read_conll(path: Path, source: str, encoding: str) -> Examples:
    """Reads sentences as the columns ``tokens`` and ``tags``, lists of strings.

    Fields are separated by tabs if a line has any, else by white space. The word is the first field, or the second
    where the first numbers the words; the tag is the last field in which every line has ``O`` or a tag such as
    ``B-PER``, or else the last field. Lines ``-DOCSTART-`` and comments are left out.

    Raises:
        DataError: not decodable, no sentence, or lines with too few or too many fields; all of them are listed.
    """
    text, notes = read_text(path, source, encoding)
    numbered = [(number, line.removesuffix("\r")) for number, line in enumerate(text.split("\n"), 1)]
    separator = "\t" if any("\t" in line for _, line in numbered) else None
    sentences = _sentences(numbered, separator)
    words = [line for sentence in sentences for line in sentence]
    if not words:
        raise DataError(f"{source} holds no sentence: expected a word and its tag per line.")
    width = int(np.bincount([len(fields) for _, fields in words]).argmax())
    problems = [
        f"{source}:{number}: expected {width} fields, as in most lines; found {len(fields)}: {' '.join(fields)[:80]!r}"
        for number, fields in words
        if len(fields) != width
    ]
    if width == 1 and not problems:
        problems = [f"{source}:{words[0][0]}: expected a word and a tag; found {words[0][1][0]!r}"]
    if not problems:
        word, tag = _columns(sentences, width)
        problems = [f"{source}:{number}: the word is empty" for number, fields in words if not fields[word].strip()]
    if problems:
        raise DataError(f"{source} has lines that are no word with its tag:", problems)
    strings = pa.list_(pa.string())
    table = pa.table(
        {
            "tokens": pa.array([[fields[word] for _, fields in sentence] for sentence in sentences], strings),
            "tags": pa.array([[fields[tag] for _, fields in sentence] for sentence in sentences], strings),
        }
    )
    first = [sentence[0][0] for sentence in sentences]
    return Examples(table, source, notes, lambda row: f"{source}:{first[row]}")


def _sentences(numbered: Sequence[tuple[int, str]], separator: str | None) -> list[list[_Line]]:
    found: list[list[_Line]] = [[]]
    for number, line in numbered:
        if not line.strip():
            found.append([])
            continue
        fields = line.split(separator)
        comment = line.startswith("# ") and len(fields) == 1 if separator else line.startswith("# ")
        if comment or fields[0] == _DOCUMENT or (_RANGE_OR_EMPTY.match(fields[0]) and len(fields) >= 10):
            continue
        found[-1].append((number, fields))
    return [sentence for sentence in found if sentence]


def _columns(sentences: Sequence[list[_Line]], width: int) -> tuple[int, int]:
    """Which field is the word and which the tag."""
    numbered = width > 2 and all(
        _NUMBER.match(fields[0]) and int(fields[0]) == i
        for sentence in sentences[:100]
        for i, (_, fields) in enumerate(sentence, 1)
    )
    word = int(numbered)
    for field in range(width - 1, word, -1):
        values = {fields[field] for sentence in sentences for _, fields in sentence}
        if all(map(_TAG.match, values)):
            return word, field
    return word, width - 1
