"""How a run trains: checked values."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kerasft.engine.optim import Optimization
from kerasft.errors import MissingExtraError, UnknownNameError, UsageError
from kerasft.phases import Lora, Phase, from_json

# Names of users to names of Keras. No float16: its loss scaling looks at the first replica only.
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}

_PLAIN = (
    "batch_size", "accumulation", "seed", "monitor", "early_stopping", "checkpoint_steps", "checkpoint_minutes",
    "precision",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run trains; see `kerasft.finetune` for each.

    Raises:
        UsageError: a value is out of range.
    """

    phases: Sequence[Phase]
    batch_size: int
    accumulation: int
    seed: int
    optimization: Optimization
    lora: Lora | None
    monitor: str | None
    early_stopping: int | None
    checkpoint_steps: int | None
    checkpoint_minutes: float | None
    precision: str

    def __post_init__(self) -> None:
        wrong = []
        for name in ("batch_size", "accumulation", "early_stopping", "checkpoint_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                wrong.append(f"{name} must be 1 or more. Received: {value}")
        if self.accumulation > self.batch_size:
            wrong.append(
                f"accumulation splits a batch of {self.batch_size}. Received: accumulation={self.accumulation}"
            )
        if self.checkpoint_minutes is not None and not 0 <= self.checkpoint_minutes < float("inf"):
            wrong.append(f"checkpoint_minutes must be 0 or above. Received: {self.checkpoint_minutes}")
        if not 0 <= self.seed < 2**32:
            wrong.append(f"seed must be from 0 to {2**32 - 1}. Received: {self.seed}")
        if self.precision not in PRECISIONS:
            wrong.append(str(UnknownNameError("precision", self.precision, PRECISIONS)))
        if wrong:
            raise UsageError("\n".join(wrong))

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Settings":
        """From what ``config.json`` holds."""
        if config["tensorboard"] and importlib.util.find_spec("tensorboard") is None:
            raise MissingExtraError("tensorboard", "tensorboard", "Writing logs for TensorBoard")
        return cls(
            phases=tuple(from_json(phase) for phase in config["phases"]),
            optimization=Optimization(
                optimizer=config["optimizer"],
                weight_decay=config["weight_decay"],
                clip_norm=config["clip_norm"],
                average=config["ema"],
            ),
            lora=None if config["lora"] is None else Lora(**config["lora"]),
            **{name: config[name] for name in _PLAIN},
        )

    @property
    def epochs(self) -> int:
        """Most there can be, over all phases."""
        return sum(phase.epochs for phase in self.phases)
