"""Raw inputs made ready for the model: texts once before training, other inputs batch by batch."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from kerasft.backbone import Backbone
from kerasft.engine.table import Table
from kerasft.errors import PluginError

# Texts tokenized at a time. Characters bound the memory, however long a single document is.
_TEXTS, _CHARACTERS = 512, 1 << 20
_WORKERS = 2
_PROBES = 16  # inputs whose preprocessing stands for that of all in a digest


class Encodings:
    """The inputs of all examples, from which batches are gathered in graph operations.

    Texts are tokenized here, once, and kept without padding in memory-mapped files. Inputs of a fixed size, such as
    images, are preprocessed when they are gathered.

    Args:
        backbone: whose preprocessing it is.
        inputs: raw, for example strings.

    Attributes:
        lengths: tokens of each example, int64; None if inputs are of a fixed size.
        limit: most tokens of a text, if the preprocessing has such a limit.

    Raises:
        PluginError: an input of the model varies in another way than by its number of tokens.
    """

    def __init__(self, backbone: Backbone, inputs: Sequence[Any]):
        self._backbone = backbone
        self._raw = tf.constant(list(inputs))
        spec = tf.TensorSpec([None, *self._raw.shape[1:]], self._raw.dtype)
        self._encode = tf.function(lambda raw: _flat(backbone.preprocess(raw)), [spec], autograph=False)
        outputs = self._encode.get_concrete_function().structured_outputs
        shapes = {name: tensor.shape for name, tensor in outputs.items()}
        self._ragged = frozenset(name for name, shape in shapes.items() if _is_ragged(name, shape))
        self.lengths: np.ndarray | None = None
        self.limit: int | None = getattr(backbone.preprocess, "length", None)
        if self._ragged:
            if _MASK not in shapes:
                raise PluginError("A text model has an input padding_mask. Received: " + ", ".join(map(str, shapes)))
            columns = _mapped(self._rows())
            self.lengths = columns.pop(_LENGTHS).astype(np.int64)
            padding = {("inputs", name): value for name, value in backbone.padding.items()}
            self._table = Table(columns, self.lengths, self._ragged, padding)
            self._columns: Mapping[Any, np.ndarray] = columns
        else:
            self._table = Table({"raw": self._raw})

    def __len__(self) -> int:
        return int(self._raw.shape[0])

    def gather(self, index: tf.Tensor, length: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Model inputs and alignment of these examples, padded to `length` tokens; in graph operations."""
        rows = self._table.gather(index, length)
        if self.lengths is None:
            rows = _flat(self._backbone.preprocess(rows["raw"]))
        parts: dict[str, dict[str, tf.Tensor]] = {"inputs": {}, "alignment": {}}
        for (part, name), tensor in rows.items():
            parts[part][name] = tensor
        return parts["inputs"], parts["alignment"]

    def digest(self) -> str:
        """sha256 of what the model would read."""
        found = hashlib.sha256()
        if self.lengths is not None:
            found.update(self.lengths.tobytes())
            columns = self._columns
        else:
            # Their preprocessing would take as long as what this is to save: a few stand for all.
            spread = np.linspace(0, len(self) - 1, min(len(self), _PROBES)).astype(np.int64)
            encoded = self._encode(tf.gather(self._raw, spread))
            columns = {name: tensor.numpy() for name, tensor in encoded.items()}
            raw = self._raw.numpy()
            found.update(repr(list(raw)).encode() if raw.dtype == object else raw.tobytes())
        for name, array in sorted(columns.items()):
            found.update(f"{name} {array.dtype} {array.shape}".encode())
            found.update(repr(list(array)).encode() if array.dtype == object else array.tobytes())
        return found.hexdigest()

    def _rows(self) -> Iterator[dict[Any, np.ndarray]]:
        """Arrays of the rows of one chunk of texts after the other, without padding."""
        with ThreadPoolExecutor(_WORKERS) as pool:
            for encoded in pool.map(self._encode, self._chunks()):
                arrays = {name: tensor.numpy() for name, tensor in encoded.items()}
                mask = arrays[_MASK].astype(bool)
                rows = {name: a[mask] if name in self._ragged else a for name, a in arrays.items()}
                yield {**rows, _LENGTHS: mask.sum(axis=1)}

    def _chunks(self) -> Iterator[tf.Tensor]:
        sizes = tf.strings.length(self._raw).numpy() if self._raw.dtype == tf.string else np.ones(len(self), int)
        first = 0
        while first < len(self):
            within = np.cumsum(sizes[first : first + _TEXTS]) <= _CHARACTERS
            count = max(1, int(within.sum()))
            yield self._raw[first : first + count]
            first += count


_MASK = ("inputs", "padding_mask")
_LENGTHS = ("", "lengths")


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


def _mapped(chunks: Iterator[Mapping[Any, np.ndarray]]) -> dict[Any, np.ndarray]:
    """The chunks of each column one after the other, in files that vanish with the process."""
    columns: dict[Any, list[np.ndarray]] = {}
    for chunk in chunks:
        for name, array in chunk.items():
            columns.setdefault(name, []).append(array)
    return {name: _map(np.concatenate(arrays)) for name, arrays in columns.items()}


def _map(array: np.ndarray) -> np.ndarray:
    if array.dtype == object or not array.size:
        return array
    try:
        with tempfile.TemporaryFile() as file:
            array.tofile(file)
            # Copy on write: TensorFlow takes no memory that is read-only. Nothing is ever written.
            return np.memmap(file, dtype=array.dtype, mode="c", shape=array.shape)
    except OSError:  # no space, or no directory: memory holds it too
        return array
