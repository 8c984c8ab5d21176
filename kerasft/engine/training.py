"""The phases of a run, one after the other, from any position."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from kerasft import freezing, keras_private
from kerasft.engine import callbacks as own
from kerasft.engine import checkpoint as checkpoints
from kerasft.engine import memory, placement, randomness
from kerasft.engine.best import Average, BestWeights
from kerasft.engine.checkpoint import Checkpoint, Position
from kerasft.engine.directory import RunDirectory
from kerasft.engine.feed import Feed
from kerasft.engine.prepare import Prepared
from kerasft.engine.profile import Profile
from kerasft.engine.relay import Relay
from kerasft.engine.settings import Settings
from kerasft.errors import UnknownNameError, UsageError
from kerasft.model import TrainedModel
from kerasft.phases import Phase

WRITE_EVERY = 30.0  # seconds; see BestWeights

_CACHED = {
    True: "before the interruption the frozen layers were computed anew in every epoch.",
    False: "before the interruption the outputs of the frozen layers came from the cache.",
}


class Training:
    """Trains a model by `keras.Model.fit`, phase by phase.

    Args:
        model: built in the scope of `strategy`.
        prepared: the data.
        settings: of the run.
        directory: gets history, weights and checkpoints.
        strategy: of `tf.distribute`.
        state: kept in every checkpoint, to compare a resumed run with.
        profile: measure where the time of a step goes.

    Raises:
        UsageError: `settings` do not fit the model or the data.
    """

    def __init__(
        self,
        model: TrainedModel,
        prepared: Prepared,
        settings: Settings,
        directory: RunDirectory,
        strategy: tf.distribute.Strategy,
        state: dict[str, Any],
        *,
        profile: bool = False,
    ):
        self._started, self._seconds_before = time.monotonic(), 0.0
        self._cpu_started, self._cpu_before = time.process_time(), 0.0
        self._model = model
        self._prepared = prepared
        self._settings = settings
        self.directory = directory
        self._strategy = strategy
        self._state = state
        self._task = model.assembly.task
        replicas = strategy.num_replicas_in_sync
        if replicas > min(settings.batch_size, len(prepared.train)):
            raise UsageError(
                f"There are {replicas} replicas for batches of {settings.batch_size} and {len(prepared.train)} "
                "training examples: each replica needs at least one example of a batch."
            )
        if profile and replicas > 1:
            raise UsageError(f"profile measures one device. Received: {replicas} replicas")
        for phase in settings.phases:
            phase.groups(len(model.assembly.groups) - 1)
        self._monitor = self._check_monitor()
        self.feed = Feed(model, prepared, settings, strategy)
        self._saved = time.monotonic()
        self._saved_updates = 0
        self._digest = ""
        randomness.get_state()  # Keras makes its generator when first asked: now, and not at the first checkpoint

        self.history = own.History(directory)
        # Workers change weights together or not at all, so there nothing is held back to be written later.
        every = 0.0 if keras_private.is_multi_worker(strategy) else WRITE_EVERY
        self.best = BestWeights(directory, *self._monitor, every)
        self.best.set_model(model)  # Ctrl-C may come before `fit` does it
        self.profile = Profile(self.feed, settings, directory.path / "profile") if profile else None

    @property
    def phases(self) -> Sequence[Phase]:
        """Of the run, resolved."""
        return self._settings.phases

    @property
    def examples(self) -> int:
        """Of an epoch."""
        return len(self._prepared.train)

    @property
    def steps(self) -> int:
        """Batches of the first epoch."""
        return self.feed.plan.steps()

    @property
    def padding(self) -> float:
        """Share of the tokens of the first epoch that is padding, a fraction of 1."""
        return self.feed.plan.padding()

    @property
    def notes(self) -> list[str]:
        """What the user should know about the inputs as they are kept."""
        return [encodings.note for encodings in self.feed.encodings.values() if encodings.note]

    @property
    def _length(self) -> int | None:
        """Most tokens of a text, if the backbone's preprocessing says so."""
        return getattr(self._model.assembly.backbone.preprocess, "length", None)

    @property
    def seconds(self) -> float:
        """That training has taken so far, with what it took before interruptions, up to their last checkpoint."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def cpu_seconds(self) -> float:
        """Of all cores together, as `seconds`."""
        return self._cpu_before + time.process_time() - self._cpu_started

    def run(
        self,
        callbacks: Sequence[keras.callbacks.Callback],
        tell: Callable[[str], None],
        show: Callable[[str], None],
        start: Checkpoint | None = None,
    ) -> None:
        """Trains from the beginning or from a checkpoint, and loads the best weights.

        Args:
            callbacks: the user's and the plugins'; told after our own.
            tell: takes what belongs to the result and the user should know, one line each.
            show: takes what is only of interest now.
            start: where to go on.

        Raises:
            KerasftError: the loss is not a number, memory is not enough, or frozen weights have changed.
        """
        early = self._early_stopping()
        # Checked, kept, and only then announced.
        first = [own.StopAtNaN(self.feed.name_batch, self._monitor[0], self._model.first_broken)]
        if self._settings.optimization.average is not None:
            first.append(Average())
        measured = [self.profile] if self.profile else []
        relay = Relay(
            [*first, self.best, *early, self.history, *measured, *callbacks],
            epochs=self._settings.epochs,
            steps=self.steps,
            checkpoint=lambda position: self._save_if_due(position, relay),
        )
        position = start.position if start else Position()
        relay.position = position
        self._saved_updates = position.updates
        if start:
            self._seconds_before, self._cpu_before = start.state["seconds"], start.state["cpu_seconds"]
        watched = relay.is_watched
        for index in range(position.phase, len(self._settings.phases)):
            phase = self._settings.phases[index]
            resumed = start if start and index == position.phase else None
            with memory.shortage_named(self._settings, self._length):
                with self._strategy.scope():
                    frozen = freezing.apply(self._model, phase, self._settings.lora)
                    if resumed:
                        resumed.restore(self._model, "model")
                self.feed.begin_phase(relay.on_features, show)
                with self._strategy.scope():
                    begun = position.begun if resumed else relay.position.epoch
                    self.compile(phase, begun, self.feed.steps_per_execution(phase.epochs, watched))
            self._digest = frozen.digest
            if index == position.phase:
                relay.begin(self._model)  # callbacks may look at its optimizer
            if resumed:
                resumed.restore(self._model, "optimizer")
                self._digest = resumed.state["frozen"]
                if resumed.state["cached"] != self.feed.cached:
                    tell("The result will not be the same to the bit: " + _CACHED[self.feed.cached])
                for note in relay.set_state(resumed.state["callbacks"]):
                    tell(note)
            else:
                relay.position = replace(relay.position, phase=index, begun=relay.position.epoch, step=0)
                relay.on_phase_begin(index, phase, frozen)
            try:
                with memory.shortage_named(self._settings, self._length), placement.lost_named(self._strategy):
                    self._fit(phase, relay, resumed)
            finally:
                self.history.flush()
                self.best.flush()
            freezing.check(self._model, self._digest)
            if self.profile:
                tell(self.profile.end_phase())
            if self._model.stop_training and not any(callback.stopped for callback in early):
                break
        relay.end()
        self.best.restore()
        placement.share(self._strategy, self._model.weights)

    def compile(self, phase: Phase, begun: int, steps_per_execution: int) -> None:
        """Makes the model ready for a phase that begins with the epoch `begun`, in the strategy's scope."""
        updates = sum(self.feed.plan.steps(epoch) for epoch in range(begun, begun + phase.epochs))
        self._model.micro_batches = self._settings.accumulation
        self._model.compile(
            optimizer=self._settings.optimization.make(
                self._model.trainable_variables, self._model.assembly.groups, phase, updates
            ),
            loss=self._task.loss(),
            metrics=self._task.metrics(),
            jit_compile=False,  # XLA would compile anew for every length of batch
            steps_per_execution=steps_per_execution,
        )
        self._model.build_state(self.feed.element_spec)
        self._model.plan_calls(self.feed.plan.steps(begun))

    def _fit(self, phase: Phase, relay: Relay, resumed: Checkpoint | None) -> None:
        """The epochs of a phase that are left; the first of them may have begun."""
        end = relay.position.begun + phase.epochs
        if resumed:
            relay.go_on_from(resumed.position, lambda: self._restore_rest(resumed))
        validation, validation_steps = self.feed.validation()
        while relay.position.epoch < end:
            epochs, step = self._alike(relay.position, end), relay.position.step
            relay.steps = self.feed.plan.steps(epochs.start)
            self._model.plan_calls(relay.steps - step)
            self._model.fit(
                self.feed.train(epochs, step),
                initial_epoch=epochs.start,
                epochs=epochs.stop,
                steps_per_epoch=relay.steps - step,
                validation_data=validation,
                validation_steps=validation_steps,
                callbacks=[relay],
                shuffle=False,  # the batch plan has shuffled
                verbose=0,
            )
            if self._model.stop_training:
                return

    def _alike(self, position: Position, end: int) -> range:
        """The epochs that one call of `fit` trains: those with as many batches as what is left of the present one."""
        plan, first = self.feed.plan, position.epoch
        steps, last = plan.steps(first), first + 1
        while not position.step and last < end and plan.steps(last) == steps:
            last += 1
        return range(first, last)

    def _restore_rest(self, resumed: Checkpoint) -> None:
        resumed.restore(self._model, "metrics")
        randomness.set_state(resumed.state["random"])

    def _early_stopping(self) -> list[own.EarlyStopping]:
        patience = self._settings.early_stopping
        return [own.EarlyStopping(*self._monitor, patience)] if patience else []

    def _check_monitor(self) -> tuple[str, str]:
        """Name of the metric that chooses the best epoch, and whether more or less of it is better."""
        settings, default = self._settings, self._task.monitor
        if self._prepared.validation is None:
            if settings.monitor or settings.early_stopping:
                what = "monitor" if settings.monitor else "early_stopping"
                raise UsageError(f"{what} needs validation data, and there are none: validation=None.")
            return default
        name = settings.monitor
        if name is None:
            return default
        known = ["val_loss", *(f"val_{metric.name}" for metric in self._task.metrics())]
        if name not in known:
            raise UnknownNameError("metric to monitor", name, known)
        less = any(part in name for part in ("loss", "error", "mae", "mse"))
        return name, default[1] if name == default[0] else "min" if less else "max"

    def _save_if_due(self, position: Position, relay: Relay) -> None:
        settings = self._settings
        every = settings.checkpoint_steps
        several = keras_private.is_multi_worker(self._strategy)
        minutes = settings.checkpoint_minutes
        due = every is not None and position.updates - self._saved_updates >= every
        if minutes is not None and several:
            due = due or position.step == 0  # once an epoch: their clocks differ, and all must take part
        elif minutes is not None:
            due = due or time.monotonic() - self._saved >= 60 * minutes
        if not due or position.updates == self._saved_updates:
            return
        self.best.flush()
        state = {
            **self._state,
            "callbacks": relay.get_state(),
            "random": randomness.get_state(),
            "frozen": self._digest,
            "cached": self.feed.cached,
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
        }
        if self.directory.writes:
            try:
                checkpoints.write(self.directory.checkpoints, self._model, position, state)
            except checkpoints.NotFiniteError as error:
                epoch, step = position.epoch, position.step - 1
                if step < 0:
                    epoch, step = epoch - 1, self.feed.plan.steps(epoch - 1) - 1
                raise own.not_finite(str(error), self.feed.name_batch, epoch, step) from error
        elif several:
            checkpoints.collect(self._model)
        self._saved, self._saved_updates = time.monotonic(), position.updates
