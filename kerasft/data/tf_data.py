"""Examples from a `tf.data.Dataset`."""

from typing import Any

import numpy as np

from kerasft.data.examples import Examples
from kerasft.data.images import looks_like_image
from kerasft.data.tables import columns_table
from kerasft.errors import DataError, UsageError

_NAME = "tf.data.Dataset"


def read_tf_data(dataset: Any) -> Examples:
    """Reads a finite dataset of texts, of ``(text, label)`` or ``(image, label)`` pairs, or of dicts of columns.

    Elements may be batched: they are when every component has at least one axis. Further axes become lists, but those
    of images, uint8 of shape (height, width, channels).

    Raises:
        UsageError: the dataset is infinite, or its elements have another structure.
        DataError: text that is not UTF-8, or no elements.
    """
    import tensorflow as tf

    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise UsageError(f"The {_NAME} is infinite: remove .repeat(), or end it with .take(n).")
    inputs = _input_name(dataset.element_spec)
    specs = _named(dataset.element_spec, inputs)
    for name, spec in specs.items():
        if not isinstance(spec, tf.TensorSpec | tf.RaggedTensorSpec) or spec.shape.rank is None:
            raise UsageError(f"Column {name!r} of the {_NAME} must be dense or ragged of known rank, not {spec}.")
    batched = all(spec.shape.rank > 0 for spec in specs.values())
    columns: dict[str, list] = {name: [] for name in specs}
    for element in dataset.as_numpy_iterator():
        for name, value in _named(element, inputs).items():
            rows = np.asarray(value) if batched else np.asarray(value)[np.newaxis]
            columns[name].extend(rows if rows.dtype == np.uint8 and rows.ndim > 2 else rows.tolist())
    problems: list[str] = []
    table = {name: _texts(name, values, problems) for name, values in columns.items()}
    if problems:
        raise DataError("Text must be UTF-8:", problems)
    return Examples(columns_table(table, _NAME, _locate), _NAME, locate=_locate)


def _locate(row: int) -> str:
    return f"{_NAME} example {row + 1}"


def _input_name(spec: Any) -> str:
    """Name of the column of inputs that have none."""
    first = spec[0] if isinstance(spec, tuple) else spec
    return "text" if getattr(first, "dtype", "string") == "string" else "image"


def _named(element: Any, inputs: str) -> dict[str, Any]:
    """The components of an element, or of its spec, by column name."""
    if isinstance(element, dict):
        return element
    if not isinstance(element, tuple):
        return {inputs: element}
    if len(element) == 2 and not any(isinstance(part, dict | tuple) for part in element):
        return {inputs: element[0], "label": element[1]}
    raise UsageError(
        f"Elements of the {_NAME} must be (text, label), (image, label) or dicts of columns, not {element}."
    )


def _texts(name: str, values: list, problems: list[str]) -> list:
    """The values with bytes decoded, at any depth of lists; ragged axes arrive as arrays of arrays."""

    def decode(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.dtype == np.uint8:
            return value  # an image
        if isinstance(value, list | np.ndarray):
            return [decode(item) for item in value]
        return value.decode() if isinstance(value, bytes) and not looks_like_image(value) else value

    decoded = []
    for row, value in enumerate(values):
        try:
            decoded.append(decode(value))
        except UnicodeDecodeError as error:
            problems.append(f"{_locate(row)}: {name} is not UTF-8 at byte {error.start}")
    return decoded
