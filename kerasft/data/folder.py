"""One folder per class, with one file per example: ``<folder>/<class>/<anything>.txt``, or images."""

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from kerasft.data.examples import Examples
from kerasft.data.images import SUFFIXES
from kerasft.data.text_files import decode, encoding_notes, listing, not_decodable, read_bytes
from kerasft.errors import DataError

_ROOT = "expected <class>/<file>.txt, or images, one folder per class"


class _Kind(NamedTuple):
    """What the files of a folder are."""

    suffixes: frozenset[str]
    words: str
    pattern: str

    def has(self, file: Path) -> bool:
        """Whether a path is a file of this kind."""
        return file.suffix.lower() in self.suffixes and file.is_file()


_TEXTS = _Kind(frozenset({".txt"}), ".txt file", "<class>/<file>.txt")
_IMAGES = _Kind(SUFFIXES, "image", "<class>/<image>")


def read_folder(path: Path, source: str, encoding: str) -> Examples:
    """Reads the columns ``text`` or ``image``, and ``label``, from a folder of class folders, in the order of names.

    Images are given by their paths and not opened here. Hidden files are ignored. Other files are not read, and a note
    says which.

    Raises:
        DataError: no class folders, a class without files, folders inside a class, or texts that do not decode; every
            one of them is listed.
    """
    folders = [entry for entry in _visible(path) if entry.is_dir()]
    if not folders:
        raise DataError(_no_classes(path, source))
    kind = _kind(folders)
    files = [file for folder in folders for file in _visible(folder) if kind.has(file)]
    _check_folders(kind, folders, files, path, source)
    names = [_name(file, path) for file in files]
    labels = [file.parent.name for file in files]
    notes = _unread(kind, folders, path, source)
    if kind is _IMAGES:
        table = pa.table({"image": names, "label": labels})
        return Examples(table, source, notes, names.__getitem__, folder=path)
    texts, encodings = _texts(files, names, source, encoding)
    return Examples(pa.table({"text": texts, "label": labels}), source, encodings + notes, names.__getitem__)


def _texts(files: list[Path], names: list[str], source: str, encoding: str) -> tuple[list[str], tuple[str, ...]]:
    decoded = [decode(read_bytes(file, name), name, encoding) for file, name in zip(files, names, strict=True)]
    problems = [each.problems[0] for each in decoded if each.problems]
    if problems:
        some = f"{source}: the text of {len(problems)} of {len(files)} files"
        raise not_decodable(some, encoding, problems)
    used = [(name, each.encoding) for name, each in zip(names, decoded, strict=True)]
    return [each.text for each in decoded], encoding_notes(used, encoding)


def _visible(folder: Path) -> list[Path]:
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted(entries, key=lambda entry: entry.name)


def _kind(folders: list[Path]) -> _Kind:
    """What most of the files are; a note says which ones are not read."""
    files = [file for folder in folders for file in _visible(folder)]
    texts, images = (sum(map(kind.has, files)) for kind in (_TEXTS, _IMAGES))
    return _IMAGES if images > texts else _TEXTS


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _check_folders(kind: _Kind, folders: list[Path], files: list[Path], root: Path, source: str) -> None:
    filled = {file.parent for file in files}
    what = kind.words if files else f"{_TEXTS.words} and no {_IMAGES.words}"
    problems = [f"{_name(folder, root)}: no {what}" for folder in folders if folder not in filled]
    nested = [entry for folder in folders for entry in _visible(folder) if entry.is_dir()]
    problems += [f"{_name(entry, root)}: a folder inside a class" for entry in nested]
    if problems:
        raise DataError(f"{source}: expected {kind.pattern}, one folder per class:", problems)


def _unread(kind: _Kind, folders: list[Path], root: Path, source: str) -> tuple[str, ...]:
    files = [entry for folder in [root, *folders] for entry in _visible(folder) if entry.is_file()]
    other = [_name(file, root) for file in files if file.parent == root or not kind.has(file)]
    return (f"{source}: {len(other)} files were not read: {listing(other)}.",) if other else ()


def _no_classes(path: Path, source: str) -> str:
    files = [entry.name for entry in _visible(path)]
    found = f"It holds {listing(files)}; if one of them is the data, name it." if files else "It is empty."
    return f"{source} is a folder without class folders: {_ROOT}. {found}"
