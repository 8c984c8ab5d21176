"""What can go wrong with an asset."""

import errno
from pathlib import Path

from kerasft.errors import AssetError, UsageError

# Errors of a full, limited or write-protected disk: another source would meet them too.
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DISK = DISK_FULL | {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EIO}


class HandleError(AssetError, UsageError):
    """A handle is not written as it should be (exit code 2)."""


class SourceError(AssetError):
    """One source did not give its files; its message is one line, and another source may do better."""


class CacheError(AssetError):
    """The cache cannot be read or written. Trying another source would not help."""

    def __init__(self, directory: Path, error: OSError):
        where = f" ({error.filename})" if error.filename else ""
        super().__init__(
            f"Cannot use the cache {directory}: {error.strerror or error}{where}.\n"
            "Free some space or the permissions there, or set KERASFT_CACHE to a directory you can write to."
        )


def is_disk_error(error: BaseException) -> bool:
    """True for trouble with local files; network libraries derive their errors from OSError as well."""
    return isinstance(error, OSError) and error.errno in _DISK


def one_line(error: BaseException | str, limit: int = 300) -> str:
    """The first line that says something, at most `limit` characters, for lists of sources that failed."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"
