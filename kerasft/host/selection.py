"""Which plugins may load: the variable ``KERASFT_PLUGINS``, the one mechanism behind every way of blocking.

    unset, "" or "all"    every plugin
    "none"                no plugin
    "bert,ner"            only these
    "-bert,-ner"          all but these
    "bert,ner,-ner"       names first choose, names with "-" then take away

A name is a plugin id, or ``distribution:id`` where two distributions bring the same id.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

from kerasft.errors import UnknownNameError
from kerasft.host.scan import Found, canonical

VARIABLE = "KERASFT_PLUGINS"


@dataclass(frozen=True)
class Selection:
    """The value of ``KERASFT_PLUGINS``, taken apart.

    Args:
        chosen: the only plugins that may load; None for all.
        blocked: plugins that may not load, even if chosen.
    """

    chosen: tuple[str, ...] | None
    blocked: tuple[str, ...]

    def allows(self, found: Found) -> bool:
        """Whether this plugin may load."""
        chosen = self.chosen is None or any(_names(item, found) for item in self.chosen)
        return chosen and not any(_names(item, found) for item in self.blocked)

    def check(self, installed: Iterable[Found]) -> None:
        """Refuses names that match no installed plugin, since a misspelt block would block nothing.

        Raises:
            UnknownNameError: with the nearest ids.
        """
        installed = list(installed)
        for item in [*(self.chosen or ()), *self.blocked]:
            if not any(_names(item, found) for found in installed):
                known = {found.id for found in installed}
                if ":" in item:
                    known = {f"{found.distribution}:{found.id}" for found in installed}
                raise UnknownNameError("plugin", item, known, [f"It is named by {VARIABLE}={current()}"])


def current() -> str:
    """The variable as it stands; empty when unset."""
    return os.environ.get(VARIABLE, "")


def read() -> Selection:
    """What the environment says now."""
    items = _items(current())
    chosen = tuple(item for item in items if not item.startswith("-"))
    blocked = tuple(item[1:] for item in items if item.startswith("-"))
    if "none" in chosen:
        return Selection((), blocked)
    return Selection(None if not chosen or "all" in chosen else chosen, blocked)


def add_blocks(ids: Iterable[str]) -> None:
    """Blocks these ids on top of what the variable says already."""
    items = [*_items(current()), *(f"-{id}" for id in ids)]
    if items:
        os.environ[VARIABLE] = ",".join(items)


def choose_none() -> None:
    """Lets no plugin load, whatever the variable said."""
    os.environ[VARIABLE] = "none"


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _names(item: str, found: Found) -> bool:
    distribution, _, id = item.rpartition(":")
    return id == found.id and (not distribution or canonical(distribution) == canonical(found.distribution))
