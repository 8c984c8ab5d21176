"""The learning-rate range test (Smith 2015, arXiv 1506.01186, section 3.3): train a little while the rate rises."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import keras
import numpy as np
from rich.console import Console

from kerasft import files, freezing, modeling, phases, pretrained
from kerasft.engine.optim import Optimization
from kerasft.engine.pipeline import Batches
from kerasft.engine.plan import BatchPlan
from kerasft.engine.prepare import prepare
from kerasft.errors import KerasftError, UsageError
from kerasft.phases import Phase

# Memory of the moving average of losses, and how far above the best it counts as diverged: fastai's `lr_find`.
_SMOOTHING = 0.98
_DIVERGED = 4.0
_WIDTH, _HEIGHT = 560, 300


@dataclass(frozen=True, kw_only=True)
class RangeTest:
    """What the range test saw.

    Args:
        rates: learning rate of each update.
        losses: of the batch at each update, before it.
        smoothed: exponential moving average of `losses`, without the bias of its beginning.
        suggestion: a peak learning rate to train with.
    """

    rates: Sequence[float]
    losses: Sequence[float]
    smoothed: Sequence[float]
    suggestion: float

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {"suggestion": self.suggestion, "rates": list(self.rates), "losses": list(self.losses)}

    def plot(self, path: str | Path) -> None:
        """Writes the curve with the suggestion as an SVG picture."""
        low, high = min(self.smoothed), min(max(self.smoothed), 2 * self.smoothed[0])
        left, right = math.log10(self.rates[0]), math.log10(self.rates[-1])

        def x(rate: float) -> float:
            return round(60 + _WIDTH * (math.log10(rate) - left) / (right - left), 1)

        def y(loss: float) -> float:
            return round(20 + _HEIGHT * (1 - (min(loss, high) - low) / max(high - low, 1e-9)), 1)

        loader = jinja2.FileSystemLoader(Path(__file__).parent)
        picture = jinja2.Environment(loader=loader, autoescape=True).get_template("lr.svg.j2").render(
            points=" ".join(f"{x(r)},{y(v)}" for r, v in zip(self.rates, self.smoothed, strict=True)),
            ticks=[(x(10.0**k), f"1e{k}") for k in range(math.ceil(left), math.floor(right) + 1)],
            low=f"{low:.3g}",
            high=f"{high:.3g}",
            x=x(self.suggestion),
            suggestion=f"{self.suggestion:.1e}",
        )  # fmt: skip
        files.write_text(Path(path), picture)


def find_learning_rate(
    backbone: str,
    task: str,
    train: Any,
    *,
    phase: Phase | None = None,
    steps: int = 100,
    lowest: float = 1e-7,
    highest: float = 1.0,
    batch_size: int = 32,
    seed: int = 0,
    optimizer: str = "adamw",
    input_column: str | None = None,
    target_column: str | None = None,
    encoding: str = "utf-8",
    backbone_options: Mapping[str, Any] | None = None,
    task_options: Mapping[str, Any] | None = None,
    console: Console | None = None,
) -> RangeTest:
    """Trains for some updates while the learning rate rises from `lowest` to `highest`, and suggests one.

    The suggestion is a tenth of the rate with the lowest smoothed loss: there the loss still falls, with a margin to
    where it does not. Nothing is kept.

    Args:
        backbone, task, train, batch_size, seed, optimizer, input_column, target_column, encoding, backbone_options,
            task_options, console: as for `kerasft.finetune`.
        phase: what trains; all layers by default. Its own rate is not used.
        steps: updates, 100 by default; fewer if the loss diverges before.
        lowest, highest: ends of the range, 1e-7 and 1 by default.

    Returns:
        The suggestion, and the curve that it was taken from.

    Raises:
        UsageError: `steps`, `batch_size` or the range are out of bounds.
        DataError: with every problem of the data.
        KerasftError: the loss never fell.
    """
    if steps < 10:
        raise UsageError(f"steps must be 10 or more. Received: {steps}")
    if batch_size < 1:
        raise UsageError(f"batch_size must be 1 or more. Received: {batch_size}")
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed must be a whole number from 0 to {2**32 - 1}. Received: {seed}")
    if not 0 < lowest < highest < math.inf:
        raise UsageError(f"The range of rates must rise from above 0. Received: {lowest:g} to {highest:g}")
    found = pretrained.locate(backbone)
    made_task = modeling.create_task(found.spec, task, task_options or {})
    prepared = prepare(
        made_task,
        modality=found.spec.modality,
        train=train,
        validation=None,
        test=None,
        input_column=input_column,
        target_column=target_column,
        encoding=encoding,
        seed=seed,
    )
    keras.utils.set_random_seed(seed)
    model = modeling.assemble(found.spec, found.create(backbone_options), made_task, found.source)
    (chosen,) = phases.resolve([phase or Phase("all")], found.spec.phases)
    frozen = freezing.apply(model, chosen)
    (console or Console(stderr=True)).print(f"{frozen}", highlight=False, soft_wrap=True)
    schedule = Rising(lowest, highest, steps)
    model.compile(
        optimizer=Optimization(optimizer=optimizer).make(
            model.trainable_variables, model.assembly.groups, chosen, steps, schedule=schedule
        ),
        loss=made_task.loss(),
        jit_compile=False,
    )
    encodings = model.assembly.encodings(prepared.train.inputs)
    plan = BatchPlan(
        examples=len(encodings),
        batch_size=batch_size,
        seed=seed,
        lengths=encodings.lengths,
        limit=encodings.limit,
    )
    batches = Batches(encodings, made_task, encodings.of_examples(prepared.train.encoded), plan)
    recorder = _Recorder(schedule)
    model.fit(
        batches.passes().repeat(),
        steps_per_epoch=steps,
        callbacks=[recorder],
        shuffle=False,
        verbose=0,
    )
    return _result(recorder)


@keras.saving.register_keras_serializable("kerasft")
class Rising(keras.optimizers.schedules.LearningRateSchedule):
    """Rises from `lowest` to `highest` in `steps` updates, by the same factor each time."""

    def __init__(self, lowest: float, highest: float, steps: int):
        self.lowest = lowest
        self.highest = highest
        self.steps = steps

    def __call__(self, step: Any) -> Any:
        """Learning rate at an update, counted from 0."""
        done = keras.ops.cast(step, "float32") / max(1, self.steps - 1)
        return self.lowest * (self.highest / self.lowest) ** done

    def get_config(self) -> dict[str, float]:
        """Arguments of the constructor."""
        return {"lowest": self.lowest, "highest": self.highest, "steps": self.steps}


class _Recorder(keras.callbacks.Callback):
    """The loss of every batch; stops when it has diverged."""

    def __init__(self, schedule: Rising):
        super().__init__()
        self._schedule = schedule
        self._average = 0.0
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.smoothed: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The loss that Keras shows is a mean since the last reset."""
        self.model.reset_metrics()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Records it, unless it is no number any more."""
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            self.model.stop_training = True
            return
        self._average = _SMOOTHING * self._average + (1 - _SMOOTHING) * loss
        self.rates.append(float(self._schedule(batch)))
        self.losses.append(loss)
        self.smoothed.append(self._average / (1 - _SMOOTHING ** len(self.losses)))
        if self.smoothed[-1] > _DIVERGED * min(self.smoothed):
            self.model.stop_training = True


def _result(recorder: _Recorder) -> RangeTest:
    first = len(recorder.smoothed) // 10  # before that the average is of too few batches
    lowest = first + int(np.argmin(recorder.smoothed[first:] or [0.0]))
    if lowest == first:
        raise KerasftError(
            "The loss never fell while the learning rate rose: is the range too high, or do labels not fit the inputs?"
        )
    return RangeTest(
        rates=recorder.rates,
        losses=recorder.losses,
        smoothed=recorder.smoothed,
        suggestion=recorder.rates[lowest] / 10,
    )
