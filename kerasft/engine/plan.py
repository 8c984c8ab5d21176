"""Which examples stand in which batch: small, pure and deterministic."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """An order of batches per epoch, a function of nothing but these fields.

    Args:
        examples: how many there are.
        batch_size: examples per batch; the last one of an epoch may be smaller.
        seed: of the shuffle; None keeps the order of the data.
    """

    examples: int
    batch_size: int
    seed: int | None = None

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return -(-self.examples // self.batch_size)

    def batches(self, epoch: int, start: int = 0) -> Iterator[np.ndarray]:
        """Index arrays (int64) of one epoch from the batch `start` on: from 0 every example exactly once."""
        order = np.arange(self.examples)
        if self.seed is not None:
            # One generator per epoch: epoch 7 does not depend on whether epoch 6 was drawn. Sorted by doubles rather
            # than shuffled: how `shuffle` draws integers depends on the platform.
            draws = np.random.Generator(np.random.PCG64([self.seed, epoch])).random(self.examples)
            order = np.argsort(draws, kind="stable")
        for first in range(start * self.batch_size, self.examples, self.batch_size):
            yield order[first : first + self.batch_size]
