"""Formats → examples → columns, checks and splits.

Everything here is plain tables; tensorflow, pandas and tensorflow_datasets are imported only by the readers
that need them.
"""

from kerasft.data.checks import check_labels, check_text
from kerasft.data.columns import Columns, columns_of_part, infer_columns, joined
from kerasft.data.examples import Examples
from kerasft.data.fingerprint import fingerprint
from kerasft.data.images import Images
from kerasft.data.read import read
from kerasft.data.splits import Split, duplicates, repeats, split

__all__ = [
    "Columns",
    "Examples",
    "Images",
    "Split",
    "check_labels",
    "check_text",
    "columns_of_part",
    "duplicates",
    "fingerprint",
    "infer_columns",
    "joined",
    "read",
    "repeats",
    "split",
]
