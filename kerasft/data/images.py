"""Images as they stand in data: paths, the bytes of files, or arrays. They are read one by one, never all at once."""

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"})
"""Of image files, in lower case."""

_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"RIFF", b"II*\x00", b"MM\x00*")
_TENSORFLOW_READS = ("JPEG", "MPO", "PNG")
_WORKERS = 2
_DRAFT = (64, 64)  # a JPEG is checked at the smallest of its scales: every byte is read, few pixels are computed
_SHOWN = 12  # bytes of what is no image


class Checked(NamedTuple):
    """What reading one image found.

    Args:
        problem: why it cannot be used; empty if it can.
        digest: sha256 of its file.
        notes: what is odd about it.
    """

    problem: str
    digest: bytes
    notes: tuple[str, ...] = ()


class Images(Sequence[bytes]):
    """The images of a column, as contents of JPEG or PNG files.

    Other formats, such as WebP, GIF (its first frame) and TIFF, are given as PNG.

    Args:
        values: paths, bytes, or ``{"bytes", "path"}`` as Hugging Face datasets writes into Parquet.
        folder: where relative paths begin.
        where: names a row for messages.
    """

    def __init__(self, values: Sequence[Any], folder: Path, where: Callable[[int], str]):
        self._values = values
        self._folder = folder
        self._where = where
        self._checked: list[Checked] | None = None

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> Any:
        """The content of one file. A slice gives a list.

        Raises:
            OSError: the file cannot be read, or is no image.
        """
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return as_tensorflow_reads(self._content(index))

    def __iter__(self) -> Iterator[bytes]:
        return (self[i] for i in range(len(self)))

    def take(self, indices: Sequence[int] | np.ndarray) -> "Images":
        """Those at `indices`, in that order, with what is known of them."""
        chosen = [int(i) for i in indices]
        taken = Images([self._values[i] for i in chosen], self._folder, lambda i: self._where(chosen[i]))
        taken._checked = None if self._checked is None else [self._checked[i] for i in chosen]
        return taken

    def name(self, index: int) -> str:
        """A path as it stands in the data, or the place of an image that has none."""
        value = self._values[index]
        path = value.get("path") if isinstance(value, Mapping) else value
        return str(path) if isinstance(path, str | Path) else self._where(index)

    def problems(self) -> list[str]:
        """One line for each image that is missing, empty, damaged or no image."""
        found = ((i, checked.problem) for i, checked in enumerate(self._check()))
        return [f"{self._where(i)}: {problem}" for i, problem in found if problem]

    def notes(self) -> list[str]:
        """What was done with odd images, one line for each kind of oddity."""
        counts = Counter(note for checked in self._check() for note in checked.notes)
        return [f"{count} of {len(self)} images {note}." for note, count in sorted(counts.items())]

    def digests(self) -> list[bytes]:
        """sha256 of each file."""
        return [checked.digest for checked in self._check()]

    def _check(self) -> list[Checked]:
        """Every file is read to its end, once."""
        if self._checked is None:
            with ThreadPoolExecutor(_WORKERS) as pool:
                self._checked = list(pool.map(self._check_one, range(len(self))))
        return self._checked

    def _check_one(self, index: int) -> Checked:
        try:
            content = self._content(index)
            return Checked("", hashlib.sha256(content).digest(), tuple(_read_to_its_end(content)))
        except OSError as error:
            return Checked(self._problem(index, error), b"")

    def _content(self, index: int) -> bytes:
        value = self._values[index]
        if isinstance(value, Mapping):
            value = value.get("bytes") or value.get("path")
        if isinstance(value, bytes):
            return value
        if not isinstance(value, str | Path) or not str(value).strip():
            raise OSError("is missing" if value is None else f"is no path and no image: {str(value)[:60]!r}")
        return (self._folder / value).read_bytes()

    def _problem(self, index: int, error: OSError) -> str:
        value = self._values[index]
        named = value.get("path") if isinstance(value, Mapping) else value
        reason = {"FileNotFoundError": "there is no such file", "IsADirectoryError": "is a folder"}.get(
            type(error).__name__, error.strerror or str(error)
        )
        # A folder names its rows by their files already.
        name = "" if not isinstance(named, str) or named in self._where(index) else f"{named}: "
        return name + reason


def as_tensorflow_reads(content: bytes) -> bytes:
    """The content of a JPEG or PNG file as it is; of any other image, that of a PNG with the same upright pixels.

    Raises:
        OSError: it is no image.
    """
    if content.startswith(_STARTS[:2]):
        return content
    from PIL import ImageOps

    with _opened(content) as picture:
        return encode(ImageOps.exif_transpose(picture).convert("RGB"))


def encode(picture: Any) -> bytes:
    """A PNG of an array, uint8 of shape (height, width), (height, width, 1), (…, 3) or (…, 4), or of a Pillow image.

    Raises:
        ValueError: an array of another type or shape.
    """
    from PIL import Image

    if isinstance(picture, np.ndarray):
        channels = picture.shape[2] if picture.ndim == 3 else 1
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or channels not in (1, 3, 4):
            raise ValueError(
                "images as arrays are uint8 (0 to 255) of shape (height, width, 3), or with 1 or 4 channels. "
                f"Received: {picture.dtype} of shape {picture.shape}"
            )
        picture = Image.fromarray(picture[..., 0] if channels == 1 and picture.ndim == 3 else picture)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def image_row(value: Any) -> dict[str, Any]:
    """A path, the bytes of a file, or an array, as a column of images holds any of them."""
    if isinstance(value, np.ndarray):
        value = encode(value)
    return {"bytes": value, "path": None} if isinstance(value, bytes) else {"bytes": None, "path": str(value)}


def looks_like_image(value: Any) -> bool:
    """Whether a value is a path with the suffix of an image, or the bytes of one."""
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return value.startswith(_STARTS)
    return isinstance(value, str) and Path(value).suffix.lower() in SUFFIXES


def _opened(content: bytes) -> Any:
    from PIL import Image

    if not content:
        raise OSError("the file is empty")
    try:
        return Image.open(io.BytesIO(content))
    except Image.UnidentifiedImageError as error:
        raise OSError(f"is no image: it begins with {content[:_SHOWN]!r}") from error
    except Image.DecompressionBombError as error:
        raise OSError(str(error).partition(",")[0]) from error
    except (ValueError, SyntaxError) as error:  # Pillow's parsers
        raise OSError(f"is damaged: {error}") from error


def _read_to_its_end(content: bytes) -> Iterator[str]:
    """Raises OSError where a file ends too early; gives what is odd about it."""
    with _opened(content) as picture:
        kind, mode, frames = picture.format, picture.mode, getattr(picture, "n_frames", 1)
        clear = mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
        if kind not in _TENSORFLOW_READS:
            yield f"are {kind}, and are converted when they are read"
        if frames > 1 and kind != "MPO":
            yield "are animated: their first frame is used"
        if clear:
            yield "have transparency, which is left out"
        if mode.startswith("I"):
            yield "have 16 bits a channel: 8 are used"
        try:
            picture.draft("RGB", _DRAFT)
            picture.load()
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise OSError(f"is damaged: {error}") from error
