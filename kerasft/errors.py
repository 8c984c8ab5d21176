"""Errors a user can act on.

Everything kerasft raises on purpose derives from `KerasftError`; the command line prints its message without a
traceback (``--debug`` shows it) and exits with `exit_code`.
"""

import difflib
from collections.abc import Callable, Iterable
from typing import Any


class KerasftError(Exception):
    """Base of every error with a message meant for the user."""

    exit_code = 1


class UsageError(KerasftError):
    """An argument, option or combination of them is wrong."""

    exit_code = 2


def all_at_once(*steps: Callable[[], Any]) -> list[Any]:
    """What each step returns; if some raise UsageError, one with all their messages.

    Raises:
        UsageError: at least one step did. If it was only one, it is that one.
    """
    results, errors = [], []
    for step in steps:
        try:
            results.append(step())
        except UsageError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise UsageError("\n".join(map(str, errors))) from errors[0]
    return results


class UnknownNameError(UsageError):
    """A backbone, preset, task, recipe, column or option does not exist.

    Args:
        kind: what was looked for, for example ``"backbone"``.
        name: the name as received.
        known: the names that do exist; the nearest ones are suggested.
        notes: further lines, for example which plugins failed to load.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], notes: Iterable[str] = ()):
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        lines = [f"There is no {kind} named {name!r}."]
        if near:
            lines.append("Did you mean " + " or ".join(near) + "?")
        elif known:
            shown = known[:12]
            lines.append(f"Known: {', '.join(shown)}{', …' if len(known) > len(shown) else ''}.")
        else:
            lines.append(f"No {kind} is installed.")
        super().__init__("\n".join([*lines, *notes]))
        self.name = name
        self.suggestions = near


class MissingExtraError(UsageError):
    """An optional dependency is needed: names the extra that brings it."""

    def __init__(self, package: str, extra: str, what: str):
        super().__init__(f"{what} needs {package}, which is not installed: pip install 'kerasft[{extra}]'")


class DataError(KerasftError):
    """The data cannot be used as it is. Every problem found is listed, with file and row."""

    exit_code = 2
    shown = 20

    def __init__(self, summary: str, problems: Iterable[str] = ()):
        self.problems = list(problems)
        lines = [summary, *(f"  {p}" for p in self.problems[: self.shown])]
        if len(self.problems) > self.shown:
            lines.append(f"  … and {len(self.problems) - self.shown} more")
        super().__init__("\n".join(lines))


class AssetError(KerasftError):
    """A handle could not be turned into local files."""


class PluginError(KerasftError):
    """A plugin failed to load or broke its contract."""


class ExportError(KerasftError):
    """The exported model could not be written, or does not equal the model it came from."""


class RunError(KerasftError):
    """A run directory is missing, incomplete, or already in use."""


class Interrupted(KerasftError):
    """Training was stopped by Ctrl-C; what was learned is kept."""

    exit_code = 130
