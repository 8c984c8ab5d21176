"""Examples: a table that still knows where each of its rows came from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from kerasft.errors import UnknownNameError

Locate = Callable[[int], str]
"""From a row number, counted from 0, to the words a user finds that row by."""


@dataclass(frozen=True, eq=False)
class Examples:
    """What was read, one row per example.

    Args:
        table: the columns, with the types they were read with.
        source: the source as the user wrote it, for messages.
        notes: what the user should hear about the reading, such as files that were not read; the caller shows
            them.
        locate: names a row of the source; by default ``"<source> row <n>"`` with ``n`` counted from 1.
        folder: where the relative paths in its columns begin.
        rows: for each row of `table`, its row number in the source; None when they are the same.
    """

    table: pa.Table
    source: str
    notes: tuple[str, ...] = ()
    locate: Locate | None = field(default=None, repr=False)
    folder: Path = Path()
    rows: np.ndarray | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return self.table.num_rows

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in the order of the source."""
        return list(self.table.column_names)

    def arrow(self, name: str) -> pa.ChunkedArray:
        """One column as arrow values.

        Raises:
            UnknownNameError: there is no such column.
        """
        if name not in self.table.column_names:
            raise UnknownNameError("column", name, self.table.column_names, [f"Read from {self.source}."])
        return self.table.column(name)

    def column(self, name: str) -> list:
        """One column as Python values, None where it is null.

        Raises:
            UnknownNameError: there is no such column.
        """
        return self.arrow(name).to_pylist()

    def take(self, indices: Sequence[int] | np.ndarray) -> "Examples":
        """The rows at `indices`, in that order; `where` still names their place in the source."""
        chosen = np.asarray(indices, np.int64)
        rows = chosen if self.rows is None else self.rows[chosen]
        return replace(self, table=self.table.take(pa.array(chosen)), rows=rows)

    def where(self, index: int) -> str:
        """Where row `index` of this table stands in its source, for example ``"news.csv:12"``."""
        row = int(index if self.rows is None else self.rows[index])
        return self.locate(row) if self.locate else f"{self.source} row {row + 1}"
