"""Memory of this process: what the system counts, what is kept, and what to do when it is not enough."""

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kerasft.errors import KerasftError

if TYPE_CHECKING:
    from kerasft.engine.settings import Settings

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# Options of glibc's `mallopt`, from its malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_MEMINFO, _CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")


def peak() -> int:
    """Bytes: the most that was resident since `forget_peak`; where that cannot be told, since the process began."""
    found = _field(_STATUS, "VmHWM")
    if found:
        return found
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak(*, give_back: bool = False) -> None:
    """From here on `peak` counts anew, if the system can.

    Args:
        give_back: return free memory to the system first, as a process that has not yet used it.
    """
    gc.collect()
    if give_back:
        _trim()
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")  # to the kernel: the high-water mark


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Memory that a tensor gives free is kept for the next one. Only glibc can be told so; elsewhere nothing is done.

    Left alone it gives every large block back to the system and gets it again a page at a time, which took about a
    tenth of the time of training a small BERT on batches of many lengths. The peak of memory is the same.
    """
    _set_malloc({_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1})
    try:
        yield
    finally:
        # glibc no longer adapts these by itself. They are the largest that it would come to.
        _set_malloc({_MMAP_MAX: 65_536, _MMAP_THRESHOLD: 2**25, _TRIM_THRESHOLD: 2**26})
        _trim()


def _set_malloc(options: dict[int, int]) -> None:
    with contextlib.suppress(OSError, AttributeError, TypeError):
        for option, value in options.items():
            ctypes.CDLL(None).mallopt(option, value)


def _trim() -> None:
    with contextlib.suppress(OSError, AttributeError, TypeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def shortage_named(settings: "Settings", length: int | None = None) -> Iterator[None]:
    """Where memory is not enough, says what would need less.

    Raises:
        KerasftError: instead of the error of TensorFlow or of Python.
    """
    import tensorflow as tf

    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        pieces = min(settings.batch_size, 2 * settings.accumulation)
        advice = []
        if pieces > settings.accumulation:
            advice.append(f"--accumulation {pieces} (less at a time)")
        if settings.batch_size > 1:
            advice.append(f"--batch-size {settings.batch_size // 2}")
        advice.append(f"--length {length // 2}" if length else "smaller inputs")
        raise KerasftError(
            f"Memory is not enough for batches of {settings.batch_size} in {settings.accumulation} pieces. Try "
            f"{', or '.join(advice)}."
        ) from error


def available() -> int:
    """Bytes that this process could have: what is free, and what it has already; 0 if the system does not say."""
    free = _field(_MEMINFO, "MemAvailable")
    if not free:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return 0
    found = free + _field(_STATUS, "VmRSS")
    with contextlib.suppress(OSError, ValueError):  # "max" is no number
        found = min(found, int(_CGROUP.read_text()))
    return found


def _field(file: Path, name: str) -> int:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(name + ":")), 0)
