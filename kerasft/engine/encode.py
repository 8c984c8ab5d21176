"""Raw inputs made ready for the model once, before training: texts tokenized, images decoded."""

import copy
import hashlib
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from kerasft import keras_private
from kerasft.backbone import Encoded
from kerasft.data import Images
from kerasft.engine.column import Column
from kerasft.engine.table import Table
from kerasft.errors import DataError, PluginError

# Texts tokenized at a time. Characters bound the memory, however long a single document is.
_TEXTS, _CHARACTERS = 512, 1 << 20
_OTHERS = 32  # images decoded at a time
_WORKERS = 2
_PROBES = 16  # inputs whose preprocessing stands for that of all in a digest


class Encodings:
    """The inputs of all examples, from which batches are gathered in graph operations.

    They are preprocessed here, once, and kept in memory-mapped files that vanish with the process, texts without
    padding. Images that would take more than half of the free disk space are preprocessed when they are gathered.

    Args:
        encode: raw inputs of shape ``(batch,)`` to `Encoded`, in graph operations: `modeling.Assembly.encode`.
        inputs: raw: strings, `kerasft.data.Images`, or arrays of one shape.
        padding: what fills a model input up behind the last token, by its name; 0 where nothing is said.
        limit: most tokens of a text, if there is such a limit.

    Attributes:
        inputs_of: the position of the input of each example, int64: texts may come in several windows, each of which is
            an example. None if they are the same.
        lengths: tokens of each example, int64; None if inputs are of a fixed size.
        limit: most tokens of a text, if the preprocessing has such a limit.
        note: what the user should know; may be empty.

    Raises:
        PluginError: an input of the model varies in another way than by its number of tokens.
        DataError: images that TensorFlow cannot decode.
    """

    def __init__(
        self,
        encode: Callable[[tf.Tensor], Encoded],
        inputs: Sequence[Any],
        *,
        padding: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ):
        self._inputs = inputs
        first = tf.convert_to_tensor(inputs[:1])
        spec = tf.TensorSpec([None, *first.shape[1:]], first.dtype)
        self._encode = tf.function(lambda raw: _flat(encode(raw)), [spec], autograph=False)
        outputs = self._encode.get_concrete_function().structured_outputs
        self._ragged = frozenset(name for name, tensor in outputs.items() if _is_ragged(name, tensor.shape))
        if self._ragged and _MASK not in outputs:
            raise PluginError("A text model has an input padding_mask. Received: " + ", ".join(map(str, outputs)))
        self.lengths: np.ndarray | None = None
        self.limit = limit
        self.inputs_of: np.ndarray | None = None
        self.note = "" if self._ragged else self._too_large(outputs)
        self._columns: dict[Any, np.ndarray] = {}
        if not self.note:
            with keras_private.graphs_as_traced():
                self._columns = _gathered(self._rows())
            if self._ragged:
                self.lengths = self._columns.pop(_LENGTHS).astype(np.int64)
            if _ROWS in self._columns:
                self.inputs_of = self._columns.pop(_ROWS).astype(np.int64)
        self._padding = {("inputs", name): value for name, value in (padding or {}).items()}
        self._table = Table(self._columns, self.lengths, self._ragged, self._padding)

    def __len__(self) -> int:
        return len(self._inputs) if self.inputs_of is None else len(self.inputs_of)

    def of_examples(self, values: np.ndarray) -> np.ndarray:
        """Values of inputs as those of examples."""
        return values if self.inputs_of is None else values[self.inputs_of]

    def take(self, examples: np.ndarray) -> "Encodings":
        """These examples alone."""
        found = copy.copy(self)
        found._inputs = [self._inputs[int(i)] for i in self.of_examples(np.arange(len(self._inputs)))[examples]]
        found.inputs_of = None
        if self._columns:
            rows = examples
            if self.lengths is not None:
                found.lengths = self.lengths[examples]
                ends = np.cumsum(self.lengths)
                rows = np.concatenate([np.arange(ends[i] - self.lengths[i], ends[i]) for i in examples])
            found._columns = {n: a[rows if n in self._ragged else examples] for n, a in self._columns.items()}
            found._table = Table(found._columns, found.lengths, self._ragged, self._padding)
        return found

    def gather(self, index: tf.Tensor, length: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Model inputs and alignment of these examples, padded to `length` tokens; in graph operations."""
        rows = self._table.gather(index, length)
        if not rows:
            raw = tf.numpy_function(lambda some: np.array([self._inputs[i] for i in some], object), [index], tf.string)
            rows = self._encode(tf.ensure_shape(raw, [None]))
        parts: dict[str, dict[str, tf.Tensor]] = {"inputs": {}, "alignment": {}}
        for (part, name), tensor in rows.items():
            parts[part][name] = tensor
        return parts["inputs"], parts["alignment"]

    def digest(self) -> str:
        """sha256 of what the model would read."""
        found = hashlib.sha256()
        columns = self._columns
        if self.lengths is not None:
            found.update(self.lengths.tobytes())
        if isinstance(self._inputs, Images) and not columns:
            # Their preprocessing would take as long as what this is to save: a few stand for all.
            count = len(self._inputs)
            spread = np.linspace(0, count - 1, min(count, _PROBES)).astype(np.int64)
            encoded = self._encode(tf.constant([self._inputs[int(i)] for i in spread]))
            columns = {name: tensor.numpy() for name, tensor in encoded.items()}
            found.update(b"".join(self._inputs.digests()))
        for name, array in sorted(columns.items()):
            found.update(f"{name} {array.dtype} {array.shape}".encode())
            found.update(repr(list(array)).encode() if array.dtype == object else array.data)
        return found.hexdigest()

    def _too_large(self, outputs: Mapping[Any, tf.Tensor]) -> str:
        """Why images are not kept, in words; empty if they are."""
        if not isinstance(self._inputs, Images):
            return ""
        size = len(self._inputs) * sum(math.prod(t.shape[1:]) * t.dtype.size for t in outputs.values())
        free = shutil.disk_usage(tempfile.gettempdir()).free
        if size <= free // 2:
            return ""
        return (
            f"Images are decoded anew in every epoch: {len(self._inputs):,} of this size would take "
            f"{size / 1e9:,.1f} GB, and {tempfile.gettempdir()} has {free / 1e9:,.1f} GB free."
        )

    def _rows(self) -> Iterator[dict[Any, np.ndarray]]:
        """Arrays of the rows of one chunk of inputs after the other, without padding."""
        with ThreadPoolExecutor(_WORKERS) as pool:
            for arrays in pool.map(self._encoded, self._chunks()):
                if not self._ragged:
                    yield arrays
                    continue
                mask = arrays[_MASK].astype(bool)
                rows = {name: a[mask] if name in self._ragged else a for name, a in arrays.items()}
                yield {**rows, _LENGTHS: mask.sum(axis=1)}

    def _encoded(self, chunk: slice) -> dict[Any, np.ndarray]:
        raw = self._inputs[chunk]
        try:
            encoded = self._encode(tf.convert_to_tensor(raw))
        except tf.errors.InvalidArgumentError:
            if isinstance(self._inputs, Images):
                self._raise_undecodable(self._inputs, chunk, raw)
            raise
        arrays = {name: tensor.numpy() for name, tensor in encoded.items()}
        return arrays | ({_ROWS: arrays[_ROWS] + chunk.start} if _ROWS in arrays else {})

    def _raise_undecodable(self, images: Images, chunk: slice, raw: Sequence[bytes]) -> None:
        problems = []
        for i, content in enumerate(raw, chunk.start):
            try:
                self._encode(tf.constant([content]))
            except tf.errors.InvalidArgumentError as error:
                problems.append(f"{images.name(i)}: {str(error.message).partition('{{')[2].partition('}} ')[2]}")
        raise DataError("TensorFlow cannot decode these images, though Pillow can:", problems)

    def _chunks(self) -> Iterator[slice]:
        texts = isinstance(self._inputs[0], str) if not isinstance(self._inputs, Images) else False
        first = 0
        while first < len(self._inputs):
            count = _OTHERS
            if texts:
                sizes = np.cumsum([len(text) for text in self._inputs[first : first + _TEXTS]])
                count = max(1, int((sizes <= _CHARACTERS).sum()))
            count = min(count, len(self._inputs) - first)
            yield slice(first, first + count)
            first += count


_MASK = ("inputs", "padding_mask")
_LENGTHS = ("", "lengths")
_ROWS = ("alignment", "rows")


def _flat(encoded: Any) -> dict[tuple[str, str], tf.Tensor]:
    """Tensors of an `Encoded` by part and name."""
    parts = {"inputs": encoded.inputs, "alignment": encoded.alignment}
    return {(part, name): tensor for part, tensors in parts.items() for name, tensor in tensors.items()}


def _is_ragged(name: tuple[str, str], shape: tf.TensorShape) -> bool:
    if None in shape[2:]:
        raise PluginError(
            f"Examples may vary in their number of tokens, the first dimension of an example, and in no other. "
            f"Received: {name[0]} {name[1]!r} of shape {tuple(shape)}"
        )
    return len(shape) > 1 and shape[1] is None


def _gathered(chunks: Iterator[Mapping[Any, np.ndarray]]) -> dict[Any, np.ndarray]:
    """The chunks of each column one after the other."""
    columns: dict[Any, Column] = {}
    for chunk in chunks:
        for name, array in chunk.items():
            columns.setdefault(name, Column()).append(array)
    return {name: column.array() for name, column in columns.items()}
