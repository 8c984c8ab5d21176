"""Datasets that TensorFlow Datasets prepared, read from their directory (that of ``dataset_info.json``)."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kerasft.data import boxes
from kerasft.data.examples import Examples
from kerasft.data.tables import columns_table
from kerasft.errors import DataError, MissingExtraError, UnknownNameError, UsageError

Convert = Callable[[Any], Any]


def is_prepared(path: Path) -> bool:
    """Whether this is a TFDS directory: ``<name>/<version>``, or ``<name>`` above its versions."""
    return bool(_versions(path))


def read_tfds(path: Path, source: str, split: str | None) -> Examples:
    """Reads one split of a prepared dataset, in the order it was written.

    Text becomes str, a ClassLabel the name of its class (null where the dataset has -1, "unknown"), numbers
    stay numbers, sequences of these become lists, an image the bytes of its file, and a sequence of ``bbox`` and a
    label the boxes of the image. Other features (nested ones) are not read, and a note says which.

    Args:
        path: the dataset's directory.
        source: the handle or path as the user wrote it, without its split.
        split: a split or a TFDS slice of it such as ``train[:10%]``; None takes the only one.

    Raises:
        MissingExtraError: tensorflow-datasets is not installed.
        UsageError: no split was named and there are several, or no such split.
        DataError: the directory cannot be read, or holds text that is not UTF-8.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        # tensorflow-datasets itself, or a package that it needs and does not declare
        missing = (error.name or "tensorflow_datasets").partition(".")[0]
        raise MissingExtraError(missing, "tfds", f"Reading {source}") from error
    builder = _builder(tfds, path, source)
    sizes = {name: info.num_examples for name, info in builder.info.splits.items()}
    chosen = _split(split, sizes, source)
    converters, skipped = _converters(tfds, builder.info.features)
    if not converters:
        raise DataError(f"{source} has no feature that can be read: {', '.join(skipped)}.")
    notes = (f"{source}: features not read: {', '.join(skipped)}.",) if skipped else ()
    name = source if split is None else f"{source}#split={split}"

    def locate(row: int) -> str:
        return f"{name} example {row + 1}"

    try:
        rows = builder.as_dataset(
            split=chosen,
            shuffle_files=False,
            decoders=tfds.decode.PartialDecoding(dict.fromkeys(converters, True), decoders=_as_stored(tfds, builder)),
            # Files in turn, for the written order; no cache, which warns when a slice is not read to its end.
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
        )
    except ValueError as error:
        raise UsageError(f"{source}: cannot read split {chosen!r}: {str(error).splitlines()[0]}") from error
    columns = _columns(rows.as_numpy_iterator(), converters, locate)
    for column in [column for column, feature in builder.info.features.items() if _box_names(tfds, feature)]:
        columns[column] = [boxes.in_pixels(*row) for row in zip(columns[column], columns["image"], strict=True)]
    return Examples(columns_table(columns, name, locate), name, notes, locate)


def _versions(path: Path) -> list[Path]:
    if (path / "dataset_info.json").is_file():
        return [path]
    return sorted(info.parent for depth in ("*", "*/*") for info in path.glob(f"{depth}/dataset_info.json"))


def _builder(tfds: Any, path: Path, source: str) -> Any:
    versions = _versions(path)
    if len(versions) > 1:
        names = ", ".join(each.relative_to(path).as_posix() for each in versions)
        raise UsageError(f"{source} holds several datasets; choose one of its folders: {names}")
    try:
        return tfds.builder_from_directory(versions[0])
    except Exception as error:  # tfds raises whatever its parsers do
        raise DataError(f"{source} cannot be read as a TFDS dataset: {error}") from error


def _split(split: str | None, sizes: dict[str, int], source: str) -> str:
    listed = ", ".join(f"{name} ({size} examples)" for name, size in sizes.items())
    if split is None:
        if len(sizes) == 1:
            return next(iter(sizes))
        first = next(iter(sizes), "train")
        raise UsageError(f"{source} has the splits {listed}. Choose one: {source}#split={first}")
    for part in split.split("+"):
        name = part.split("[")[0].strip()
        if name not in sizes and name != "all":
            raise UnknownNameError("split", name, sizes, [f"{source} has: {listed}."])
    return split


def _converters(tfds: Any, features: Any) -> tuple[dict[str, Convert], list[str]]:
    """How each feature becomes a Python value, and the names of those that do not."""
    if not isinstance(features, tfds.features.FeaturesDict):
        return {}, [type(features).__name__]
    found = {name: _converter(tfds, feature) for name, feature in features.items()}
    kept = {name: convert for name, convert in found.items() if convert is not None}
    return kept, [f"{name} ({type(features[name]).__name__})" for name in found if name not in kept]


def _as_stored(tfds: Any, builder: Any) -> dict[str, Any]:
    """Images are not decoded."""
    features = builder.info.features
    return {name: tfds.decode.SkipDecoding() for name in features if isinstance(features[name], tfds.features.Image)}


def _converter(tfds: Any, feature: Any) -> Convert | None:
    if isinstance(feature, tfds.features.Image):
        return lambda value: value
    if isinstance(feature, tfds.features.ClassLabel):
        return lambda value: feature.int2str(int(value)) if value >= 0 else None
    if isinstance(feature, tfds.features.Text):
        return _scalar
    if names := _box_names(tfds, feature):
        return lambda value: _fractions(value, *names)
    if isinstance(feature, tfds.features.Sequence) and not isinstance(feature.feature, dict):
        item = _converter(tfds, feature.feature)
        return item and (lambda values: [item(value) for value in values])
    if type(feature) not in (tfds.features.Scalar, tfds.features.Tensor) or feature.shape:
        return None
    return _scalar


def _box_names(tfds: Any, feature: Any) -> tuple[Any, str] | None:
    """The feature of labels and its name, if this is a sequence of boxes with labels."""
    inner = getattr(feature, "feature", None)
    if not isinstance(feature, tfds.features.Sequence) or not isinstance(inner, tfds.features.FeaturesDict):
        return None
    labels = [name for name in inner if isinstance(inner[name], tfds.features.ClassLabel)]
    is_boxes = "bbox" in inner and isinstance(inner["bbox"], tfds.features.BBoxFeature)
    return (inner[labels[0]], labels[0]) if is_boxes and labels else None


def _fractions(value: Any, labels: Any, name: str) -> list[dict[str, Any]]:
    """Objects whose corners are fractions of the image; TFDS has them as y_min, x_min, y_max, x_max."""
    ignored = value.get("is_crowd", value.get("is_difficult", [False] * len(value[name])))
    return [
        boxes.box(x_min, y_min, x_max, y_max, labels.int2str(int(label)), bool(crowd))
        for (y_min, x_min, y_max, x_max), label, crowd in zip(value["bbox"].tolist(), value[name], ignored, strict=True)
    ]


def _scalar(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value.item()


def _columns(
    rows: Iterable[dict[str, Any]], converters: dict[str, Convert], locate: Callable[[int], str]
) -> dict[str, list]:
    columns: dict[str, list] = {name: [] for name in converters}
    problems = []
    for number, row in enumerate(rows):
        for name, convert in converters.items():
            try:
                columns[name].append(convert(row[name]))
            except UnicodeDecodeError as error:
                problems.append(f"{locate(number)}: {name} is not UTF-8 at byte {error.start}")
    if problems:
        raise DataError("Text must be UTF-8:", problems)
    return columns
