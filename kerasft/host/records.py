"""What the host knows about each plugin and about each object a plugin brings."""

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from kerasft.specs import BackboneSpec, RecipeSpec, TaskSpec, describe

Status = Literal["loaded", "blocked", "failed", "conflict"]
Phase = Literal["scan", "version", "conflict", "import", "hooks", "specs"]
SpecT = TypeVar("SpecT", BackboneSpec, TaskSpec, RecipeSpec)


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One installed plugin and what became of it.

    Args:
        id: name of its entry point; what ``--block`` takes.
        distribution: the installed package that declares it, as ``pip`` names it.
        version: version of that distribution.
        module: what the entry point names.
        status: ``"loaded"``, ``"blocked"`` (by ``KERASFT_PLUGINS``), ``"failed"``, or ``"conflict"`` (another
            distribution claims its id).
        phase: where it stopped, in this order: ``"scan"``, ``"version"``, ``"conflict"``, ``"import"``,
            ``"hooks"``, ``"specs"``; empty when it is loaded or blocked.
        reason: why, on one line.
        backbones, tasks, recipes: short names of what it brought; empty unless it is loaded.
    """

    id: str
    distribution: str
    version: str
    module: str
    status: Status
    phase: Phase | Literal[""] = ""
    reason: str = ""
    backbones: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line: the plugin, where it comes from, and what became of it."""
        outcome = f"failed in phase {self.phase}" if self.phase else f"is {self.status}"
        reason = f": {self.reason}" if self.reason else ""
        return f"plugin {self.id!r} of {self.distribution} {self.version} {outcome}{reason}"

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-ready data, in the order of its fields."""
        return describe(self)


@dataclass(frozen=True, kw_only=True)
class Provided(Generic[SpecT]):
    """A backbone, task or recipe together with the plugin that brings it.

    Args:
        kind: ``"backbone"``, ``"task"`` or ``"recipe"``.
        plugin: who brings it.
        spec: what it is.
    """

    kind: str
    plugin: Plugin
    spec: SpecT

    @property
    def name(self) -> str:
        """The short name, for example ``"bert"``; another plugin may use the same."""
        return self.spec.name

    @property
    def qualified(self) -> str:
        """``"plugin/name"``, which no other object of this kind shares."""
        return f"{self.plugin.id}/{self.spec.name}"
