"""Which layers train. Frozen means frozen: weights, statistics and random draws."""

import hashlib
import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from kerasft import keras_private
from kerasft.backbone import Group
from kerasft.errors import KerasftError, PluginError, UnknownNameError, UsageError
from kerasft.model import Split, TrainedModel
from kerasft.phases import Lora, Phase


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """What trains in a phase.

    Args:
        trained: number of weights (scalars) that train.
        total: number of weights of the model.
        groups: names of the groups that train, shallow → deep.
        digest: sha256 of everything that must not change.
    """

    trained: int
    total: int
    groups: tuple[str, ...]
    digest: str

    def __str__(self) -> str:
        share = 100 * self.trained / self.total
        return f"{self.trained:,} of {self.total:,} weights train ({share:.3g} %): {', '.join(self.groups)}"


def freeze(model: TrainedModel, train: str | int = "head", *, batch_norm: bool = False) -> Frozen:
    """Freezes all groups of layers but the deepest; call ``compile`` afterwards, or Keras goes on as before.

    In what is frozen, weights and BatchNormalization statistics stay as they are to the bit, and no dropout is drawn.

    Args:
        model: from `kerasft.build`.
        train: ``"head"``; ``"top2"`` or 2 for the head and the two deepest groups of layers; or ``"all"``.
        batch_norm: let BatchNormalization layers of the groups that train learn and gather statistics.

    Returns:
        What trains now.

    Raises:
        UsageError: there are not so many groups.

    Example::

        kerasft.freeze(model, "head")
        model.compile("adam", model.assembly.task.loss())
    """
    return apply(model, Phase(train, batch_norm=batch_norm))


def apply(model: TrainedModel, phase: Phase, lora: Lora | None = None) -> Frozen:
    """`freeze` for a phase, with adapters or without.

    Raises:
        UsageError: the phase would train nothing, or names more groups than there are.
        PluginError: the backbone's groups leave weights out, or are not in order.
    """
    *backbone, head = model.assembly.groups
    _check_groups(model)
    count = phase.groups(len(backbone))
    frozen, trained = backbone[: len(backbone) - count], backbone[len(backbone) - count :]
    model.trainable = False  # Keras ignores what sets the value there was, also for the layers inside
    model.trainable = True
    for layer in _layers(frozen):
        layer.trainable = False
    if not phase.batch_norm:
        for layer in keras_private.inner_layers(_layers(trained)):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
    adapted = [group for group in trained if lora and _has_adapters(group)]
    if lora:
        for group in adapted:
            _only_adapters(group)
        for layer in _layers(group for group in trained if group not in adapted):
            layer.trainable = False
        frozen, trained = _leading(backbone, adapted), adapted
    if not model.trainable_variables:
        raise UsageError(f"Phase {phase.label} trains nothing: the head of this task has no weights.")
    model.split = _split(model, frozen)
    total = sum(math.prod(weight.shape) for weight in _weights(model))
    return Frozen(
        trained=sum(math.prod(variable.shape) for variable in model.trainable_variables),
        total=total,
        groups=tuple(group.name for group in (*trained, head)),
        digest=digest(model),
    )


def digest(model: TrainedModel) -> str:
    """sha256 of every weight that no training step may change."""
    moving = set(map(id, changing(model)))
    return digest_of(weight for weight in _weights(model) if id(weight) not in moving)


def digest_of(weights: Iterable[keras.Variable]) -> str:
    """sha256 of weights in their order, without their names.

    Keras numbers names through, so that those of another process may be other ones.
    """

    def one(array: np.ndarray) -> bytes:
        found = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)  # a copy would take longer
        return found.digest()

    with ThreadPoolExecutor(2) as pool:
        digests = pool.map(one, [np.asarray(tf.convert_to_tensor(weight)) for weight in weights])
        return hashlib.sha256(b"".join(digests)).hexdigest()


def changing(model: keras.Model) -> list[keras.Variable]:
    """Every weight that training may change: those that train, and statistics of BatchNormalization."""
    moving = [
        weight
        for layer in keras_private.inner_layers(model.layers)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        for weight in layer.weights
    ]
    return list({id(variable): variable for variable in [*model.trainable_variables, *moving]}.values())


def check(model: TrainedModel, expected: str) -> None:
    """Asserts that nothing frozen has changed.

    Raises:
        KerasftError: something has; no run should be trusted then.
    """
    if digest(model) != expected:
        raise KerasftError("Frozen weights have changed during this phase. Does a callback assign weights?")


def add_adapters(model: TrainedModel, lora: Lora) -> int:
    """Gives every Dense and EinsumDense layer of the groups its low-rank adapters, which begin at zero effect.

    Returns:
        How many layers got them.

    Raises:
        UnknownNameError: there is no group of this name.
        UsageError: the groups have no such layers.
    """
    backbone = {group.name: group for group in model.assembly.groups[:-1]}
    for name in lora.groups:
        if name not in backbone:
            raise UnknownNameError("group of layers", name, backbone)
    chosen = [backbone[name] for name in lora.groups] or list(backbone.values())
    kinds = (keras.layers.Dense, keras.layers.EinsumDense)
    layers = [layer for layer in keras_private.inner_layers(_layers(chosen)) if isinstance(layer, kinds)]
    if not layers:
        names = ", ".join(group.name for group in chosen)
        raise UsageError(f"Lora: there is no Dense or EinsumDense layer in {names}.")
    for layer in layers:
        layer.enable_lora(lora.rank, lora_alpha=lora.alpha)
    return len(layers)


def is_adapter(variable: keras.Variable) -> bool:
    """Whether this is one of the two matrices of an adapter."""
    return variable.name.startswith("lora_")


def _has_adapters(group: Group) -> bool:
    return any(is_adapter(weight) for layer in group.layers for weight in layer.weights)


def _only_adapters(group: Group) -> None:
    for layer in keras_private.inner_layers(group.layers):
        for variable in layer.weights:
            variable.trainable = is_adapter(variable)


def _check_groups(model: TrainedModel) -> None:
    """A weight outside of every group would train in every phase; a layer inside of another cannot be cut off."""
    name = f"backbone {model.assembly.spec.name}"
    layers = _layers(model.assembly.groups)
    grouped = {id(weight) for layer in layers for weight in layer.weights}
    left = [weight.path for weight in model.weights if id(weight) not in grouped]
    if left:
        raise PluginError(f"{name}: its groups must hold every weight. Left out: {', '.join(left[:3])}")
    outer, inner = set(map(id, model.layers)), set(map(id, keras_private.inner_layers(model.layers)))
    inside = [layer.name for layer in layers if id(layer) in inner - outer]
    if inside:
        raise PluginError(
            f"{name}: groups are of layers that stand in its model, not inside of another layer. Received: {inside[0]}"
        )


def _leading(backbone: list[Group], adapted: list[Group]) -> list[Group]:
    """The groups before the first with adapters that train."""
    first = next((i for i, group in enumerate(backbone) if group in adapted), len(backbone))
    return backbone[:first]


def _split(model: TrainedModel, frozen: Iterable[Group]) -> Split | None:
    """The model cut after `frozen`; None if nothing is."""
    stays = {id(layer) for layer in _layers(frozen)}
    if not stays:
        return None
    moves = {id(layer) for group in model.assembly.groups for layer in group.layers} - stays
    ready = {id(tensor) for tensor in model.inputs}
    cut: dict[int, keras.KerasTensor] = {}
    for call in keras_private.calls(model):
        if id(call.operation) not in moves and all(id(tensor) in ready for tensor in call.inputs):
            ready.update(map(id, call.outputs))
            continue
        if id(call.operation) in stays:
            raise PluginError(
                f"backbone {model.assembly.spec.name}: its groups are not in order from shallow to deep: the frozen "
                f"layer {call.operation.name!r} reads the output of one that trains."
            )
        cut |= {id(tensor): tensor for tensor in call.inputs if id(tensor) in ready}
    edge = list(cut.values())
    return Split(keras.Model(model.input, edge), keras.Model(edge, model.output))


def _layers(groups: Iterable[Group]) -> list[keras.Layer]:
    return [layer for group in groups for layer in group.layers]


def _weights(model: TrainedModel) -> list[keras.Variable]:
    return list({id(weight): weight for weight in model.weights}.values())
