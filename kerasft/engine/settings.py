"""How a run trains: checked values."""

import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kerasft.engine.optim import Optimization
from kerasft.errors import MissingExtraError, UnknownNameError, UsageError, all_at_once
from kerasft.phases import Lora, Phase, from_json, is_number, is_whole, lora_from_json

# Names of users to names of Keras. No float16: its loss scaling looks at the first replica only.
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}

_PLAIN = (
    "batch_size", "accumulation", "seed", "monitor", "early_stopping", "checkpoint_steps", "checkpoint_minutes",
    "precision", "batch_tokens", "balance", "cache_gigabytes", "augment", "views",
)  # fmt: skip
_OPTIONAL = ("early_stopping", "checkpoint_steps", "batch_tokens")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run trains; see `kerasft.finetune` for each. Made by `of`, which checks them."""

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
    batch_tokens: int | None
    balance: bool
    cache_gigabytes: float
    augment: Mapping[str, float]
    views: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Settings":
        """From what ``config.json`` holds.

        Raises:
            UsageError: with everything that is out of range.
        """
        if config["tensorboard"] and importlib.util.find_spec("tensorboard") is None:
            raise MissingExtraError("tensorboard", "tensorboard", "Writing logs for TensorBoard")
        phases, optimization, lora, _ = all_at_once(
            lambda: tuple(from_json(phase) for phase in config["phases"]),
            lambda: Optimization(
                optimizer=config["optimizer"],
                weight_decay=config["weight_decay"],
                clip_norm=config["clip_norm"],
                average=config["ema"],
            ),
            lambda: None if config["lora"] is None else lora_from_json(config["lora"]),
            lambda: _check({name: config[name] for name in _PLAIN}),
        )
        return cls(phases=phases, optimization=optimization, lora=lora, **{name: config[name] for name in _PLAIN})

    @property
    def epochs(self) -> int:
        """Most there can be, over all phases."""
        return sum(phase.epochs for phase in self.phases)


def _check(values: Mapping[str, Any]) -> None:
    """Raises UsageError with everything that is out of range."""
    wrong = []
    for name in ("batch_size", "accumulation", *_OPTIONAL):
        value = values[name]
        left_out = value is None and name in _OPTIONAL
        if not left_out and not (is_whole(value) and value >= 1):
            wrong.append(f"{name} must be a whole number from 1. Received: {value!r}")
    if not wrong and values["accumulation"] > values["batch_size"]:
        wrong.append(
            f"accumulation splits a batch of {values['batch_size']}. Received: accumulation={values['accumulation']}"
        )
    minutes = values["checkpoint_minutes"]
    if minutes is not None and not (is_number(minutes) and 0 <= minutes < math.inf):
        wrong.append(f"checkpoint_minutes must be 0 or above, or None. Received: {minutes!r}")
    size = values["cache_gigabytes"]
    if not (is_number(size) and 0 <= size < math.inf):
        wrong.append(f"cache_gigabytes must be 0 or above. Received: {size!r}")
    views = values["views"]
    if not is_whole(views) or views < 0:
        wrong.append(f"views must be a whole number from 0. Received: {views!r}")
    elif views and not values["augment"]:
        wrong.append(f"views are augmented copies of images, and need augment. Received: views={views}, no augment")
    elif views and size == 0:
        wrong.append(f"views are kept in the cache. Received: views={views}, cache_gigabytes=0")
    if not isinstance(values["balance"], bool):
        wrong.append(f"balance must be true or false. Received: {values['balance']!r}")
    if not is_whole(values["seed"]) or not 0 <= values["seed"] < 2**32:
        wrong.append(f"seed must be a whole number from 0 to {2**32 - 1}. Received: {values['seed']!r}")
    if values["precision"] not in PRECISIONS:
        wrong.append(str(UnknownNameError("precision", str(values["precision"]), PRECISIONS)))
    if wrong:
        raise UsageError("\n".join(wrong))
