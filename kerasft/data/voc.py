"""Object detection as Pascal VOC writes it (Everingham et al. 2010): a folder of XML files beside one of images."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pyarrow as pa

from kerasft.data import boxes
from kerasft.data.examples import Examples
from kerasft.data.text_files import listing
from kerasft.errors import DataError, UsageError

_ANNOTATIONS, _IMAGES, _SETS = "Annotations", "JPEGImages", "ImageSets/Main"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def is_voc(path: Path) -> bool:
    """Whether a directory has the folders of Pascal VOC."""
    return (path / _ANNOTATIONS).is_dir() and (path / _IMAGES).is_dir()


def read_voc(path: Path, source: str, split: str | None) -> Examples:
    """Reads a directory as the columns ``image`` and ``objects``.

    Corners count pixels from 1 and belong to the box, so a box from 3 to 3 is one pixel wide. Difficult objects are
    ignored ones, as in the challenge.

    Args:
        path: with ``Annotations`` and ``JPEGImages``.
        source: as the user wrote it.
        split: a file of ``ImageSets/Main`` without its suffix; None for all annotations.

    Raises:
        DataError: files that are no annotations, or images and annotations without each other; all are listed.
        UsageError: there is no such split.
    """
    names = _names(path, source, split)
    problems: list[str] = []
    found: list[list[dict[str, Any]]] = []
    images: list[str] = []
    for name in names:
        file = path / _ANNOTATIONS / f"{name}.xml"
        try:
            root = ElementTree.parse(file).getroot()
            objects = [_object(element) for element in root.iter("object")]
        except FileNotFoundError:
            problems.append(f"{_ANNOTATIONS}/{name}.xml: there is no such file")
            continue
        except (ElementTree.ParseError, ValueError, AttributeError) as error:
            problems.append(f"{_ANNOTATIONS}/{name}.xml: is no annotation of Pascal VOC: {error}")
            continue
        image = root.findtext("filename") or f"{name}.jpg"
        if not (path / _IMAGES / image).exists():
            image = f"{name}.jpg"  # what it was called before it was renamed
        if not (path / _IMAGES / image).exists():
            problems.append(f"{_ANNOTATIONS}/{name}.xml: there is no image {_IMAGES}/{image}")
        images.append(f"{_IMAGES}/{image}")
        found.append(objects)
    if problems:
        raise DataError(f"{source} has {len(problems)} annotations that cannot be used.", problems)
    table = pa.table({"image": pa.array(images, pa.string()), boxes.COLUMN: boxes.column(found)})
    known = {Path(image).stem for image in images}
    alone = sorted(p.name for p in (path / _IMAGES).iterdir() if p.stem not in known) if split is None else []
    notes = (f"{len(alone)} images without annotation are left out: {listing(alone)}.",) if alone else ()
    return Examples(table, source, notes, lambda row: f"{source}: {images[row]}", path)


def _names(path: Path, source: str, split: str | None) -> list[str]:
    if split is None:
        return sorted(file.stem for file in (path / _ANNOTATIONS).glob("*.xml"))
    file = path / _SETS / f"{split}.txt"
    if not file.exists():
        known = sorted(p.stem for p in (path / _SETS).glob("*.txt"))
        raise UsageError(f"{source} has no split {split!r}. Known: {', '.join(known) or 'none'}")
    return [line.split()[0] for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _object(element: ElementTree.Element) -> dict[str, Any]:
    """An object.

    Raises:
        ValueError: it lacks a name or a corner.
    """
    label, bounds = element.findtext("name"), element.find("bndbox")
    if not label or bounds is None:
        raise ValueError("an object without name or bndbox")
    texts = [bounds.findtext(corner) for corner in _CORNERS]
    if None in texts:
        raise ValueError(f"a bndbox without {_CORNERS[texts.index(None)]}")
    x_min, y_min, x_max, y_max = (float(str(text)) for text in texts)
    return boxes.box(x_min - 1, y_min - 1, x_max, y_max, label, element.findtext("difficult") == "1")
