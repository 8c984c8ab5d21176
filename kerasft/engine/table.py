"""Arrays with rows per example as tensors, from which a batch is gathered in graph operations."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

# Eigen reads tensors in vectors: memory that does not begin on such a boundary makes TensorFlow abort.
_ALIGNMENT = 64


class Table:
    """Columns of arrays, all with the same examples.

    Args:
        columns: by name; of shape ``(examples, …)``, or ``(rows of all examples, …)`` if ragged.
        lengths: rows of each example in the ragged columns; None if there are none.
        ragged: names of those.
        padding: what fills a shorter example up, by column; 0 where nothing is said.
    """

    def __init__(
        self,
        columns: Mapping[Any, np.ndarray | tf.Tensor],
        lengths: np.ndarray | None = None,
        ragged: frozenset[Any] = frozenset(),
        padding: Mapping[Any, Any] | None = None,
    ):
        self.lengths = lengths
        splits = None if lengths is None else np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self._padding = padding or {}
        self._columns = {name: _tensor(array) for name, array in columns.items()}
        for name in ragged:
            self._columns[name] = tf.RaggedTensor.from_row_splits(self._columns[name], splits, validate=False)

    @property
    def example_bytes(self) -> int | None:
        """Of all columns; None if examples differ in length."""
        if any(isinstance(column, tf.RaggedTensor) for column in self._columns.values()):
            return None
        return sum(math.prod(column.shape[1:]) * column.dtype.size for column in self._columns.values())

    def gather(self, index: tf.Tensor, length: tf.Tensor) -> dict[Any, tf.Tensor]:
        """The columns of these examples; ragged ones padded, or cut, to `length` (int64) rows."""
        found = {}
        for name, column in self._columns.items():
            rows = tf.gather(column, index)
            if isinstance(column, tf.RaggedTensor):
                inner = column.shape[2:].as_list()
                shape = tf.concat([[-1, length], tf.constant(inner, tf.int64)], axis=0)
                rows = tf.ensure_shape(rows.to_tensor(self._padding.get(name), shape=shape), [None, None, *inner])
            found[name] = rows
        return found


def _tensor(array: np.ndarray | tf.Tensor) -> tf.Tensor:
    """The array as a tensor; a memory-mapped one without a copy, so that the system may drop its pages."""
    if tf.is_tensor(array):
        return array
    mapped = not array.flags.owndata and array.flags.c_contiguous and array.flags.writeable and array.size
    if not mapped or array.dtype.kind in "Ob" or array.ctypes.data % _ALIGNMENT:
        return tf.constant(array)
    if array.dtype == tf.bfloat16.as_numpy_dtype:  # DLPack of numpy does not know it
        return tf.bitcast(_tensor(array.view(np.int16)), tf.bfloat16)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
