"""An array that grows chunk by chunk, in a file that vanishes with the process."""

import tempfile
from typing import IO

import numpy as np


class Column:
    """Arrays one after the other along their first axis, of one type; memory holds what no file can."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._chunks: list[np.ndarray] = []  # in memory
        self._shape: tuple[int, ...] = ()
        self._dtype: np.dtype = np.dtype(object)

    def append(self, chunk: np.ndarray) -> None:
        """One more chunk."""
        first = not self._shape
        if first:
            self._shape, self._dtype = (0, *chunk.shape[1:]), chunk.dtype
        rows = len(chunk) + self._shape[0]
        if self._dtype.kind != "O" and not self._chunks:
            try:
                self._file = tempfile.TemporaryFile() if first else self._file  # noqa: SIM115 (mapped until the end)
                if self._file is not None:
                    chunk.tofile(self._file)
                    self._shape = (rows, *self._shape[1:])
                    return
            except OSError:  # no space, or no directory: memory holds it too
                self._chunks = [self.array().copy()]
        self._chunks.append(chunk)
        self._shape = (rows, *self._shape[1:])

    def array(self) -> np.ndarray:
        """All of it."""
        if self._chunks:
            return np.concatenate(self._chunks)
        if self._file is None or not np.prod(self._shape):
            return np.zeros(self._shape, self._dtype)
        # Copy on write: TensorFlow takes no memory that is read-only. Nothing is ever written.
        self._file.flush()
        return np.memmap(self._file, dtype=self._dtype, mode="c", shape=self._shape)
