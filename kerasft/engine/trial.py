"""A few real steps on a few real batches, and how long they take."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kerasft.engine.encode import Encodings
from kerasft.engine.pipeline import Batches
from kerasft.engine.plan import BatchPlan
from kerasft.engine.prefix import Pass
from kerasft.model import Split, TrainedModel

_CALLS = 3  # of TensorFlow on each batch: the first one makes memory and kernels for its shape
_PATIENCE = 4.0  # seconds, after which two must do


@dataclass(frozen=True, kw_only=True, eq=False)
class _Given(BatchPlan):
    """Batches that are listed, one after the other."""

    listed: Sequence[np.ndarray]

    def steps(self, epoch: int = 0) -> int:
        """Of every epoch."""
        return len(self.listed)

    def batches(self, epoch: int, start: int = 0) -> Any:
        """The same in every epoch."""
        return iter(self.listed[start:])


class Sample:
    """Some examples of a part, as the model is fed with them: behind its frozen part if `cut` says so.

    Args:
        model: whose task it is.
        encodings: of all examples.
        targets: of all inputs, encoded.
        examples: positions in it.
        cut: where the model is cut; outputs of its frozen part for these examples are kept in memory.
        strategy: of `tf.distribute`.
    """

    def __init__(
        self,
        model: TrainedModel,
        encodings: Encodings,
        targets: np.ndarray,
        examples: np.ndarray,
        cut: Split | None,
        strategy: tf.distribute.Strategy,
    ):
        self._examples = np.unique(examples)
        self._strategy = strategy
        self._task = model.assembly.task
        self._targets = encodings.of_examples(targets)[self._examples]
        self._encodings = encodings.take(self._examples)
        self._features = None
        if cut is not None:
            frozen = Pass(cut, self._encodings)
            self._features = frozen.table(frozen.rows(range(len(self._examples))))

    def dataset(self, batch: np.ndarray, times: int, each: int = 1) -> Any:
        """The same batch again and again; `each` of them are for one call of TensorFlow."""
        rows = np.searchsorted(self._examples, batch)
        plan = _Given(
            examples=len(rows) * times,
            batch_size=len(rows),
            lengths=self._encodings.lengths,
            limit=self._encodings.limit,
            listed=[rows] * times,
        )
        batches = Batches(self._encodings, self._task, self._targets, plan, self._features)
        alone = self._strategy.num_replicas_in_sync == 1
        return batches.dataset(each=each) if alone else batches.distributed(self._strategy)


class Cost(NamedTuple):
    """Seconds for batches of some sizes, smallest first, from which those of others are interpolated.

    Args:
        tokens: of each batch measured, padding included.
        seconds: for it.
    """

    tokens: Sequence[int]
    seconds: Sequence[float]

    def of(self, tokens: np.ndarray) -> float:
        """Seconds for all batches of these sizes; beyond the largest they grow as their tokens do."""
        beyond = np.maximum(tokens / self.tokens[-1], 1.0)
        return float((np.interp(tokens, self.tokens, self.seconds) * beyond).sum())


class Timed(NamedTuple):
    """One call of `fit` or `evaluate`.

    Args:
        seconds: in all.
        outside: of them, outside of the calls of TensorFlow.
        call: of one call of TensorFlow, with what Keras does until the next.
    """

    seconds: float
    outside: float
    call: float


class _Clock(keras.callbacks.Callback):
    """When calls of TensorFlow began and ended."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[float] = []
        self.ended: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.begun.append(time.perf_counter())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.ended.append(time.perf_counter())
        if len(self.ended) > 1 and self.ended[-1] - self.begun[0] > _PATIENCE:
            self.model.stop_training = True

    on_test_batch_begin = on_train_batch_begin

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.ended.append(time.perf_counter())


def epoch(
    model: TrainedModel, sample: Sample, batch: np.ndarray, validation: tuple[Sample, np.ndarray] | None
) -> Timed:
    """An epoch of one call of TensorFlow, and its validation of one."""
    each = model.steps_per_execution
    data = validation[0].dataset(validation[1], each) if validation else None
    clock, start = _Clock(), time.perf_counter()
    model.plan_calls(each)
    model.fit(
        sample.dataset(batch, each, each),
        steps_per_epoch=each,
        validation_data=data,
        validation_steps=each if validation else None,
        callbacks=[clock],
        shuffle=False,
        verbose=0,
    )
    return _timed(clock, time.perf_counter() - start)


def training_step(model: TrainedModel, sample: Sample, batch: np.ndarray) -> float:
    """Seconds of one update on this batch."""
    each = model.steps_per_execution
    clock, start = _Clock(), time.perf_counter()
    data = sample.dataset(batch, each * _CALLS, each)
    model.plan_calls(each * _CALLS)
    model.fit(data, steps_per_epoch=each * _CALLS, callbacks=[clock], shuffle=False, verbose=0)
    return _timed(clock, time.perf_counter() - start).call / each


def validation_step(model: TrainedModel, sample: Sample, batch: np.ndarray) -> float:
    """Seconds of one forward pass on this batch, with loss and metrics."""
    each = model.steps_per_execution
    clock, start = _Clock(), time.perf_counter()
    model.evaluate(sample.dataset(batch, each * _CALLS), steps=each * _CALLS, callbacks=[clock], verbose=0)
    return _timed(clock, time.perf_counter() - start).call / each


def _timed(clock: _Clock, seconds: float) -> Timed:
    inside = sum(clock.ended) - sum(clock.begun)
    # From the end of one to the end of the next, if there are several: what Keras does between them is part of it.
    calls = np.diff(clock.ended) if len(clock.ended) > 1 else np.array([inside])
    return Timed(seconds, seconds - inside, float(calls.mean()))


def extremes(plan: BatchPlan, epoch: int = 0) -> list[np.ndarray]:
    """The smallest, the median and the largest batch of an epoch by padded tokens, without repetition."""
    batches = sorted(plan.batches(epoch), key=lambda index: tokens(plan, index))
    chosen = {tokens(plan, batches[i]): batches[i] for i in (0, len(batches) // 2, len(batches) - 1)}
    return list(chosen.values())


def tokens(plan: BatchPlan, index: np.ndarray) -> int:
    """Of a batch, padding included; inputs of a fixed size count as one."""
    return len(index) * max(1, plan.length(index))
