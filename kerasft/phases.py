"""The phases of a run: what trains, for how long, how fast. Plain data, imports nothing heavy."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from kerasft.errors import UnknownNameError, UsageError

SCHEDULES = ("linear", "cosine", "constant")


def _top(train: Any) -> int | None:
    if isinstance(train, str):
        train = int(train[3:]) if train.startswith("top") and train[3:].isdecimal() else None
    return train if is_whole(train) and train >= 1 else None


def is_whole(value: Any) -> bool:
    """Whether this is a whole number: true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether this is a number: true and false are none."""
    return is_whole(value) or isinstance(value, float)


def _positive(value: Any) -> bool:
    return is_number(value) and 0 < value < math.inf


@dataclass(frozen=True)
class Phase:
    """Some epochs in which the same layers train.

    Args:
        train: ``"head"``; ``"top2"`` or 2 for the head and the two deepest groups of layers; or ``"all"``.
        epochs: passes over the training data.
        learning_rate: its peak, after the warmup; None takes the backbone's own (see `defaults`).
        layer_decay: every group trains at this fraction of the rate of the next deeper one; the head trains at the
            full rate. None takes the backbone's own; 1 trains all at one rate.
        schedule: ``"linear"`` or ``"cosine"`` decay to zero at the end of the phase, or ``"constant"``.
        warmup: fraction of the phase's updates in which the rate rises linearly from zero.
        batch_norm: let BatchNormalization layers of the backbone train. By default they keep their statistics and
            weights, also in groups that train: small batches would ruin them.

    Raises:
        UsageError: a value is out of range.
    """

    train: str | int = "all"
    epochs: int = 1
    learning_rate: float | None = None
    layer_decay: float | None = None
    schedule: str = "linear"
    warmup: float = 0.1
    batch_norm: bool = False

    def __post_init__(self) -> None:
        wrong = []
        if _top(self.train) is None and self.train not in ("head", "all"):
            wrong.append(f"train is 'head', 'all', or 'topN' with N from 1. Received: {self.train!r}")
        if not is_whole(self.epochs) or self.epochs < 1:
            wrong.append(f"epochs must be a whole number from 1. Received: {self.epochs!r}")
        if self.learning_rate is not None and not _positive(self.learning_rate):
            wrong.append(f"learning_rate must be a finite number above 0. Received: {self.learning_rate!r}")
        if self.layer_decay is not None and not (_positive(self.layer_decay) and self.layer_decay <= 1):
            wrong.append(f"layer_decay must be above 0 and at most 1. Received: {self.layer_decay!r}")
        if self.schedule not in SCHEDULES:
            wrong.append(f"schedule is one of {', '.join(SCHEDULES)}. Received: {self.schedule!r}")
        if not is_number(self.warmup) or not 0 <= self.warmup < 1:
            wrong.append(f"warmup must be from 0 to below 1. Received: {self.warmup!r}")
        if not isinstance(self.batch_norm, bool):
            wrong.append(f"batch_norm is true or false. Received: {self.batch_norm!r}")
        if wrong:
            raise UsageError("\n".join(f"Phase: {line}" for line in wrong))

    @property
    def label(self) -> str:
        """``head``, ``top2`` or ``all``."""
        return f"top{self.train}" if isinstance(self.train, int) else self.train

    def groups(self, known: int) -> int:
        """How many of the backbone's `known` groups train, counted from the deepest.

        Raises:
            UsageError: it has fewer.
        """
        if self.train == "head":
            return 0
        if self.train == "all":
            return known
        top = _top(self.train)
        if top is None or top > known:
            raise UsageError(f"Phase {self.label}: the backbone has {known} groups of layers, so top1 to top{known}.")
        return top


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Low-rank adapters (Hu et al. 2021) instead of the weights of a backbone.

    Every Dense and EinsumDense layer of the groups gets them. Which of them train is said by each `Phase`: adapters of
    groups that do not are frozen. Dropout is off before the first group with adapters that train, and drawn from there
    on, also in groups without any.

    Args:
        rank: of the adapters.
        alpha: the adapters' output is multiplied by ``alpha / rank``; None for 1.
        groups: names of groups of layers, such as ``block_3`` (a run shows those that train); empty for all.

    Raises:
        UsageError: `rank` or `alpha` is out of range.
    """

    rank: int = 8
    alpha: float | None = None
    groups: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not is_whole(self.rank) or self.rank < 1:
            raise UsageError(f"Lora: rank must be a whole number from 1. Received: {self.rank!r}")
        if self.alpha is not None and not _positive(self.alpha):
            raise UsageError(f"Lora: alpha must be a finite number above 0. Received: {self.alpha!r}")
        if isinstance(self.groups, str) or not all(isinstance(name, str) for name in self.groups):
            raise UsageError(f"Lora: groups is a list of names. Received: {self.groups!r}")


DEFAULTS = (
    Phase("head", epochs=1, learning_rate=1e-3),
    Phase("all", epochs=3, learning_rate=5e-5, layer_decay=0.9),
)
"""For backbones that say nothing themselves."""

DEFAULTS_SOURCE = (
    "Head first: Kumar et al. 2022, arXiv 2202.10054. Rate of all layers: Devlin et al. 2018, appendix A.3. "
    "Layer decay: ELECTRA, Clark et al. 2020."
)

# A low-rank adapter wants about ten times the rate of the weights themselves (Schulman et al. 2025, "LoRA Without
# Regret", section on the learning rate).
LORA_RATE = 10.0


def resolve(
    phases: Sequence[Phase | Mapping[str, Any] | str] | None,
    defaults: Sequence[Phase],
    *,
    epochs: int | None = None,
    learning_rate: float | None = None,
    lora: bool = False,
) -> tuple[Phase, ...]:
    """Phases with every value filled in.

    Args:
        phases: the user's, as objects, mappings or the text that `parse` reads; None for the defaults.
        defaults: the backbone's own, or none.
        epochs: of the last default phase; only without `phases`.
        learning_rate: of the last default phase; only without `phases`.
        lora: whether adapters train instead of weights.

    Raises:
        UsageError: there are no phases, `phases` are given together with `epochs` or `learning_rate`, or a value is
            out of range.
    """
    fallback: Sequence[Phase] = DEFAULTS
    defaults = tuple(defaults) or DEFAULTS
    if lora:
        fallback, defaults = _for_adapters(fallback), _for_adapters(defaults)
    head = next(phase for phase in (*defaults, *fallback) if phase.train == "head")
    deep = next(phase for phase in (*reversed(defaults), *reversed(fallback)) if phase.train != "head")
    head, deep = complete(head, *fallback), complete(deep, *fallback)
    chosen: dict[str, Any] = {"epochs": epochs, "learning_rate": learning_rate}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if phases is None:
        phases = (*defaults[:-1], replace(defaults[-1], **chosen))
    elif chosen:
        raise UsageError("Give either phases, or epochs and learning_rate: a phase has its own.")
    if not isinstance(phases, Sequence) or isinstance(phases, str):
        raise UsageError(f"phases is a list of phases. Received: {phases!r}")
    if not phases:
        raise UsageError("There must be at least one phase.")
    return tuple(complete(_phase(phase), head, deep) for phase in phases)


def complete(phase: Phase, head: Phase, deep: Phase) -> Phase:
    """`phase` with the rates of `head` or `deep` where it says none."""
    source = head if phase.train == "head" else deep
    rate = source.learning_rate if phase.learning_rate is None else phase.learning_rate
    decay = source.layer_decay if phase.layer_decay is None else phase.layer_decay
    return replace(phase, learning_rate=rate, layer_decay=1.0 if decay is None else decay)


def parse(text: str) -> Phase:
    """A phase from the command line: ``TRAIN:EPOCHS[:LEARNING_RATE][:NAME=VALUE,…]``.

    Raises:
        UsageError: it does not read so.
    """
    train, _, rest = text.partition(":")
    values: dict[str, Any] = {"train": train}
    parts = rest.split(":") if rest else []
    settings = parts.pop() if parts and "=" in parts[-1] else ""
    try:
        if len(parts) > 2:
            raise ValueError
        for name, part, kind in zip(("epochs", "learning_rate"), parts, (int, float), strict=False):
            values[name] = kind(part)
        for setting in filter(None, settings.split(",")):
            name, _, value = setting.partition("=")
            values[name] = {"true": True, "false": False}.get(value.lower(), _number(value))
    except ValueError:
        raise UsageError(
            "A phase is TRAIN:EPOCHS[:LEARNING_RATE][:NAME=VALUE,…], for example head:1:1e-3 or "
            f"all:3:3e-5:layer_decay=0.9,schedule=cosine. Received: {text}"
        ) from None
    return from_json(values)


def from_json(values: Mapping[str, Any]) -> Phase:
    """The inverse of `to_json`.

    Raises:
        UnknownNameError: a phase has no such setting.
    """
    return Phase(**_known("setting of a phase", Phase, values))


def lora_from_json(values: Any) -> Lora:
    """The inverse of `to_json`; takes a `Lora` as well.

    Raises:
        UsageError: it is neither, or adapters have no such setting.
    """
    if isinstance(values, Lora):
        return values
    if not isinstance(values, Mapping):
        raise UsageError(f"lora is a Lora or a mapping of its settings. Received: {values!r}")
    return Lora(**_known("setting of lora", Lora, values))


def to_json(phase: Phase | Lora) -> dict[str, Any]:
    """JSON-ready data."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(phase).items()}


def describe(phase: Phase) -> str:
    """One line for `kerasft why` and reports."""
    rate = "" if phase.learning_rate is None else f", learning rate {phase.learning_rate:g}"
    decay = "" if phase.layer_decay in (None, 1.0) else f", layer decay {phase.layer_decay:g}"
    plural = "" if phase.epochs == 1 else "s"
    return f"{phase.label}: {phase.epochs} epoch{plural}{rate}{decay}, {phase.schedule}, warmup {phase.warmup:g}"


def _for_adapters(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """Phases whose rates were made for weights, for adapters; the head trains as ever."""
    return tuple(
        phase
        if phase.train == "head" or phase.learning_rate is None
        else replace(phase, learning_rate=phase.learning_rate * LORA_RATE)
        for phase in phases
    )


def _known(kind: str, of: Any, values: Mapping[str, Any]) -> Mapping[str, Any]:
    known = [item.name for item in fields(of)]
    for name in values:
        if name not in known:
            raise UnknownNameError(kind, str(name), known)
    return values


def _phase(given: Any) -> Phase:
    if isinstance(given, Phase):
        return given
    if isinstance(given, str):
        return parse(given)
    if isinstance(given, Mapping):
        return from_json(given)
    raise UsageError(f"A phase is a Phase, a mapping, or text such as head:1:1e-3. Received: {given!r}")


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
