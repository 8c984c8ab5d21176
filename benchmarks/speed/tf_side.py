"""What all runners on TensorFlow do alike: threads, quiet, and a clock for tracing."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

THREADS = 2
_ERRORS_ONLY = "3"


class TracingClock:
    """Seconds in which TensorFlow turned Python into graphs; None where its internals are not as we know them."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []
        self._inside = threading.local()
        self._known = False
        with contextlib.suppress(ImportError, AttributeError):
            from tensorflow.python.eager.polymorphic_function import tracing_compilation

            tracing_compilation.trace_function = self._timed(tracing_compilation.trace_function)
            self._known = True

    @property
    def seconds(self) -> float | None:
        """So far."""
        return sum(stop - start for start, stop in self._spans) if self._known else None

    def since(self, before: float | None) -> float | None:
        """Since it showed `before`."""
        seconds = self.seconds
        return None if before is None or seconds is None else round(seconds - before, 3)

    def between(self, start: float, stop: float) -> float | None:
        """From one time of `time.perf_counter` to another."""
        inside = sum(max(0.0, min(stop, last) - max(start, first)) for first, last in self._spans)
        return round(inside, 3) if self._known else None

    def _timed(self, trace: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            if getattr(self._inside, "tracing", False):  # a function inside another one
                return trace(*args, **kwargs)
            self._inside.tracing = True
            started = time.perf_counter()
            try:
                return trace(*args, **kwargs)
            finally:
                self._inside.tracing = False
                self._spans.append((started, time.perf_counter()))

        return timed


def prepare() -> TracingClock:
    """Imports TensorFlow for two threads; before anything else of the runner does."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", _ERRORS_ONLY)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    # Two here as well, which is TensorFlow's default on two cores: `tf.data` maps (tokenizers) on these threads.
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    return TracingClock()


def versions(*more: str) -> dict[str, str]:
    """Of what took part."""
    return {name: version(name) for name in ("tensorflow", "keras", *more)}
