"""What a run will take: the time and memory of a few of its real steps, multiplied out by the batch plan."""

import inspect
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from kerasft import freezing, keras_private
from kerasft.engine import memory, prefix, trial, weights
from kerasft.engine.directory import RunDirectory
from kerasft.engine.estimated import BatchSize, Estimate, PhaseEstimate
from kerasft.engine.plan import BatchPlan
from kerasft.engine.prefix import Pass
from kerasft.engine.prepare import Prepared
from kerasft.engine.settings import Settings
from kerasft.engine.setup import Setup
from kerasft.engine.train import finetune
from kerasft.engine.training import WRITE_EVERY, Training
from kerasft.engine.trial import Cost, Sample, tokens
from kerasft.errors import UnknownNameError, UsageError
from kerasft.model import Split, TrainedModel
from kerasft.phases import Phase
from kerasft.quiet import quiet_retracing

_CALLS = 4  # of the frozen part on each batch
# Batches of other lengths, as they follow in a run, leave gaps in the memory that steps take: a fifth to a third more
# than the largest batch takes by itself, in two runs on long texts.
_GAPS = 1.2


def plan(backbone: str, task: str, train: Any, **options: Any) -> Estimate:
    """Says before a run what it will take: time, memory, updates, padding, disk; and which batch size suits it.

    Everything is built as `kerasft.finetune` builds it, and some real updates are made on real batches: small, median
    and large ones of every phase. Time is interpolated over the padded tokens of every batch of the run. Memory is the
    peak that was measured with the largest batch, and a fifth more of what steps take. The weights are thrown away, and
    nothing is written but temporary files.

    Args:
        backbone, task, train: as for `kerasft.finetune`.
        options: any other of its arguments; those of what a run keeps and tells have no effect.

    Raises:
        UnknownNameError: there is no such argument.
        UsageError: arguments are out of range, or several machines would train.
        DataError: with every problem of the data.
    """
    signature = inspect.signature(finetune)
    for name in options:
        if name not in signature.parameters:
            raise UnknownNameError("argument", name, list(signature.parameters))
    bound = signature.bind(backbone, task, train, **options)
    bound.apply_defaults()
    console = bound.arguments["console"] or Console(stderr=True)

    def tell(note: str) -> None:
        console.print(note, highlight=False, soft_wrap=True, markup=False)

    setup = Setup.of(bound.arguments)
    if keras_private.is_multi_worker(setup.strategy):
        raise UsageError("plan measures one process. Received: a strategy of several workers. Leave TF_CONFIG unset.")
    held = {name: bound.arguments[name] for name in ("train", "validation", "test")}
    prepared = setup.prepare(**held)
    model = setup.build()
    began = time.perf_counter()
    training = Training(model, prepared, setup.settings, RunDirectory(Path(), writes=False), setup.strategy, {})
    with quiet_retracing(), memory.kept():
        return _Estimator(setup, prepared, model, training, tell).estimate(time.perf_counter() - began)


class _Estimator:
    """Goes through the phases as `Training.run` does, with a few steps of each."""

    def __init__(
        self,
        setup: Setup,
        prepared: Prepared,
        model: TrainedModel,
        training: Training,
        tell: Callable[[str], None],
    ):
        self._settings: Settings = setup.settings
        self._strategy = setup.strategy
        self._prepared = prepared
        self._model = model
        self._training = training
        self._feed = training.feed
        self._tell = tell
        self._available = memory.available()
        # Frozen parts whose outputs an earlier phase has kept, after the number of groups that trained above them: a
        # phase in which more train changes what is below.
        self._kept: set[tuple[int, Any]] = set()

    def estimate(self, preparation: float) -> Estimate:
        """Of the whole run, whose texts took `preparation` seconds to tokenize."""
        loading, begun, phases = memory.peak(), 0, []
        saving = self._saving()
        sizes: tuple[float, BatchSize] | None = None
        for index, phase in enumerate(self._settings.phases):
            label = f"phase {index + 1}/{len(self._settings.phases)}  {phase.label}"
            self._tell(f"{label}: measuring a few steps …")
            found, cut = self._phase(phase, begun, saving)
            phases.append(found)
            if sizes is None or found.seconds > sizes[0]:
                self._tell(f"{label}: measuring other batch sizes …")
                sizes = found.seconds, self._batch_sizes(cut, found.peak_bytes)
            begun += phase.epochs
        assert sizes is not None
        return Estimate(
            phases=phases,
            examples={part.name: len(part) for part in self._prepared.parts},
            preparation_seconds=preparation,
            peak_bytes=max(loading, *(phase.peak_bytes for phase in phases)),
            available_bytes=self._available,
            batch_size=self._settings.batch_size,
            batch_sizes=sizes[1],
        )

    def _phase(self, phase: Phase, begun: int, saving: float) -> tuple[PhaseEstimate, Split | None]:
        memory.forget_peak()
        before = memory.peak()
        start = time.perf_counter()
        with self._strategy.scope():
            frozen = freezing.apply(self._model, phase, self._settings.lora)
        fixed = 2 * (time.perf_counter() - start)  # what is frozen is compared at the end of the phase
        cut = self._feed.kept(self._tell)
        self._kept = {kept for kept in self._kept if kept[0] >= phase.groups(len(self._model.assembly.groups) - 1)}
        size, filled, peak = 0, 0.0, 0
        if cut is not None:
            size, filled, peak = self._frozen_part(phase, cut)
            cut = cut if size else None
        start = time.perf_counter()
        with self._strategy.scope():
            self._training.compile(phase, begun, self._feed.steps_per_execution(phase.epochs, cached=cut is not None))
        fixed += filled + time.perf_counter() - start
        seconds = fixed + self._epochs(phase, begun, cut, saving)
        epochs = range(begun, begun + phase.epochs)
        found = PhaseEstimate(
            train=phase.label,
            weights=frozen.total,
            trained_weights=frozen.trained,
            epochs=phase.epochs,
            steps=sum(self._feed.plan.steps(epoch) for epoch in epochs),
            padding=_padding(self._feed.plan, epochs),
            cached=cut is not None,
            cache_bytes=size if filled else 0,
            # What is mapped from the cache counts as memory of the process while there is room for it.
            peak_bytes=max(peak, round(before + _GAPS * (memory.peak() - before)) + size),
            seconds=seconds,
        )
        return found, cut

    def _frozen_part(self, phase: Phase, cut: Split) -> tuple[int, float, int]:
        """Bytes of the outputs of the frozen part, seconds to compute and keep them, and the peak of memory.

        No bytes if they are more than may be kept; no seconds if an earlier phase has kept them.
        """
        inputs = list(self._feed.frozen_inputs().values())
        passes = [Pass(cut, some) for some in inputs]
        size = sum(frozen.size for frozen in passes)
        if any(frozen.size > self._settings.cache_gigabytes * 1e9 for frozen in passes):
            self._tell("The frozen layers would be computed anew in every epoch: cache_gigabytes is too small.")
            return 0, 0.0, 0
        key = phase.groups(len(self._model.assembly.groups) - 1), tuple(tensor.name for tensor in cut.prefix.outputs)
        if key in self._kept:
            return size, 0.0, 0
        self._kept.add(key)
        start = time.perf_counter()
        prefix.identity(self._model, cut, inputs[0], passes[0])
        seconds = (time.perf_counter() - start) * len(passes)
        for frozen in passes:
            shards = [
                range(first, min(first + frozen.shard, frozen.examples))
                for first in range(0, frozen.examples, frozen.shard)
            ]
            plan = frozen.plan(shards[0])
            cost = _cost(plan, trial.extremes(plan), partial(_timed_pass, frozen))
            seconds += sum(cost.of(_tokens(frozen.plan(shard), 0)) for shard in shards)
        in_memory = max(frozen.size * frozen.shard // frozen.examples for frozen in passes)
        return size, seconds, memory.peak() + in_memory

    def _epochs(self, phase: Phase, begun: int, cut: Split | None, saving: float) -> float:
        """Seconds of all epochs of a phase, with tracing, validation, and weights that are kept."""
        chosen = trial.extremes(self._feed.plan, begun)
        sample = self._sample(self._prepared.train, chosen, cut)
        plan, validation = self._feed.validation_plan, None
        validating = 0.0
        if plan is not None and self._prepared.validation is not None:
            batches = trial.extremes(plan)
            validation = self._sample(self._prepared.validation, batches, cut), batches[0]
        traced = trial.epoch(self._model, sample, chosen[0], validation).seconds
        once = trial.epoch(self._model, sample, chosen[0], validation)
        cost = _cost(self._feed.plan, chosen, lambda index: trial.training_step(self._model, sample, index))
        if plan is not None and validation is not None:
            measured = validation[0]
            forward = _cost(plan, batches, lambda index: trial.validation_step(self._model, measured, index))
            validating = forward.of(_tokens(plan, 0))
        steps = sum(cost.of(_tokens(self._feed.plan, begun + epoch)) for epoch in range(phase.epochs))
        epochs = steps + phase.epochs * (once.outside + validating)
        saves = min(phase.epochs, 1 + epochs / WRITE_EVERY)  # the best weights of short epochs are not all written
        return max(0.0, traced - once.seconds) + epochs + saves * saving

    def _sample(self, part: Any, batches: list[np.ndarray], cut: Split | None) -> Sample:
        encodings = self._feed.encodings[part.name]
        return Sample(self._model, encodings, part.encoded, np.concatenate(batches), cut, self._strategy)

    def _saving(self) -> float:
        """Seconds to keep the weights of an epoch that is the best so far."""
        with tempfile.TemporaryDirectory() as directory:
            start = time.perf_counter()
            weights.save(self._model, Path(directory) / "best.weights.h5")
            return time.perf_counter() - start

    def _batch_sizes(self, cut: Split | None, peak: int) -> BatchSize:
        """Time and memory of half the batch size, of itself and of twice as much, on texts of median length."""
        part, asked = self._prepared.train, self._settings.batch_size
        examples = self._feed.plan.examples
        least = max(self._settings.accumulation, self._strategy.num_replicas_in_sync)
        sizes = [size for size in (asked // 2, asked, 2 * asked) if least <= size <= examples] or [examples]
        if 2 * peak > self._available and sizes[-1] > asked:
            sizes.pop()  # to measure it might be the end of this process
        lengths = self._feed.plan.lengths
        order = np.arange(examples) if lengths is None else np.argsort(lengths, kind="stable")
        seconds, peaks = [], []
        for size in sizes:
            first = (examples - size) // 2
            batch = order[first : first + size]
            sample = self._sample(part, [batch], cut)
            memory.forget_peak(give_back=True)
            seconds.append(trial.training_step(self._model, sample, batch) / size)
            peaks.append(memory.peak())
        return BatchSize.of(sizes, seconds, peaks, asked, peak, self._available)


def _padding(plan: BatchPlan, epochs: range) -> float:
    """Share of padding in several epochs."""
    tokens = [int(_tokens(plan, epoch).sum()) for epoch in epochs]
    return sum(plan.padding(epoch) * count for epoch, count in zip(epochs, tokens, strict=True)) / sum(tokens)


def _tokens(plan: BatchPlan, epoch: int) -> np.ndarray:
    """Of every batch of an epoch, padding included."""
    return np.array([tokens(plan, index) for index in plan.batches(epoch)], np.int64)


def _cost(plan: BatchPlan, batches: list[np.ndarray], measure: Callable[[np.ndarray], float]) -> Cost:
    return Cost([tokens(plan, index) for index in batches], [measure(index) for index in batches])


def _timed_pass(frozen: Pass, index: np.ndarray) -> float:
    """Seconds per batch of several like this one."""
    seconds = []
    for _ in range(2):  # the first time makes memory for its shape
        start = time.perf_counter()
        for _ in frozen.outputs([index] * _CALLS):
            pass
        seconds.append((time.perf_counter() - start) / _CALLS)
    return min(seconds)
