"""CSV (RFC 4180) and TSV files.

Every value is text: what looks like a number may be a class named ``001``. A task that wants numbers converts
them. An empty cell without quotes is null. The first record is the header.
"""

import csv
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc

from kerasft.data.delimited_lines import header, scan
from kerasft.data.examples import Examples, Locate
from kerasft.data.tables import check_names, plain_table
from kerasft.data.text_files import read_text
from kerasft.errors import DataError

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_BLOCK = 1 << 26  # bytes that arrow parses at a time, and so the longest possible record


def read_delimited(path: Path, source: str, encoding: str) -> Examples:
    """Reads a CSV or TSV file.

    TSV files are written both with quoting (spreadsheets) and without (most corpora). One whose quotes break
    the rules of quoting has none: it is read with quotes as plain characters, and a note says so.

    Raises:
        DataError: not decodable, empty, header only, unsound quoting, rows with too few or too many cells, or
            columns of the same name. All bad rows are listed with their line.
    """
    delimiter = DELIMITERS[path.suffix.lower()]
    text, notes = read_text(path, source, encoding)
    if not text.strip():
        raise DataError(f"{source} is empty: expected a header line and one line per example.")
    unsound = scan(text, delimiter).unsound if '"' in text else []
    quoting = not unsound or delimiter == ","
    if unsound and quoting:
        raise _unsound(source, unsound)
    if unsound:
        notes += (f"{source}:{unsound[0]}: quotes do not pair up, so every quote is kept as text.",)
    names = _names(text, delimiter, source, quoting)
    table = _parse(text, delimiter, names, source, quoting)
    locate = _locator(path, source, encoding, delimiter, quoting)
    return Examples(plain_table(table, source), source, notes, locate)


def _names(text: str, delimiter: str, source: str, quoting: bool) -> list[str]:
    """The column names, without blanks around them."""
    first = header(text, delimiter, quoting)
    cells = next(csv.reader([first], delimiter=delimiter)) if quoting else first.split(delimiter)
    names = [cell.strip() for cell in cells]
    check_names(names, f"{source}, header line")
    foreign = [mark for mark in (",", ";", "\t", "|") if mark in names[0] and len(names) == 1]
    if foreign:
        raise DataError(
            f"{source} has a single column named {names[0]!r}: its cells must be separated by {delimiter!r}, "
            f"not {foreign[0]!r} (.csv: commas, .tsv: tabs)."
        )
    return names


def _parse(text: str, delimiter: str, names: list[str], source: str, quoting: bool) -> pa.Table:
    ragged: list[tuple[int, int, str]] = []

    def collect(row: pc.InvalidRow) -> str:
        ragged.append((row.number - 1, row.actual_columns, row.text))
        return "skip"  # to see the others too; the file is refused below

    keys = [str(i) for i in range(len(names))]
    try:
        table = pc.read_csv(
            io.BytesIO(text.encode()),
            read_options=pc.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=keys),
            parse_options=pc.ParseOptions(
                delimiter=delimiter,
                quote_char='"' if quoting else False,
                double_quote=quoting,
                newlines_in_values=quoting,
                invalid_row_handler=collect,
            ),
            convert_options=pc.ConvertOptions(
                column_types=dict.fromkeys(keys, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"{source} cannot be read: {error}") from error
    if ragged:
        raise _ragged(source, scan(text, delimiter, quoting).lines.tolist(), names, ragged)
    if table.num_rows < 2:
        raise DataError(f"{source} has a header ({', '.join(names)}) but no examples.")
    return table.slice(1).rename_columns(names)


def _ragged(source: str, lines: list[int], names: list[str], rows: list[tuple[int, int, str]]) -> DataError:
    problems = [
        f"{source}:{lines[record]}: found {found}: {row if len(row) <= 60 else row[:60] + '…'!r}"
        for record, found, row in rows
    ]
    wanted = f"expected {len(names)} cells per row ({', '.join(names)})"
    return DataError(f"{source}: {wanted}; a cell that holds the separator needs quotes:", problems)


def _unsound(source: str, lines: list[int]) -> DataError:
    rule = 'a quote at the start of a cell is closed at its end, and written twice ("") inside'
    summary = f"{source} has rows whose quotes do not pair up ({rule}):"
    return DataError(summary, [f"{source}:{line}" for line in lines])


def _locator(path: Path, source: str, encoding: str, delimiter: str, quoting: bool) -> Locate:
    """Names rows by line. The lines are counted when the first is asked for: most runs never ask."""
    lines: list[int] = []

    def locate(row: int) -> str:
        if not lines:
            lines.extend(scan(read_text(path, source, encoding)[0], delimiter, quoting).lines.tolist())
        return f"{source}:{lines[row + 1]}"  # after the header

    return locate
