"""Bytes of a file to text, in the encodings the user allowed."""

import codecs
from dataclasses import dataclass
from pathlib import Path

from kerasft.errors import DataError, UsageError


@dataclass(frozen=True)
class Decoded:
    """A file as text.

    Args:
        text: the content, without byte order mark; empty when there are problems.
        encoding: the encoding that fitted.
        problems: one line for each place that does not fit the first allowed encoding.
    """

    text: str
    encoding: str
    problems: tuple[str, ...] = ()


def read_bytes(path: Path, source: str) -> bytes:
    """The content of a file.

    Raises:
        DataError: the file cannot be opened or read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror or error}") from error


def read_text(path: Path, source: str, encoding: str) -> tuple[str, tuple[str, ...]]:
    """The text of one file, and a note if it is not in the first allowed encoding.

    Args:
        path: the file.
        source: its name in messages.
        encoding: a codec name, or several separated by commas, tried in order.

    Raises:
        DataError: the file cannot be read or fits none of the encodings; lists every such line.
        UsageError: there is no such encoding.
    """
    decoded = decode(read_bytes(path, source), source, encoding)
    if decoded.problems:
        raise not_decodable(source, encoding, decoded.problems)
    return decoded.text, encoding_notes([(source, decoded.encoding)], encoding)


def decode(data: bytes, name: str, encoding: str) -> Decoded:
    """Decodes with the first of the comma-separated encodings that fits; `name` stands in the problems."""
    allowed = encodings(encoding)
    for candidate in allowed:
        try:
            return Decoded(data.decode(candidate).removeprefix("\ufeff"), candidate)
        except UnicodeError:
            continue
    return Decoded("", "", tuple(_problems(data, name, allowed[0])))


def encodings(encoding: str) -> list[str]:
    """The codec names in a comma-separated list.

    Raises:
        UsageError: one of them is not a text encoding.
    """
    names = [name.strip() for name in encoding.split(",")]
    for name in names:
        try:
            b"x".decode(name)
        except LookupError:
            raise UsageError(
                f"There is no text encoding named {name!r}; try utf-8, latin-1, cp1252 or utf-16."
            ) from None
        except UnicodeError:
            pass  # one byte is not valid UTF-16, but the codec exists
    return names


def not_decodable(source: str, encoding: str, problems: tuple[str, ...] | list[str]) -> DataError:
    """The error for text that fits none of the allowed encodings, with the way out of it."""
    tried = " or ".join(_pretty(name) for name in encodings(encoding))
    summary = f"{source} is not {tried}."
    if "latin-1" not in encoding:
        summary += f" To read what is not as Latin-1, say --encoding {encoding},latin-1:"
    return DataError(summary, problems)


def encoding_notes(used: list[tuple[str, str]], encoding: str) -> tuple[str, ...]:
    """Says which files, given as (name, encoding), were not in the first allowed encoding."""
    first = encodings(encoding)[0]
    other = [f"{name} as {_pretty(codec)}" for name, codec in used if codec != first]
    return (f"Not {_pretty(first)}, so read {listing(other)}.",) if other else ()


def listing(names: list[str], shown: int = 5) -> str:
    """``"a, b, c"``, cut short after `shown` names with the number of those left out."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _problems(data: bytes, name: str, encoding: str) -> list[str]:
    """One line for each line of the file that does not decode; only the first for anything but UTF-8, whose
    line ends are not always the byte 0x0a."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return [f"{name}: byte 0x{data[0]:02x} at offset 0 starts a UTF-16 file: say --encoding utf-16"]
    by_line = codecs.lookup(encoding).name == "utf-8"
    problems, offset = [], 0
    for number, line in enumerate(data.split(b"\n") if by_line else [data], 1):
        try:
            line.decode(encoding)
        except UnicodeDecodeError as error:
            at = offset + error.start
            where = f"{name}:{number}: byte 0x{data[at]:02x} at offset {at}"
            problems.append(f"{where} is not {_pretty(encoding)}")
        except UnicodeError as error:
            problems.append(f"{name}: not {_pretty(encoding)} ({error})")
        offset += len(line) + 1
    return problems


def _pretty(encoding: str) -> str:
    name = codecs.lookup(encoding).name
    return {"utf-8": "UTF-8", "iso8859-1": "Latin-1"}.get(name, encoding)
