"""Finds the plugins that are installed, from metadata alone: nothing of a plugin is imported here."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import PurePath

from kerasft.hookspecs import API_VERSION

GROUP_PATTERN = re.compile(r"kerasft\.v(.+)")
# An id is part of `plugin/name` and of KERASFT_PLUGINS, where these characters and words have meanings.
ID_PATTERN = re.compile(r"(?!(all|none)$)[^\s/:,-][^\s/:,]*")


@dataclass(frozen=True, kw_only=True)
class Found:
    """An entry point of an installed distribution, not imported yet.

    Args:
        api: the version in the name of its group: ``"1"`` for ``kerasft.v1``.
        problem: why it cannot even be read; empty when it can.
    """

    id: str
    distribution: str
    version: str
    module: str = ""
    api: str = str(API_VERSION)
    problem: str = ""


def canonical(distribution: str) -> str:
    """The name as package indexes compare it (PEP 503): ``Kerasft_Bert`` and ``kerasft-bert`` are one."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def scan() -> list[Found]:
    """Every kerasft plugin of every distribution on ``sys.path``, of whatever API version.

    Returns:
        Plugins ordered by id, then distribution, so that nothing depends on the order of ``sys.path``.
    """
    found: set[Found] = set()
    for distribution in metadata.distributions():
        try:
            if "kerasft.v" not in (distribution.read_text("entry_points.txt") or ""):
                continue
            # It may lie on sys.path twice, as editable and as installed; importlib's answer is the first.
            found.update(_plugins(metadata.distribution(_field(distribution, "Name"))))
        except Exception as error:
            found.add(_unreadable(distribution, error))
    return sorted(found, key=lambda f: (f.id, canonical(f.distribution), f.version, f.module))


def _plugins(distribution: metadata.Distribution) -> Iterable[Found]:
    by_id: dict[str, dict[str, list[str]]] = {}
    for entry in distribution.entry_points:
        if match := GROUP_PATTERN.fullmatch(entry.group):
            by_id.setdefault(entry.name, {}).setdefault(match[1], []).append(entry.value)
    for id, modules in by_id.items():
        # One release may serve several API versions: what it declares for the others is not our business.
        api = str(API_VERSION) if str(API_VERSION) in modules else max(modules)
        yield Found(
            id=id,
            distribution=_field(distribution, "Name"),
            version=_field(distribution, "Version"),
            module=modules[api][0],
            api=api,
            problem=_problem(id, modules[api]),
        )


def _field(distribution: metadata.Distribution, name: str) -> str:
    # A half-removed distribution has entry points and no METADATA; importlib then says None, or raises.
    if not (value := distribution.metadata[name]):
        raise ValueError(f"its METADATA has no {name}")
    return str(value)


def _problem(id: str, modules: list[str]) -> str:
    if not ID_PATTERN.fullmatch(id):
        return f"a plugin id has no space / : or comma, begins with no '-', and is not all or none: {id!r}"
    if len(set(modules)) > 1:
        return f"its distribution declares it for several modules: {', '.join(modules)}"
    if not metadata.EntryPoint.pattern.match(modules[0]):
        return f"its entry point names {modules[0]!r}, which is not a module"
    return ""


def _unreadable(distribution: metadata.Distribution, error: Exception) -> Found:
    """Stands for a distribution whose metadata is damaged; the name of its directory is all that is left."""
    path = PurePath(str(getattr(distribution, "_path", "unknown")))
    name, _, version = path.stem.partition("-")
    reason = " ".join(f"cannot read {path}: {type(error).__name__}: {error}".split())
    return Found(id=name, distribution=name, version=version, problem=reason)
