"""One folder per class, with one .txt file per example: ``<folder>/<class>/<anything>.txt``."""

from pathlib import Path

import pyarrow as pa

from kerasft.data.examples import Examples
from kerasft.data.text_files import decode, encoding_notes, listing, not_decodable, read_bytes
from kerasft.errors import DataError


def read_folder(path: Path, source: str, encoding: str) -> Examples:
    """Reads the columns ``text`` and ``label`` from a folder of class folders, in the order of their names.

    Hidden files are ignored. Other files that are not .txt are not read, and a note says which.

    Raises:
        DataError: no class folders, a class without .txt files, folders inside a class, or files that do not
            decode; every one of them is listed.
    """
    folders = [entry for entry in _visible(path) if entry.is_dir()]
    if not folders:
        raise DataError(_no_classes(path, source))
    files = [file for folder in folders for file in _visible(folder) if _is_text(file)]
    _check_folders(folders, files, path, source)
    decoded = [decode(read_bytes(file, _name(file, path)), _name(file, path), encoding) for file in files]
    problems = [each.problems[0] for each in decoded if each.problems]
    if problems:
        some = f"{source}: the text of {len(problems)} of {len(files)} files"
        raise not_decodable(some, encoding, problems)
    names = [_name(file, path) for file in files]
    used = [(name, each.encoding) for name, each in zip(names, decoded, strict=True)]
    table = pa.table(
        {"text": [each.text for each in decoded], "label": [file.parent.name for file in files]},
    )
    return Examples(table, source, encoding_notes(used, encoding) + _unread(folders, path, source), names.__getitem__)


def _visible(folder: Path) -> list[Path]:
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted(entries, key=lambda entry: entry.name)


def _is_text(file: Path) -> bool:
    return file.suffix.lower() == ".txt" and file.is_file()


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _check_folders(folders: list[Path], files: list[Path], root: Path, source: str) -> None:
    filled = {file.parent for file in files}
    problems = [f"{_name(folder, root)}: no .txt file" for folder in folders if folder not in filled]
    nested = [entry for folder in folders for entry in _visible(folder) if entry.is_dir()]
    problems += [f"{_name(entry, root)}: a folder inside a class" for entry in nested]
    if problems:
        raise DataError(f"{source}: expected <class>/<file>.txt, one folder per class:", problems)


def _unread(folders: list[Path], root: Path, source: str) -> tuple[str, ...]:
    files = [entry for folder in [root, *folders] for entry in _visible(folder) if entry.is_file()]
    other = [_name(file, root) for file in files if file.parent == root or not _is_text(file)]
    return (f"{source}: {len(other)} files were not read: {listing(other)}.",) if other else ()


def _no_classes(path: Path, source: str) -> str:
    files = [entry.name for entry in _visible(path)]
    found = f"It holds {listing(files)}; if one of them is the data, name it." if files else "It is empty."
    return f"{source} is a folder without class folders: expected <class>/<file>.txt. {found}"
