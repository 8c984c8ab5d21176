"""Outputs of the frozen part of a model: computed once, kept on disk, and shared by epochs, phases and runs."""

import hashlib
import math
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from kerasft import freezing, keras_private
from kerasft.engine.plan import BatchPlan
from kerasft.engine.store import LENGTHS, Column, Store
from kerasft.engine.table import Table
from kerasft.model import Split, TrainedModel

if TYPE_CHECKING:
    from kerasft.engine.views import Inputs

BATCH = 32  # examples of a fixed size that are computed at a time
_TOKENS = 1024  # of texts, padding included: what is between two products of matrices stays in the CPU's caches
_SHARD, _SHARD_BYTES = 4096, 1 << 27  # examples, and bytes, in memory until they are written
_PROBES = 8
_WORKERS = 2
# A frozen part that multiplies less per byte of its output is computed as fast as its output is read.
_WORTH = 4.0


@dataclass(frozen=True)
class Features:
    """Outputs of the frozen part for all examples.

    Args:
        table: one column per output, in order.
        computed: examples that were computed now; the others were in the cache.
        size: in bytes.
        note: what the user should know about the cache; may be empty.
    """

    table: Table
    computed: int
    size: int
    note: str


def is_worth_it(split: Split) -> bool:
    """Whether the frozen part multiplies enough for what it gives: an embedding alone does not."""
    kernels = kernel_weights(split.prefix)
    width = sum(math.prod(d or 1 for d in tensor.shape[1:]) for tensor in split.prefix.outputs)
    return 2 * kernels / (4 * width) > _WORTH


def obstacle(split: Split) -> str:
    """Why these outputs cannot be kept, in words; empty if they can be."""
    odd = [tensor for tensor in split.prefix.outputs if None in tensor.shape[2:]]
    return f"its output {odd[0].name} varies in more than its number of tokens" if odd else ""


def compute(
    model: TrainedModel,
    split: Split,
    inputs: "Inputs",
    store: Store,
    tell: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> Features:
    """The outputs of the frozen part, out of the store as far as they are there.

    They are keyed by what they depend on: the bits of its weights and inputs, and, for everything else (code,
    configuration, library versions, threads), the bits that it gives for a few examples here and now.

    Args:
        model: whose part it is.
        split: the model cut where its frozen part ends.
        inputs: all examples, or augmented copies of them.
        store: keeps them.
        tell: takes what the user should know while waiting, one line each.
        progress: is called with examples done and to do.

    Raises:
        StoreError: they cannot be kept, and the message says why.
    """
    frozen = Pass(split, inputs)
    examples = len(inputs)
    key = identity(model, split, inputs, frozen)

    def rows(some: range) -> Mapping[str, np.ndarray]:
        found = frozen.rows(some)
        progress(some.stop, examples)
        return found

    kept = store.fetch(
        key,
        frozen.columns,
        examples,
        shard=frozen.shard,
        size=frozen.size,
        compute=rows,
        tell=tell,
    )
    return Features(frozen.table(kept.arrays), kept.computed, frozen.size, kept.note)


def identity(model: TrainedModel, split: Split, inputs: "Inputs", frozen: "Pass") -> dict[str, str]:
    """What the outputs of the frozen part depend on."""
    return {
        "backbone": model.assembly.spec.name,
        "weights": freezing.digest_of(split.prefix.weights),
        "inputs": inputs.digest(),
        "probe": _digest(frozen.rows(range(min(_PROBES, frozen.examples)))),
    }


class Pass:
    """The frozen part, computed for a range of examples.

    Attributes:
        examples: in all.
        size: bytes of its outputs for all examples.
        shard: examples whose outputs are in memory until they are written.
    """

    def __init__(self, split: Split, inputs: "Inputs"):
        self.examples = len(inputs)
        self._lengths = inputs.lengths
        spec = tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int64)
        self._forward = tf.function(
            lambda index, length: keras.tree.flatten(split.prefix(inputs.gather(index, length)[0], training=False)),
            input_signature=spec,
            autograph=False,
        )
        self._outputs = [_column(str(i), tensor) for i, tensor in enumerate(split.prefix.outputs)]
        self.ragged = frozenset(column.name for column in self._outputs if column.ragged)
        own = [Column(name=LENGTHS, dtype="int64", shape=())] if self.ragged else []
        self.columns = [*self._outputs, *own]
        rows = {False: len(inputs), True: 0 if self._lengths is None else int(self._lengths.sum())}
        self.size = sum(rows[c.ragged] * math.prod(c.shape) * tf.as_dtype(c.dtype).size for c in self.columns)
        shard = min(_SHARD, _SHARD_BYTES * len(inputs) // max(1, self.size))
        self.shard = max(1, shard // BATCH) * BATCH  # so that batches of images are the same in whichever shards

    def plan(self, examples: range) -> BatchPlan:
        """The batches, of similar length, in which `rows` computes these examples."""
        lengths = None if self._lengths is None else self._lengths[examples.start : examples.stop]
        if lengths is None:
            return BatchPlan(examples=len(examples), batch_size=BATCH)
        return BatchPlan(examples=len(examples), batch_size=_TOKENS, batch_tokens=_TOKENS, lengths=lengths)

    def outputs(self, batches: Iterable[np.ndarray]) -> Generator[list[np.ndarray], None, None]:
        """Of one batch after the other, each padded to its longest text.

        Two are computed at a time: norms and activations leave a core idle, which then multiplies for the other one.
        """

        def one(index: np.ndarray) -> list[np.ndarray]:
            length = 0 if self._lengths is None else self._lengths[index].max()
            found = self._forward(tf.constant(index), tf.constant(length, tf.int64))
            return [tensor.numpy() for tensor in found]

        # To look for a better graph takes TensorFlow 0.2 s. It finds one for images (ViT 4 %, VGG 2 %), none for texts.
        better = nullcontext() if self._lengths is None else keras_private.graphs_as_traced()
        with ThreadPoolExecutor(_WORKERS) as pool, better:
            yield from pool.map(one, batches)

    def table(self, arrays: Mapping[str, np.ndarray]) -> Table:
        """What `rows` gave for all examples, to gather batches from."""
        columns = {name: array for name, array in arrays.items() if name != LENGTHS}
        return Table(columns, self._lengths, self.ragged)

    def rows(self, examples: range) -> dict[str, np.ndarray]:
        """Columns of these examples in their order; computed in batches of similar length."""
        plan = self.plan(examples)
        counts = np.ones(len(examples), np.int64) if plan.lengths is None else plan.lengths
        ends = np.cumsum(counts)
        found = {
            c.name: np.empty((ends[-1] if c.ragged else len(examples), *c.shape), tf.as_dtype(c.dtype).as_numpy_dtype)
            for c in self._outputs
        }
        batches = list(plan.batches(0))
        with closing(self.outputs(index + examples.start for index in batches)) as computed:
            for index, batch in zip(batches, computed, strict=True):
                for (name, rows), values in zip(found.items(), batch, strict=True):
                    if name not in self.ragged:
                        rows[index] = values
                        continue
                    for i, row in zip(index, values, strict=True):
                        rows[ends[i] - counts[i] : ends[i]] = row[: counts[i]]
        return {**found, LENGTHS: counts} if self.ragged else found


def _column(name: str, tensor: keras.KerasTensor) -> Column:
    ragged = len(tensor.shape) > 1 and tensor.shape[1] is None
    shape = tuple(tensor.shape[2:] if ragged else tensor.shape[1:])
    return Column(name=name, dtype=keras.backend.standardize_dtype(tensor.dtype), shape=shape, ragged=ragged)


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    found = hashlib.sha256()
    for name, array in arrays.items():
        found.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return found.hexdigest()


def kernel_weights(model: keras.Model) -> int:
    """Number of weights (scalars) that multiply: those of dense layers and convolutions."""
    layers = keras_private.inner_layers(model.layers)
    found = {id(v): math.prod(v.shape) for layer in layers for v in layer.weights if v.name == "kernel"}
    return sum(found.values())
