"""What all commands share: common options, JSON on stdout, one clean message for an error, exit codes."""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click

from kerasft.errors import KerasftError

INTERRUPTED = 130

Emit = Callable[[Mapping[str, Any]], None]
"""Prints one JSON object as a line on stdout."""


@dataclass(frozen=True)
class Output:
    """What a command found.

    Args:
        data: the JSON object of ``--json``.
        show: prints the same for a person, on stdout.
        exit_code: 0 unless the answer itself is bad news.
    """

    data: dict[str, Any]
    show: Callable[[], None]
    exit_code: int = 0


def command(
    name: str, *, heavy: bool = False, stream: bool = False, **settings: Any
) -> Callable[[Callable[..., Output]], click.Command]:
    """A click command from a function that returns `Output`.

    Args:
        name: as typed.
        heavy: the command needs TensorFlow: it is loaded without its banners.
        stream: the function takes `emit`, an `Emit` with ``--json`` and else None, for what happens before the answer.
        settings: for `click.command`.
    """

    def decorate(function: Callable[..., Output]) -> click.Command:
        def run(as_json: bool, debug: bool, block: tuple[str, ...], no_plugins: bool, **arguments: Any) -> None:
            sys.exit(_run(function, arguments, as_json, debug, block, no_plugins, heavy, stream))

        run.__doc__ = function.__doc__
        run.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
        return _common_options(click.command(name, **settings)(run), stream)

    return decorate


def _common_options(made: click.Command, stream: bool) -> click.Command:
    printed = "one JSON object per event, and at last the result," if stream else "one JSON object"
    made.params += [
        click.Option(["--json", "as_json"], is_flag=True, help=f"Print {printed} on stdout."),
        click.Option(["--debug"], is_flag=True, help="Show tracebacks."),
        click.Option(["--block"], multiple=True, metavar="PLUGIN", help="Do not load this plugin (repeatable)."),
        click.Option(["--no-plugins"], is_flag=True, help="Load no plugin at all."),
    ]
    return made


def _run(
    function: Callable[..., Output],
    arguments: dict[str, Any],
    as_json: bool,
    debug: bool,
    block: tuple[str, ...],
    no_plugins: bool,
    heavy: bool,
    stream: bool,
) -> int:
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("kerasft").setLevel(logging.INFO)
    with _only_json_on_stdout(as_json) as emit:
        try:
            _choose_plugins(block, no_plugins)
            if heavy:
                _load_tensorflow()
            output = function(**arguments, **({"emit": emit} if stream else {}))
        except KeyboardInterrupt as error:
            return _fail(error, "Interrupted.", INTERRUPTED, emit, debug)
        except KerasftError as error:
            return _fail(error, str(error), error.exit_code, emit, debug)
        except click.ClickException:
            raise
        except Exception as error:
            message = f"Unexpected {type(error).__name__}: {error}\nThis is a defect; --debug shows where."
            return _fail(error, message, 1, emit, debug)
        if emit:
            emit({"event": "result", **output.data} if stream else output.data)
        else:
            try:
                output.show()
                sys.stdout.flush()
            except BrokenPipeError:  # `kerasft ls presets | head`
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return output.exit_code


def _choose_plugins(block: tuple[str, ...], no_plugins: bool) -> None:
    from kerasft import host

    if no_plugins:
        host.no_plugins()
    elif block:
        host.block(block)


def _load_tensorflow() -> None:
    from kerasft.quiet import quiet_imports

    with quiet_imports():
        import tensorflow  # noqa: F401


def _fail(
    error: BaseException,
    message: str,
    code: int,
    emit: Emit | None,
    debug: bool,
) -> int:
    if debug:
        import traceback

        traceback.print_exception(error)
    else:
        print(f"kerasft: {message}", file=sys.stderr)
    if emit:
        emit({"error": {"type": type(error).__name__, "message": message}, "exit_code": code})
    return code


@contextlib.contextmanager
def _only_json_on_stdout(as_json: bool) -> Iterator[Emit | None]:
    """With ``--json``, everything anybody prints goes to stderr, and only what is emitted to the real stdout."""
    if not as_json:
        yield None
        return
    sys.stdout.flush()
    real = os.dup(1)
    os.dup2(2, 1)

    def emit(value: Mapping[str, Any]) -> None:
        text = json.dumps(dict(value), ensure_ascii=False, allow_nan=False)  # JSON has no NaN
        with os.fdopen(os.dup(real), "w", encoding="utf-8") as stdout:
            stdout.write(text + "\n")

    try:
        yield emit
    finally:
        sys.stdout.flush()
        os.dup2(real, 1)
        os.close(real)
