"""Object detection as COCO writes it (cocodataset.org, "Data format"): one JSON file beside its images."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from kerasft.data import boxes
from kerasft.data.examples import Examples
from kerasft.data.text_files import listing, read_bytes
from kerasft.errors import DataError

_FOLDERS = ("", "images", "../images", "train", "val", "test", "../train2017", "../val2017")
_PARTS = {"images": ("id", "file_name"), "annotations": (), "categories": ("id", "name")}


def read_coco(path: Path, source: str, encoding: str) -> Examples:
    """Reads a COCO file as the columns ``image`` and ``objects``.

    Images are looked for beside the file, in ``images`` and in the folders of the original. Ids of categories may have
    gaps.

    Raises:
        DataError: not JSON, without images or annotations, or with annotations of an unknown image or category.
    """
    try:
        value: Any = json.loads(read_bytes(path, source).decode(encoding.partition(",")[0]))
    except ValueError as error:
        raise DataError(f"{source} is not JSON: {error}") from error
    if not isinstance(value, dict) or not all(isinstance(value.get(name), list) for name in _PARTS):
        raise DataError(f"{source}: expected lists of images, annotations and categories, as COCO has them.")
    problems = [
        f"{part}[{number}]: expected an object with {' and '.join(keys) or 'a bbox'}. Received: {one!r:.80}"
        for part, keys in _PARTS.items()
        for number, one in enumerate(value[part])
        if not isinstance(one, dict) or not all(isinstance(one.get(key), int | float | str) for key in keys)
    ]
    if problems:
        raise DataError(f"{source} is not as COCO has it.", problems)
    names = {category["id"]: str(category["name"]) for category in value["categories"]}
    found: dict[Any, list[dict[str, Any]]] = {image["id"]: [] for image in value["images"]}
    if len(found) < len(value["images"]):
        raise DataError(f"{source}: {len(value['images'])} images have {len(found)} different ids.")
    for number, annotation in enumerate(value["annotations"]):
        try:
            image, label = annotation["image_id"], names[annotation["category_id"]]
            x, y, width, height = map(float, annotation["bbox"])
            found[image].append(boxes.box(x, y, x + width, y + height, label, bool(annotation.get("iscrowd", 0))))
        except KeyError as error:
            problems.append(f"annotation {annotation.get('id', number)}: unknown or missing: {error}")
        except (TypeError, ValueError):
            problems.append(f"annotation {annotation.get('id', number)}: bbox is {annotation.get('bbox')!r}")
    if problems:
        raise DataError(f"{source} has {len(problems)} annotations that cannot be used.", problems)
    files = [str(image["file_name"]) for image in value["images"]]
    folder = next((f for f in _FOLDERS if files and (path.parent / f / files[0]).exists()), "")
    table = pa.table(
        {
            "image": pa.array([str(Path(folder) / file) for file in files]),
            boxes.COLUMN: boxes.column(list(found.values())),
        }
    )
    unused = sorted(set(names.values()) - {one["label"] for some in found.values() for one in some})
    notes = (f"No box of {listing(unused)} in {source}.",) if unused else ()
    return Examples(table, source, notes, lambda row: f"{source}: {files[row]}")
