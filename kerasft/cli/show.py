"""Tables on the terminal."""

import shutil
import sys
from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints columns aligned with two spaces between them; the last one is cut at the edge of a terminal."""
    cells = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    edge = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip()[:edge])
