"""Standard output belongs to kerasft (``--json`` prints one object there), so libraries are kept from it."""

import contextlib
import logging
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def no_stdout(*loggers: str) -> Iterator[None]:
    """Sends what is printed inside to standard error; silences loggers that hold the real standard output."""
    levels = {name: logging.getLogger(name).level for name in loggers}
    try:
        with contextlib.redirect_stdout(sys.stderr):
            for name in loggers:
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
