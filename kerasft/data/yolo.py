"""Object detection as YOLO's tools write it (docs.ultralytics.com, "Detection datasets"): a text file an image."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from PIL import Image, UnidentifiedImageError

from kerasft.data import boxes
from kerasft.data.examples import Examples
from kerasft.data.text_files import listing
from kerasft.errors import DataError, UsageError

_IMAGES, _LABELS, _SUFFIXES = "images", "labels", (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def is_yolo(path: Path) -> bool:
    """Whether a directory has the folders that YOLO reads."""
    return (path / _IMAGES).is_dir() and (path / _LABELS).is_dir()


def read_yolo(path: Path, source: str, split: str | None) -> Examples:
    """Reads a directory as the columns ``image`` and ``objects``.

    Lines are ``class x y width height``, the middle and the sides as fractions of the image. Names of classes come from
    ``names`` in ``data.yaml``, or from ``classes.txt``. An image without a text file has no box.

    Args:
        path: with ``images`` and ``labels``.
        source: as the user wrote it.
        split: a folder within both; None for the only one, or where images stand in ``images`` itself.

    Raises:
        DataError: lines that are no boxes, and text files without image; all of them are listed.
        UsageError: there is no such split, or it is not clear which.
    """
    part = _part(path, source, split)
    names = _names(path, source)
    images = sorted(file for file in (path / _IMAGES / part).iterdir() if file.suffix.lower() in _SUFFIXES)
    problems, found = [], []
    for image in images:
        objects, wrong = _objects(path / _LABELS / part / f"{image.stem}.txt", image, names)
        found.append(objects)
        problems += wrong
    stems = {image.stem for image in images}
    alone = [file.name for file in sorted((path / _LABELS / part).glob("*.txt")) if file.stem not in stems]
    problems += [f"{_LABELS}/{part / name}: there is no such image" for name in alone if name != "classes.txt"]
    if problems:
        raise DataError(f"{source} has boxes that cannot be used.", problems)
    relative = [str(image.relative_to(path)) for image in images]
    table = pa.table({"image": pa.array(relative, pa.string()), boxes.COLUMN: boxes.column(found)})
    return Examples(table, source, (), lambda row: f"{source}: {relative[row]}", path)


def _part(path: Path, source: str, split: str | None) -> Path:
    known = sorted(p.name for p in (path / _IMAGES).iterdir() if p.is_dir())
    if split is not None and split not in known:
        raise UsageError(f"{source} has no split {split!r}. Known: {', '.join(known) or 'none'}")
    if split is None and len(known) > 1:
        raise UsageError(f"{source} has several splits: {listing(known)}. Say which: {source}#split={known[0]}")
    return Path(split or (known[0] if known else ""))


def _names(path: Path, source: str) -> list[str]:
    """The classes in the order of their numbers."""
    for file in (path / "data.yaml", path.parent / "data.yaml"):
        if file.exists():
            value: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
            names = value.get("names") if isinstance(value, dict) else None
            if isinstance(names, dict):
                names = [names[key] for key in sorted(names)]
            if not isinstance(names, list):
                raise DataError(f"{file}: expected a list of names. Received: {names!r}")
            return [str(name) for name in names]
    for file in (path / "classes.txt", path / _LABELS / "classes.txt"):
        if file.exists():
            return file.read_text(encoding="utf-8").split()
    raise DataError(f"{source}: expected the names of classes in data.yaml or classes.txt.")


def _objects(file: Path, image: Path, names: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    if not file.exists():
        return [], []
    try:
        with Image.open(image) as opened:
            width, height = opened.size
    except (OSError, UnidentifiedImageError):
        return [], []  # named with the other images that cannot be read
    objects, problems = [], []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not (fields := line.split()):
            continue
        try:
            kind, (x, y, w, h) = int(fields[0]), map(float, fields[1:])
            label = names[kind] if kind >= 0 else names[len(names)]
        except (ValueError, IndexError):
            expected = f"expected a class below {len(names)} and four fractions"
            problems.append(f"{file.parent.name}/{file.name}:{number}: {expected}; found {line!r}")
            continue
        left, top = (x - w / 2) * width, (y - h / 2) * height
        objects.append(boxes.box(left, top, left + w * width, top + h * height, label))
    return objects, problems
