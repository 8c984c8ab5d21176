"""Which examples stand in which batch: small, pure and deterministic."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

WINDOW = 50
"""Batches among which texts are sorted by length: nearly as little padding as if all were, and still shuffled."""

_SHORTEST_STEP, _STEPS = 2, 32


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchPlan:
    """An order of batches per epoch, a function of nothing but these fields.

    Args:
        examples: how many there are.
        batch_size: most examples of a batch.
        seed: of the shuffle; None keeps the order of the data.
        lengths: tokens of each example; None if all are alike.
        sort: let examples of similar length stand together.
        limit: no batch is padded beyond so many tokens, however its length would be rounded.
        batch_tokens: most tokens of a batch, padding included; a single longer text is a batch of its own.
        classes: of each example, whole numbers: every epoch then draws equally often from each class, from a small one
            repeatedly, and from a large one not all.
    """

    examples: int
    batch_size: int
    seed: int | None = None
    lengths: np.ndarray | None = None
    sort: bool = True
    limit: int | None = None
    batch_tokens: int | None = None
    classes: np.ndarray | None = None

    def steps(self, epoch: int = 0) -> int:
        """Batches of an epoch; all have as many unless there is a limit of tokens."""
        if self.batch_tokens is None or self.lengths is None:
            return -(-self.examples // self.batch_size)
        return len(self._cuts(epoch)[1])

    def batches(self, epoch: int, start: int = 0) -> Iterator[np.ndarray]:
        """Index arrays (int64) of one epoch from the batch `start` on: from 0 every example exactly once."""
        order, cuts = self._cuts(epoch)
        for first, last in cuts[start:]:
            yield order[first:last]

    def length(self, index: np.ndarray) -> int:
        """To how many tokens the batch of these examples is padded; 0 if examples have no length."""
        if self.lengths is None or not len(index):
            return 0
        return int(self._rounded[index].max())

    def padding(self, epoch: int = 0) -> float:
        """Share of an epoch's tokens that is padding, a fraction of 1."""
        if self.lengths is None:
            return 0.0
        computed = sum(len(index) * self.length(index) for index in self.batches(epoch))
        real = sum(int(self.lengths[index].sum()) for index in self.batches(epoch))
        return 1 - real / max(1, computed)

    @functools.cached_property
    def _rounded(self) -> np.ndarray:
        """`lengths` as they are padded to."""
        assert self.lengths is not None
        rounded = round_up(self.lengths)
        return rounded if self.limit is None else np.minimum(rounded, self.limit)

    def _cuts(self, epoch: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """All examples of an epoch in their order, and where each batch begins and ends in it."""
        order = self._shuffled(epoch)
        if self.lengths is None:
            return order, [(first, min(first + self.batch_size, len(order))) for first in self._firsts(len(order))]
        cuts: list[tuple[int, int]] = []
        for begin in range(0, len(order), WINDOW * self.batch_size):
            window = order[begin : begin + WINDOW * self.batch_size]
            lengths = self._rounded[window]
            ranks = np.argsort(lengths, kind="stable") if self.sort else np.arange(len(window))
            pieces = [(int(ranks[a:b].min()), ranks[a:b]) for a, b in self._windowed(lengths[ranks])]
            # Not from short to long: by the first of their examples in the shuffle. If all are of one length, nothing
            # has moved.
            pieces.sort(key=lambda piece: piece[0])
            order[begin : begin + len(window)] = window[np.concatenate([piece for _, piece in pieces])]
            for _, piece in pieces:
                first = cuts[-1][1] if cuts else 0
                cuts.append((first, first + len(piece)))
        return order, cuts

    def _windowed(self, lengths: np.ndarray) -> Iterator[tuple[int, int]]:
        """Begin and end of batches of examples of these lengths."""
        if self.batch_tokens is None:
            yield from ((first, min(first + self.batch_size, len(lengths))) for first in self._firsts(len(lengths)))
            return
        first = 0
        while first < len(lengths):
            sizes = np.arange(1, self.batch_size + 1)[: len(lengths) - first]
            fits = sizes * np.maximum.accumulate(lengths[first : first + len(sizes)]) <= self.batch_tokens
            count = max(1, int(fits.sum()))
            yield first, first + count
            first += count

    def _firsts(self, count: int) -> range:
        return range(0, count, self.batch_size)

    def _shuffled(self, epoch: int) -> np.ndarray:
        if self.seed is None:
            return np.arange(self.examples)
        # One generator per epoch: epoch 7 does not depend on whether epoch 6 was drawn. Sorted by doubles rather than
        # shuffled: how `shuffle` draws integers depends on the platform.
        generator = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        order = np.argsort(generator.random(self.examples), kind="stable")
        if self.classes is None:
            return order
        kinds = [order[self.classes[order] == kind] for kind in np.unique(self.classes)]
        # One from each class in turn, and each class from its beginning again when it is used up.
        drawn = np.stack([np.resize(kind, -(-self.examples // len(kinds))) for kind in kinds], axis=1)
        drawn = drawn.ravel()[: self.examples]
        return drawn[np.argsort(generator.random(self.examples), kind="stable")]


def round_up(lengths: np.ndarray) -> np.ndarray:
    """Lengths rounded up, so that batches come in few shapes: in steps of 2 to 64, of 4 to 128, of 8 to 256, …

    A new shape costs nothing measurable on a CPU, where the graph is the same for all, and a step of twice that three
    percent of the time with texts of thirty tokens.
    """
    powers = 2 ** np.ceil(np.log2(np.maximum(lengths, 1))).astype(np.int64)
    step = np.maximum(_SHORTEST_STEP, powers // _STEPS)
    return -(-lengths // step) * step


def shards(index: np.ndarray, replicas: int) -> Sequence[np.ndarray]:
    """One batch spread over replicas, as evenly as it can be: disjoint, and together the whole."""
    return [index] if replicas == 1 else np.array_split(index, replicas)
