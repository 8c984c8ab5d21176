"""Loads one plugin apart from all others: import, hooks, specs, each under its own phase name."""

import contextlib
import difflib
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from inspect import isroutine
from typing import Any

import pluggy

from kerasft import hookspecs
from kerasft.errors import PluginError
from kerasft.host.checks import problems
from kerasft.host.records import Phase, Plugin
from kerasft.host.scan import Found
from kerasft.specs import BackboneSpec, RecipeSpec, TaskSpec


class Broken(Exception):
    """A plugin stopped in a phase; the exception it raised, if any, is the cause."""

    def __init__(self, phase: Phase, reason: str):
        super().__init__(reason)
        self.phase = phase
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a plugin brings, complete and checked."""

    backbones: tuple[BackboneSpec, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
    recipes: tuple[RecipeSpec, ...] = ()
    callbacks: tuple[Callable[[Any], Iterable[Any]], ...] = ()


def load_apart(found: Found) -> Contents:
    """Imports a plugin, calls its hooks and checks what they give.

    Raises:
        Broken: in phase ``"import"``, ``"hooks"`` or ``"specs"``. Ctrl-C passes through.
    """
    # Commands print one JSON object on stdout; a plugin that prints when imported must not spoil it.
    with contextlib.redirect_stdout(sys.stderr):
        with phase("import"):
            module = metadata.EntryPoint(found.id, found.module, hookspecs.GROUP).load()
        with phase("hooks"):
            hooks = _hooks(module)
        return Contents(
            backbones=_specs(hooks, "kerasft_backbones", BackboneSpec),
            tasks=_specs(hooks, "kerasft_tasks", TaskSpec),
            recipes=_specs(hooks, "kerasft_recipes", RecipeSpec),
            callbacks=tuple(_with_run(implementation) for implementation in hooks["kerasft_callbacks"]),
        )


def report(plugin: Plugin, cause: BaseException | None) -> None:
    """Says that a plugin is broken: one line on stderr, or under ``KERASFT_STRICT=1`` an exception.

    Raises:
        PluginError: from `cause`, in strict mode.
    """
    if os.environ.get("KERASFT_STRICT") == "1":
        raise PluginError(str(plugin)) from cause
    print(f"kerasft: {plugin}", file=sys.stderr)


@contextlib.contextmanager
def phase(name: Phase) -> Iterator[None]:
    """Whatever is raised inside, SystemExit too, becomes `Broken` in this phase; Ctrl-C stays itself."""
    try:
        yield
    except (KeyboardInterrupt, Broken):
        raise
    except BaseException as error:
        raise Broken(name, _one_line(error)) from error


def _hooks(module: Any) -> dict[str, list[pluggy.HookImpl]]:
    """The implementations in a module by hook name, after a search for those that would never be called."""
    manager = pluggy.PluginManager("kerasft")  # thrown away: a shared one could not forget half a plugin
    manager.add_hookspecs(hookspecs)
    known = [name for name in dir(hookspecs) if hasattr(getattr(hookspecs, name), "kerasft_spec")]
    for name in dir(module):
        options = manager.parse_hookimpl_opts(module, name)
        if options is not None:
            _check_marked(name, options, known)
        elif name.startswith("kerasft_") and isroutine(getattr(module, name)):
            raise Broken("hooks", f"{name}() lacks the marker @kerasft.hookimpl{_nearest(name, known)}")
    try:
        manager.register(module)
    except pluggy.PluginValidationError as error:
        raise Broken("hooks", " ".join(str(error).split())) from error
    return {name: getattr(manager.hook, name).get_hookimpls() for name in known}


def _check_marked(name: str, options: pluggy.HookimplOpts, known: list[str]) -> None:
    hook = options.get("specname") or name
    if hook not in known and not options["optionalhook"]:
        raise Broken("hooks", f"{hookspecs.GROUP} has no hook {hook}{_nearest(hook, known)}")
    if options["wrapper"] or options["hookwrapper"]:
        # A wrapper wraps the hooks of other plugins, which is what loading apart rules out.
        raise Broken("hooks", f"{name}() is a hook wrapper; plugins cannot wrap each other's hooks")


def _nearest(name: str, known: list[str]) -> str:
    near = [] if name in known else difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _specs(hooks: dict[str, list[pluggy.HookImpl]], hook: str, kind: type[Any]) -> tuple[Any, ...]:
    specs: list[Any] = []
    # Not called through pluggy, which drops None: a hook without its `return` would go unnoticed.
    for implementation in hooks[hook]:
        with phase("hooks"):
            specs += _items(implementation.function(), hook, f"an iterable of {kind.__name__}")
    with phase("specs"):
        if wrong := problems(specs, kind):
            raise Broken("specs", f"{hook}(): {'; '.join(wrong)}")
    return tuple(specs)


def _with_run(implementation: pluggy.HookImpl) -> Callable[[Any], list[Any]]:
    """The callbacks hook as a function of the run, which an implementation may leave out of its arguments."""

    def callbacks(run: Any) -> list[Any]:
        with phase("hooks"), contextlib.redirect_stdout(sys.stderr):
            result = implementation.function(*([run] if implementation.argnames else []))
            return _items(result, "kerasft_callbacks", "an iterable of keras.callbacks.Callback")

    return callbacks


def _items(result: Any, hook: str, expected: str) -> list[Any]:
    if not isinstance(result, Iterable) or isinstance(result, str):
        raise Broken("specs", f"{hook}() returned {type(result).__name__}; expected {expected}")
    return list(result)


def _one_line(error: BaseException) -> str:
    # Not str(error): that may raise in its turn, and for a SyntaxError this names the file and line.
    return " ".join("".join(traceback.format_exception_only(error)).split())
