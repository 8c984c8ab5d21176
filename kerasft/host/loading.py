"""Loads every installed plugin once per process, and decides which may load."""

import functools
from collections.abc import Iterable
from typing import Any

from kerasft.hookspecs import API_VERSION, GROUP
from kerasft.host import selection
from kerasft.host.isolate import Broken, Contents, load_apart, report
from kerasft.host.lookup import Host
from kerasft.host.records import Plugin, Status
from kerasft.host.scan import Found, scan


@functools.cache
def load() -> Host:
    """The plugin host of this process. ``load.cache_clear()`` makes the next call start afresh.

    Raises:
        UnknownNameError: ``KERASFT_PLUGINS`` names a plugin that is not installed.
        PluginError: a plugin is broken and ``KERASFT_STRICT=1``; the original exception is the cause.
    """
    installed = scan()
    selected = selection.read()
    selected.check(installed)
    # Everything that metadata can decide is decided before the first plugin is imported.
    allowed = [found for found in installed if selected.allows(found)]
    refused = {found: reason for found in allowed if (reason := _refusal(found, allowed))}
    return Host((_load_one(found, refused.get(found)) if found in allowed else _blocked(found)) for found in installed)


def block(ids: Iterable[str]) -> None:
    """Blocks plugins in this process and its children, besides those blocked already (``--block ID``).

    Args:
        ids: plugin ids, or ``distribution:id``. One that is not installed is refused by the next `load`.
    """
    selection.add_blocks(ids)
    load.cache_clear()


def no_plugins() -> None:
    """Blocks every plugin in this process and its children (``--no-plugins``)."""
    selection.choose_none()
    load.cache_clear()


def _refusal(found: Found, allowed: list[Found]) -> Broken | None:
    if found.problem:
        return Broken("scan", found.problem)
    if found.api != str(API_VERSION):
        return Broken("version", f"it is written for kerasft.v{found.api}, this kerasft speaks {GROUP}")
    rivals = [other for other in allowed if other.id == found.id and other.api == found.api and not other.problem]
    if len(rivals) == 1:
        return None
    brought = " and ".join(f"{rival.distribution} {rival.version}" for rival in rivals)
    blocks = " or ".join(f"--block {rival.distribution}:{rival.id}" for rival in rivals)
    return Broken("conflict", f"its id is claimed by {brought}; none loads until you {blocks}")


def _load_one(found: Found, refusal: Broken | None) -> tuple[Plugin, Contents]:
    try:
        if refusal:
            raise refusal
        contents = load_apart(found)
    except Broken as broken:
        status: Status = "conflict" if broken.phase == "conflict" else "failed"
        plugin = _record(found, status, phase=broken.phase, reason=broken.reason)
        report(plugin, broken.__cause__)
        return plugin, Contents()
    plugin = _record(
        found,
        "loaded",
        backbones=tuple(spec.name for spec in contents.backbones),
        tasks=tuple(spec.name for spec in contents.tasks),
        recipes=tuple(spec.name for spec in contents.recipes),
    )
    return plugin, contents


def _blocked(found: Found) -> tuple[Plugin, Contents]:
    return _record(found, "blocked", reason=f"{selection.VARIABLE}={selection.current()}"), Contents()


def _record(found: Found, status: Status, **outcome: Any) -> Plugin:
    return Plugin(
        id=found.id,
        distribution=found.distribution,
        version=found.version,
        module=found.module,
        status=status,
        **outcome,
    )
