"""Optimizers and learning-rate schedules: what Keras has, with a rate and a decay per variable."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kerasft.backbone import Group
from kerasft.errors import UnknownNameError, UsageError
from kerasft.keras_private import AdamInOnePass, PerVariable
from kerasft.phases import Phase, is_number

# Weights that are not decayed, as in BERT's own `AdamWeightDecayOptimizer`: biases and norms. Vectors are one or the
# other whatever they are called; these names are for those that have more axes, such as biases of attention heads.
_UNDECAYED = ("bias", "gamma", "beta")


class _Finetuning(PerVariable):
    """What the optimizers below add to those of Keras.

    Args:
        scales: fraction of the learning rate, by path of variable; 1 for others.
        undecayed: paths of variables without weight decay.
        weight_decay: decoupled from the gradient (Loshchilov and Hutter 2017), times the variable's own rate.
        clip_norm: largest norm of the gradient of all variables together; None for no limit.
        average_momentum: of the exponential moving average of the weights; None for none.
    """

    def __init__(
        self,
        *,
        scales: Mapping[str, float] | None = None,
        undecayed: Sequence[str] = (),
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        average_momentum: float | None = None,
        **options: Any,
    ):
        super().__init__(**options)
        self.decay = weight_decay
        self.clip_norm = clip_norm
        self.average_momentum = average_momentum
        self._scales_by_path = dict(scales or {})
        self._undecayed = list(undecayed)
        self._chosen_rate = self.add_variable(  # type: ignore[attr-defined]
            (), keras.initializers.Constant(-1.0), aggregation="only_first_replica", name="chosen_rate"
        )

    @property
    def learning_rate(self) -> Any:
        """The rate of the next update, before the scale of each variable.

        Keras lets nobody set it beside a schedule. Its callbacks that do, such as `ReduceLROnPlateau`, take the rate
        over from the schedule until the phase ends.
        """
        scheduled = super().learning_rate  # type: ignore[misc]
        return keras.ops.where(self._chosen_rate >= 0, self._chosen_rate, scheduled)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value):
            keras.optimizers.Optimizer.learning_rate.fset(self, value)
        self._chosen_rate.assign(-1.0 if callable(value) else value)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the optimizer's own variables, in the order of `variables`."""
        self.scales = [self._scales_by_path.get(variable.path, 1.0) for variable in variables]
        self.decayed = [variable.path not in self._undecayed for variable in variables]
        super().build(variables)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            **super().get_config(),  # type: ignore[misc]
            "scales": self._scales_by_path,
            "undecayed": self._undecayed,
            "weight_decay": self.decay,
            "clip_norm": self.clip_norm,
            "average_momentum": self.average_momentum,
        }


@keras.saving.register_keras_serializable("kerasft")
class AdamW(_Finetuning, AdamInOnePass):
    """Adam with decoupled weight decay."""


@keras.saving.register_keras_serializable("kerasft")
class SGD(_Finetuning, keras.optimizers.SGD):
    """Stochastic gradient descent with momentum 0.9."""

    def __init__(self, *, momentum: float = 0.9, **options: Any):
        super().__init__(momentum=momentum, **options)


@keras.saving.register_keras_serializable("kerasft")
class Lion(_Finetuning, keras.optimizers.Lion):
    """Chen et al. 2023; wants about a tenth of Adam's rate."""


OPTIMIZERS: Mapping[str, type] = {"adamw": AdamW, "adam": AdamW, "sgd": SGD, "lion": Lion}


@dataclass(frozen=True, kw_only=True)
class Optimization:
    """How gradients become updates, in all phases.

    Args:
        optimizer: ``"adamw"``, ``"adam"`` (without weight decay), ``"sgd"`` or ``"lion"``.
        weight_decay: of all weights but biases and norms.
        clip_norm: largest norm of the gradient of all weights together; None for no limit.
        average: momentum of a moving average of the weights, which is then what is validated and kept; None for none.

    Raises:
        UsageError: a value is out of range.
    """

    optimizer: str = "adamw"
    weight_decay: float = 0.01
    clip_norm: float | None = 1.0
    average: float | None = None

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise UnknownNameError("optimizer", str(self.optimizer), OPTIMIZERS)
        wrong = []
        if not (is_number(self.weight_decay) and 0 <= self.weight_decay < math.inf):
            wrong.append(f"weight_decay must be 0 or above. Received: {self.weight_decay!r}")
        if self.clip_norm is not None and not (is_number(self.clip_norm) and 0 < self.clip_norm < math.inf):
            wrong.append(f"clip_norm must be above 0, or None. Received: {self.clip_norm!r}")
        if self.average is not None and not (is_number(self.average) and 0 < self.average < 1):
            wrong.append(f"ema must lie between 0 and 1, for example 0.999. Received: {self.average!r}")
        if wrong:
            raise UsageError("\n".join(wrong))

    def make(
        self,
        variables: Sequence[keras.Variable],
        groups: Sequence[Group],
        phase: Phase,
        updates: int,
        schedule: keras.optimizers.schedules.LearningRateSchedule | None = None,
    ) -> keras.optimizers.Optimizer:
        """The optimizer of one phase, built.

        Args:
            variables: what trains.
            groups: of the whole model, shallow → deep, the head last.
            phase: its rates are all given (`phases.complete`).
            updates: of the phase.
            schedule: instead of the phase's own.
        """
        own = WarmupThen(phase.learning_rate or 0.0, updates, phase.schedule, phase.warmup)
        optimizer = OPTIMIZERS[self.optimizer](
            learning_rate=schedule or own,
            scales=_scales(groups, phase.layer_decay or 1.0),
            undecayed=[v.path for v in variables if v.name in _UNDECAYED or len(v.shape) < 2],
            weight_decay=0.0 if self.optimizer == "adam" else self.weight_decay,
            clip_norm=self.clip_norm,
            average_momentum=self.average,
        )
        # Now: variables made by the first step would have TensorFlow trace the whole training step twice.
        optimizer.build(variables)
        return optimizer


def _scales(groups: Sequence[Group], decay: float) -> dict[str, float]:
    """1 for the head, `decay` for the deepest group of the backbone, its square for the next, and so on."""
    if decay == 1.0:
        return {}
    return {
        weight.path: decay**depth
        for depth, group in enumerate(reversed(groups))
        for layer in group.layers
        for weight in layer.weights
    }


@keras.saving.register_keras_serializable("kerasft")
class WarmupThen(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to `peak` in the first updates, then falls to zero at the end, or stays.

    Args:
        peak: the highest rate.
        updates: of the whole schedule.
        schedule: ``"linear"``, ``"cosine"`` or ``"constant"``.
        warmup: fraction of `updates` in which it rises; the first update has a rate above 0.
    """

    def __init__(self, peak: float, updates: int, schedule: str = "linear", warmup: float = 0.1):
        self.peak = peak
        self.updates = updates
        self.schedule = schedule
        self.warmup = warmup

    def __call__(self, step: "keras.KerasTensor") -> "keras.KerasTensor":
        """Learning rate at an update, counted from 0."""
        ops = keras.ops
        step = ops.cast(step, "float32")
        rises = self.warmup * self.updates
        left = ops.clip((self.updates - step) / max(1.0, self.updates - rises), 0.0, 1.0)
        after = {"linear": left, "cosine": 0.5 - 0.5 * ops.cos(math.pi * left), "constant": ops.ones_like(left)}
        rising = (step + 1.0) / max(1.0, rises)
        return self.peak * ops.minimum(ops.minimum(rising, 1.0), after[self.schedule])

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {"peak": self.peak, "updates": self.updates, "schedule": self.schedule, "warmup": self.warmup}
