"""Answers by name: which backbone, task or recipe is meant, and who brings it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kerasft.errors import UnknownNameError, UsageError
from kerasft.host.isolate import Broken, Contents, report
from kerasft.host.records import Plugin, Provided, SpecT
from kerasft.specs import BackboneSpec, RecipeSpec, TaskSpec

if TYPE_CHECKING:
    import keras


class Host:
    """Every installed plugin and what the loaded ones bring. Made by `kerasft.host.load`.

    A name is short (``"bert"``) or qualified by its plugin (``"plugin/bert"``). A short name that two plugins
    use is refused; the qualified ones work.

    Args:
        loaded: every installed plugin, also those that did not load, with what it brings.

    Attributes:
        plugins: records of all installed plugins, ordered by id.
    """

    def __init__(self, loaded: Iterable[tuple[Plugin, Contents]]):
        self._loaded = tuple(loaded)
        self.plugins = tuple(plugin for plugin, _ in self._loaded)
        self._backbones = [Provided(kind="backbone", plugin=p, spec=s) for p, c in self._loaded for s in c.backbones]
        self._tasks = [Provided(kind="task", plugin=p, spec=s) for p, c in self._loaded for s in c.tasks]
        self._recipes = [Provided(kind="recipe", plugin=p, spec=s) for p, c in self._loaded for s in c.recipes]

    @property
    def backbones(self) -> dict[str, BackboneSpec]:
        """Every backbone by the shortest name that finds it: ``plugin/name`` where ``name`` is ambiguous."""
        return _shortest(self._backbones)

    @property
    def tasks(self) -> dict[str, TaskSpec]:
        """Every task by the shortest name that finds it."""
        return _shortest(self._tasks)

    @property
    def recipes(self) -> dict[str, RecipeSpec]:
        """Every recipe by the shortest name that finds it."""
        return _shortest(self._recipes)

    def backbone(self, name: str) -> BackboneSpec:
        """The backbone of this name, without a preset.

        Raises:
            UnknownNameError: there is none; the message lists the plugins that did not load.
            UsageError: several plugins bring one; the message lists them and the names that work.
        """
        return self._find("backbone", name, self._backbones)

    def task(self, name: str) -> TaskSpec:
        """The task of this name; raises as `backbone` does."""
        return self._find("task", name, self._tasks)

    def recipe(self, name: str) -> RecipeSpec:
        """The recipe of this name; raises as `backbone` does."""
        return self._find("recipe", name, self._recipes)

    def qualified(self, spec: BackboneSpec) -> str:
        """``plugin/name`` of a backbone: it stays what it is when another plugin brings the same name."""
        return next(item.qualified for item in self._backbones if item.spec is spec)

    def find_backbone(self, reference: str) -> tuple[BackboneSpec, str]:
        """Splits a reference to pretrained weights into its backbone and the name of its preset.

        Args:
            reference: ``"bert"``, ``"bert/minilm-l6"``, ``"plugin/bert"`` or ``"plugin/bert/minilm-l6"``.

        Returns:
            The backbone and what follows it, ``""`` if nothing does. Such a preset need not exist.

        Raises:
            UnknownNameError: no backbone is meant; the message lists the plugins that did not load.
            UsageError: more than one reading is possible; the message lists a spelling for each.
        """
        qualified = _readings(reference, [(item.qualified, item) for item in self._backbones])
        short = _readings(reference, [(item.name, item) for item in self._backbones])
        if qualified:
            # "a/b" is a plugin's backbone, unless a backbone "a" with a preset "b" makes it mean two things.
            short = [(item, rest) for item, rest in short if rest in {preset.name for preset in item.spec.presets}]
        match qualified + short:
            case [(item, rest)]:
                return item.spec, rest
            case []:
                raise self._unknown("backbone", self._backbone_part(reference), self._backbones)
            case several:
                raise _ambiguous("backbone", reference, several)

    def which(self, name: str) -> list[Provided[Any]]:
        """Every backbone, task or recipe of this name, short or qualified, with the plugin that brings it.

        Raises:
            UnknownNameError: there is none of any kind.
        """
        everything: list[Provided[Any]] = [*self._backbones, *self._tasks, *self._recipes]
        found = [item for item in everything if name in (item.name, item.qualified)]
        if not found:
            raise self._unknown("backbone, task or recipe", name, everything)
        return found

    def requirements(self) -> list[str]:
        """What to ``pip install`` for the plugins that are loaded: sorted lines ``distribution==version``."""
        return sorted({f"{p.distribution}=={p.version}" for p in self.plugins if p.status == "loaded"})

    def callbacks(self, run: Any) -> "list[keras.callbacks.Callback]":
        """The Keras callbacks that plugins add to a run, in the order of plugin ids.

        A plugin whose hook fails adds none and is reported on stderr, as when loading.

        Args:
            run: the `kerasft.Run` about to train.

        Raises:
            PluginError: a hook failed and ``KERASFT_STRICT=1``.
        """
        found: list[keras.callbacks.Callback] = []
        for plugin, contents in self._loaded:
            try:
                found += [callback for hook in contents.callbacks for callback in _callbacks(hook(run))]
            except Broken as broken:
                failed = replace(plugin, status="failed", phase=broken.phase, reason=broken.reason)
                report(failed, broken.__cause__)
        return found

    def _find(self, kind: str, name: str, provided: Sequence[Provided[SpecT]]) -> SpecT:
        found = [(item, "") for item in provided if name in (item.name, item.qualified)]
        if not found:
            raise self._unknown(kind, name, provided)
        if len(found) > 1:
            raise _ambiguous(kind, name, found)
        return found[0][0].spec

    def _backbone_part(self, reference: str) -> str:
        """What to compare with known names: the first part, or two if the first is a plugin."""
        parts = reference.split("/")
        return "/".join(parts[:2] if parts[0] in {plugin.id for plugin in self.plugins} else parts[:1])

    def _unknown(self, kind: str, name: str, provided: Iterable[Provided[Any]]) -> UnknownNameError:
        known = {item.qualified if "/" in name else item.name for item in provided}
        return UnknownNameError(kind, name, known, [str(p) for p in self.plugins if p.status != "loaded"])


def _shortest(provided: Sequence[Provided[SpecT]]) -> dict[str, SpecT]:
    uses = Counter(item.name for item in provided)
    named = {item.name if uses[item.name] == 1 else item.qualified: item.spec for item in provided}
    return dict(sorted(named.items()))


def _readings(reference: str, named: Iterable[tuple[str, Provided[SpecT]]]) -> list[tuple[Provided[SpecT], str]]:
    """The items whose name begins the reference, each with what follows the name."""
    return [(item, reference[len(name) + 1 :]) for name, item in named if f"{reference}/".startswith(f"{name}/")]


def _ambiguous(kind: str, name: str, readings: Iterable[tuple[Provided[Any], str]]) -> UsageError:
    lines = [f"{name!r} may mean more than one {kind}. Write one of:"]
    for item, rest in readings:
        # With a slash at its end "plugin/backbone" cannot be read as backbone and preset.
        spelling = f"{item.qualified}/{rest}" if rest or item.qualified == name else item.qualified
        lines.append(f"  {spelling}  ({item.plugin.distribution} {item.plugin.version})")
    return UsageError("\n".join(lines))


def _callbacks(items: Iterable[Any]) -> "list[keras.callbacks.Callback]":
    import keras  # only here: looking names up stays light

    found = list(items)
    for item in found:
        if not isinstance(item, keras.callbacks.Callback):
            expected = "keras.callbacks.Callback"
            raise Broken("specs", f"kerasft_callbacks() gave {type(item).__name__}; expected {expected}")
    return found
