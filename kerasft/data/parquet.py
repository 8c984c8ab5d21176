"""Apache Parquet files."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kerasft.data.examples import Examples
from kerasft.data.tables import plain_table
from kerasft.errors import DataError


def read_parquet(path: Path, source: str, encoding: str) -> Examples:
    """Reads a Parquet file, keeping its types; text in it is UTF-8 by the format, so `encoding` has no say.

    Raises:
        DataError: not a Parquet file, damaged, without rows, or with columns of the same name.
    """
    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{source} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    return Examples(plain_table(table, source), source)
