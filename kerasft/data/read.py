"""`read`: anything that holds examples becomes `Examples`."""

import difflib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kerasft.data import boxes
from kerasft.data.coco import read_coco
from kerasft.data.conll import SUFFIXES, read_conll
from kerasft.data.delimited import read_delimited
from kerasft.data.examples import Examples
from kerasft.data.folder import read_folder
from kerasft.data.jsonl import read_jsonl
from kerasft.data.parquet import read_parquet
from kerasft.data.python_objects import read_object
from kerasft.data.tfds_directory import is_prepared, read_tfds
from kerasft.data.voc import is_voc, read_voc
from kerasft.data.yolo import is_yolo, read_yolo
from kerasft.errors import DataError, UsageError

Reader = Callable[[Path, str, str], Examples]

FORMATS: dict[str, Reader] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".json": read_coco,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".parquet": read_parquet,
    **dict.fromkeys(SUFFIXES, read_conll),
}
"""Readers of single files by suffix; each takes (path, source as the user wrote it, encoding)."""


def read(source: Any, *, encoding: str = "utf-8") -> Examples:
    """Reads examples.

    Args:
        source: one of

            - a path: CSV, TSV, JSON Lines, Parquet, CoNLL columns, a folder of class folders of .txt files or of
            images, or a
              directory that TFDS prepared;
            - a handle (``tfds://name:version``, ``pypi://…``, ``hf://…``, ``kaggle://…``) leading to one of
              those;
            - either with ``#split=train`` at the end, for a TFDS dataset with several splits; slices such as
              ``#split=train[:10%]`` work;
            - a list of dicts, of (text, label) pairs or of texts, a dict of columns, a pandas DataFrame, a
              pyarrow Table, a finite `tf.data.Dataset` (batched or not), or `Examples`, returned as they are.
        encoding: of text files: a codec name, or several separated by commas that are tried in order for each
            file, such as ``"utf-8,latin-1"``. A byte order mark is removed.

    Returns:
        At least one example. `Examples.notes` says what the user should hear about the reading.

    Raises:
        UsageError: there is no such file, format, encoding or split.
        DataError: the content cannot be used; every problem is listed with its place.
        AssetError: a handle leads nowhere.
        MissingExtraError: a TFDS dataset without tensorflow-datasets installed.
    """
    if not isinstance(source, str | Path):
        return read_object(source)
    name, _, split = str(source).partition("#split=")
    path = _local(name)
    try:
        return _read_path(path, name, split or None, encoding)
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror or error}") from error


def _read_path(path: Path, name: str, split: str | None, encoding: str) -> Examples:
    if path.is_dir() and is_prepared(path):
        return read_tfds(path, name, split)
    if path.is_dir() and is_voc(path):
        return read_voc(path, name, split)
    if path.is_dir() and is_yolo(path):
        return read_yolo(path, name, split)
    if split:
        raise UsageError(f"{name} is neither of TFDS, Pascal VOC nor YOLO, so it has no split {split!r}.")
    if path.is_dir():
        return read_folder(path, name, encoding)
    if path.suffix.lower() not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(f"{name}: unknown format {path.suffix!r}; expected one of {known}, or a folder.")
    found = replace(FORMATS[path.suffix.lower()](path, name, encoding), folder=path.parent)
    return boxes.grouped(found) if path.suffix.lower() in (".csv", ".tsv") else found


def _local(name: str) -> Path:
    """The file or directory that a path or a handle names.

    Raises:
        UsageError: nothing is there.
    """
    if "://" in name:
        from kerasft import assets

        return Path(assets.resolve(name))
    path = Path(name)
    if not path.exists():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, siblings, n=3)
        hint = f" Did you mean {' or '.join(str(path.parent / each) for each in near)}?" if near else ""
        raise UsageError(f"There is no file or folder {name!r}.{hint}")
    return path
