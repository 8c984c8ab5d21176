"""Where the time of a training step goes, measured while a run trains."""

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasft.engine import randomness
from kerasft.engine.feed import Feed
from kerasft.engine.settings import Settings
from kerasft.freezing import Frozen
from kerasft.model import Together
from kerasft.phases import Phase

_CALLS = 10  # of TensorFlow that are measured, and as many that are traced


class Profile(keras.callbacks.Callback):
    """Measures some steps of every phase, and writes a trace of some others for TensorBoard or Perfetto.

    A call of TensorFlow makes one update, or several small ones. The first call of a phase builds its graph and counts
    for nothing; the ten after it, as far as the phase has them, are measured while `fit` runs; the ten after these are
    traced, which makes them slower. Everything is in milliseconds per update:

    ``step_ms``      from the end of one call, or the beginning of the epoch, to the end of the next
    ``overhead_ms``  of it, outside of TensorFlow: Keras, callbacks, Python
    ``waiting_ms``   of it, in TensorFlow, but without anything to compute on: what the next two lines leave of it
    ``compute_ms``   the same updates made once more when the phase has ended, on the same batches in memory. The model
                     and the random generators are then put back, so that a profiled run gives the same weights
    ``data_ms``      what the input pipeline takes for these batches alone. It works while TensorFlow computes: only
                     ``waiting_ms`` of it is felt

    Args:
        feed: of the run.
        settings: of the run.
        directory: for traces.
    """

    def __init__(self, feed: Feed, settings: Settings, directory: Path):
        super().__init__()
        self.records: list[dict[str, Any]] = []
        self._feed = feed
        self._settings = settings
        self._directory = directory
        self._phase: Phase | None = None
        self._epochs = self._epoch = 0
        self._first = 0  # epoch of the phase
        self._calls: list[tuple[float, float]] = []  # seconds of a whole call, and within TensorFlow
        self._count = 0
        self._inside = self._ended = 0.0
        self._tracing = False

    def get_state(self) -> dict[str, Any]:
        """Nothing: a resumed run is not profiled."""
        return {}

    def set_state(self, state: Any) -> None:
        """Takes nothing."""

    def on_phase_begin(self, index: int, phase: Phase, frozen: Frozen) -> None:
        """From here on calls of TensorFlow are timed."""
        self._phase, self._first, self._calls, self._count = phase, self._epochs, [], 0
        self.model.make_train_function()
        function = self.model.train_function

        def timed(iterator: Any) -> Any:
            start = time.perf_counter()
            found = function(iterator)
            tf.nest.map_structure(np.asarray, found)  # TensorFlow may answer before it has computed
            self._inside = time.perf_counter() - start
            return found

        self.model.train_function = timed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """The time between epochs is no time of a step."""
        self._epoch, self._ended = epoch, time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Begins the trace when its time has come."""
        if not self._tracing and self._count == self._last + 1:
            tf.profiler.experimental.start(str(self._directory / self._name))
            self._tracing = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts a call."""
        now = time.perf_counter()
        if 1 <= self._count <= self._last:
            self._calls.append((now - self._ended, self._inside))
        self._ended, self._count = now, self._count + 1
        if self._tracing and self._count > self._last + _CALLS:
            self.stop()

    def end_phase(self) -> str:
        """Measures what can only be measured apart; returns a line for the user."""
        self.stop()
        self._epochs = self._epoch + 1
        record: dict[str, Any] = {"phase": len(self.records) + 1, "steps_per_call": self.model.steps_per_execution}
        record["step_ms"] = record["overhead_ms"] = record["waiting_ms"] = record["compute_ms"] = None
        record |= {"data_ms": None, "traces": self.model.traces}
        if self._calls:
            record |= self._measured()
        record["traces"] = self.model.traces
        line = self._describe(record)
        self.records.append(record)
        return line

    @property
    def _name(self) -> str:
        return f"phase{len(self.records) + 1}"

    @property
    def _last(self) -> int:
        """The last call to be measured, counted from 0. A short phase leaves half of them for the trace."""
        calls = len(self._sizes)
        return min(_CALLS, max((calls - 1) // 2, min(1, calls - 1)))

    @property
    def _steps(self) -> list[int]:
        """Updates of each epoch of the phase."""
        assert self._phase is not None
        return [self._feed.plan.steps(epoch) for epoch in range(self._first, self._first + self._phase.epochs)]

    @property
    def _sizes(self) -> list[int]:
        """Updates of each call of the phase."""
        each = self.model.steps_per_execution
        return [min(each, steps - done) for steps in self._steps for done in range(0, steps, each)]

    def _measured(self) -> dict[str, float]:
        each, calls = self.model.steps_per_execution, len(self._calls)
        updates = sum(self._sizes[1 : 1 + calls])
        whole, inside = (1000 * sum(seconds) / updates for seconds in zip(*self._calls, strict=True))
        batches = self._feed.train(range(self._first, self._first + len(self._steps)), each)
        elements = calls if isinstance(batches.element_spec, Together) else updates
        batches = batches.take(elements).cache()
        times = [time.perf_counter() for _ in batches]  # the first one has waited until the pipeline was made
        data = 1000 * (times[-1] - times[0]) / max(1, elements - 1) * elements / updates
        compute = 1000 * self._computing(batches, calls) / updates
        return {
            "step_ms": whole,
            "overhead_ms": whole - inside,
            "waiting_ms": max(0.0, inside - compute),
            "compute_ms": compute,
            "data_ms": data,
        }

    def _computing(self, batches: tf.data.Dataset, calls: int) -> float:
        """Seconds of so many calls on batches in memory; nothing of it is left in the model."""
        variables = [*self.model.variables, *self.model.metrics_variables, *self.model.optimizer.variables]
        before, random = [variable.numpy() for variable in variables], randomness.get_state()
        passes = []
        for _ in range(2):  # the first one makes the memory for these shapes
            iterator, seconds = iter(batches), 0.0
            self.model.plan_calls(max(0, self._steps[0] - self.model.steps_per_execution), *self._steps[1:])
            for _ in range(calls):
                self.model.train_function(iterator)
                seconds += self._inside
            passes.append(seconds)
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        randomness.set_state(random)
        return min(passes)

    def stop(self) -> None:
        """Ends a trace that has begun, also after an interruption."""
        if self._tracing:
            tf.profiler.experimental.stop()
            self._tracing = False

    def _describe(self, record: dict[str, Any]) -> str:
        graphs = f"{record['traces']} graph{'' if record['traces'] == 1 else 's'} traced"
        if record["step_ms"] is None:
            return f"Profile of phase {record['phase']}: too few steps to measure; {graphs}."
        parts = {name: record[f"{name}_ms"] for name in ("compute", "waiting", "overhead", "data", "step")}
        shown = {name: f"{value:.3g} ms" for name, value in parts.items()}
        return (
            f"Profile of phase {record['phase']}: a step takes {shown['step']}: {shown['compute']} computing, "
            f"{shown['waiting']} waiting for data, {shown['overhead']} overhead (Keras, callbacks, Python). The data "
            f"alone take {shown['data']}; {graphs}. Trace: {self._directory / self._name}"
        )
