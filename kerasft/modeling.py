"""A backbone and a task become one Keras model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from kerasft import features, host, pretrained
from kerasft.backbone import Backbone, Encoded, Group
from kerasft.errors import PluginError, UsageError
from kerasft.model import TrainedModel
from kerasft.specs import BackboneSpec, TaskSpec, load_object
from kerasft.task import Task

if TYPE_CHECKING:
    from kerasft.engine.encode import Encodings

# Layers of the core, which belong neither to the backbone nor to the head.
_BRIDGES = ("tokens_to_pooled", "spatial_to_pooled")


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """The parts of a model, kept beside it as ``model.assembly``.

    Args:
        spec: of the backbone.
        backbone: encoder, groups and preprocessing.
        task: head, loss, decoding.
        groups: every group of layers with weights, shallow → deep, the head last.
        source: the handle the weights came from; empty if they were made here.
    """

    spec: BackboneSpec
    backbone: Backbone
    task: Task
    groups: Sequence[Group]
    source: str

    @property
    def whole(self) -> bool:
        """Whether nothing of an input is cut off."""
        return self.task.whole and hasattr(self.backbone.preprocess, "whole")

    def encode(self, raw: tf.Tensor) -> Encoded:
        """Raw inputs of shape ``(batch,)`` to what model and task read, in graph operations.

        With `whole` there may be more rows of texts than raw inputs, in their order, and the alignment has ``rows``,
        int32: the raw input of each.
        """
        preprocess: Any = self.backbone.preprocess
        encoded: Encoded = preprocess.whole(raw) if self.whole else preprocess(raw)
        return Encoded(encoded.inputs, self.task.alignment(raw, encoded.alignment))

    def encodings(self, inputs: Sequence[Any]) -> "Encodings":
        """Inputs encoded once, to gather batches from."""
        from kerasft.engine.encode import Encodings

        limit = getattr(self.backbone.preprocess, "length", None)
        return Encodings(self.encode, inputs, padding=self.backbone.padding, limit=limit)


def build(
    backbone: str,
    task: str | Task,
    *,
    backbone_options: Mapping[str, Any] | None = None,
    **task_options: Any,
) -> TrainedModel:
    """A `keras.Model` from preprocessed inputs to logits, with pretrained weights and a fresh head.

    It is an ordinary functional model: ``compile`` and ``fit`` train it on what `kerasft.dataset` gives.

    Args:
        backbone: ``bert/minilm-l6``, a checkpoint directory, or a handle.
        task: name of a task, or a `Task` made by yourself.
        backbone_options: for the backbone's factory, for example ``{"length": 128}``.
        task_options: for the task's factory, for example ``labels=["ham", "spam"]``.

    Raises:
        UnknownNameError: no such backbone, preset, task or option.
        UsageError: the task requires a feature the backbone neither provides nor bridges.

    Example::

        model = kerasft.build("bert/minilm-l6", "classification", labels=["ham", "spam"])
        model.compile("adamw", model.assembly.task.loss(), metrics=["accuracy"])
        model.fit(kerasft.dataset(model, texts, labels, batch_size=32))
    """
    found = pretrained.locate(backbone)
    made = create_task(found.spec, task, task_options) if isinstance(task, str) else task
    return assemble(found.spec, found.create(backbone_options), made, found.source)


def create_task(spec: BackboneSpec, name: str, options: Mapping[str, Any]) -> Task:
    """The task of this name, once it is sure to stand on the backbone.

    Raises:
        UnknownNameError: no such task.
        UsageError: the backbone cannot give what the task requires.
    """
    task_spec: TaskSpec = host.load().task(name)
    explanation = features.explain(spec, task_spec)
    if not explanation.works:
        raise UsageError("\n  ".join([f"{name} cannot stand on {spec.name}:", *explanation.lines]))
    return pretrained.call_factory(load_object(task_spec.factory, f"task {name}"), f"task {name}", options)


def assemble(spec: BackboneSpec, backbone: Backbone, task: Task, source: str = "") -> TrainedModel:
    """Puts the task's head on the backbone, with a bridge where a feature is missing."""
    outputs = backbone.model.output
    if not isinstance(outputs, dict) or not set(outputs) <= set(spec.provides):
        raise PluginError(
            f"backbone {spec.name}: expected an output dict with keys from {', '.join(spec.provides)}. "
            f"Received: {sorted(outputs) if isinstance(outputs, dict) else type(outputs).__name__}"
        )
    logits = task.head(_Features(spec.name, {**_bridged(backbone.model), **outputs}))
    model = TrainedModel(backbone.model.input, logits, name="kerasft")
    known = set(map(id, backbone.model.layers))
    head = [layer for layer in model.layers if id(layer) not in known and layer.name not in _BRIDGES]
    groups = (*_reached(backbone.groups, model), Group("head", head))
    model.assembly = Assembly(spec=spec, backbone=backbone, task=task, groups=groups, source=source)
    return model


def _reached(groups: Sequence[Group], model: keras.Model) -> list[Group]:
    """Groups without layers that no feature of this task comes through, such as BERT's pooler for its tokens."""
    there = {id(thing) for thing in (*model.layers, *model.weights)}

    def is_there(layer: keras.Layer) -> bool:
        return any(id(thing) in there for thing in (layer, *layer.weights))

    found = [Group(group.name, tuple(filter(is_there, group.layers))) for group in groups]
    return [group for group in found if group.layers]


class _Features(dict[str, Any]):
    """Features by name. A task made by the user was not compared with the backbone before it asks for one."""

    def __init__(self, backbone: str, features: Mapping[str, Any]):
        super().__init__(features)
        self._backbone = backbone

    def __missing__(self, name: str) -> Any:
        has = ", ".join(sorted(self))
        raise UsageError(f"The task cannot stand on {self._backbone}: it asks for {name!r}. There are: {has}")


def _bridged(model: keras.Model) -> dict[str, Any]:
    """The core's two bridges, made from whatever the backbone provides."""
    outputs = model.output
    source = features.bridge_source("pooled", tuple(outputs))
    if source == "tokens":
        mask = model.input["padding_mask"]
        return {"pooled": keras.layers.GlobalAveragePooling1D(name=_BRIDGES[0])(outputs["tokens"], mask=mask)}
    if source == "spatial":
        return {"pooled": keras.layers.GlobalAveragePooling2D(name=_BRIDGES[1])(outputs["spatial"])}
    return {}


def dataset(
    model: keras.Model,
    inputs: Sequence[Any],
    targets: Sequence[Any],
    *,
    batch_size: int = 32,
    shuffle_seed: int | None = None,
) -> tf.data.Dataset:
    """Raw inputs and targets as the batches that the model's own `fit` and `evaluate` take.

    Args:
        model: from `build`.
        inputs: raw inputs, for example strings.
        targets: as they stand in data, for example label names.
        batch_size: examples per batch.
        shuffle_seed: order of the examples, another one in each pass; None keeps the order given.

    Returns:
        Batches ``(inputs by name, aligned targets)``; one pass.

    Raises:
        DataError: targets that do not fit the task: all of them are listed.
        UsageError: there are no examples, or not as many targets as inputs.
    """
    from kerasft.data import joined
    from kerasft.engine.pipeline import Batches
    from kerasft.engine.plan import BatchPlan

    if len(inputs) != len(targets) or not len(inputs):
        raise UsageError(
            f"Expected one target for each input, and at least one. "
            f"Received: {len(inputs)} inputs and {len(targets)} targets"
        )
    if batch_size < 1:
        raise UsageError(f"batch_size must be 1 or more. Received: {batch_size}")
    task = model.assembly.task
    targets, _ = task.locate(inputs, targets, lambda i: f"example {i}")
    encoded = task.encode(targets, lambda i: f"example {i}")
    encodings = model.assembly.encodings(joined(inputs) if model.assembly.spec.modality == "text" else inputs)
    plan = BatchPlan(
        examples=len(encodings),
        batch_size=batch_size,
        seed=shuffle_seed,
        lengths=encodings.lengths,
        sort=shuffle_seed is not None,
        limit=encodings.limit,
    )
    return Batches(encodings, task, encodings.of_examples(encoded), plan).passes()


def answers(model: keras.Model, raw: tf.Tensor) -> dict[str, tf.Tensor]:
    """From raw inputs to the task's answers in graph operations: prediction and the exported model are this."""
    encoded: Encoded = model.assembly.encode(raw)
    logits = model(dict(encoded.inputs), training=False)
    return model.assembly.task.decode(logits, encoded.alignment)
