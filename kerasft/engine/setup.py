"""From the arguments of `kerasft.finetune` to checked settings, data and a model: what training and planning share."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

import kerasft
from kerasft import augmentations, freezing, modeling, pretrained
from kerasft.engine import placement, record
from kerasft.engine.prepare import Prepared, prepare
from kerasft.engine.settings import PRECISIONS, Settings
from kerasft.errors import UsageError, all_at_once
from kerasft.model import TrainedModel
from kerasft.phases import Lora, lora_from_json, resolve, to_json
from kerasft.pretrained import Pretrained
from kerasft.task import Task

NOT_RECORDED = ("out", "epochs", "learning_rate", "overwrite", "profile", "callbacks", "console", "events")
"""Arguments of `kerasft.finetune` that a repeated run need not have."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A run before it has read its data.

    Args:
        config: as ``config.json`` holds it.
        settings: of it.
        found: the backbone.
        task: has not adapted yet.
        strategy: of `tf.distribute`.
    """

    config: dict[str, Any]
    settings: Settings
    found: Pretrained
    task: Task
    strategy: tf.distribute.Strategy

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Setup":
        """From all arguments of `kerasft.finetune`, in their order.

        Raises:
            UsageError: with everything that is out of range.
        """
        strategy = placement.strategy(given["devices"], given["strategy"])
        backbone = given["backbone"]
        found = pretrained.locate(backbone)
        task = modeling.create_task(found.spec, given["task"], given["task_options"] or {})
        adapters = None if given["lora"] is None else lora_from_json(given["lora"])
        config = {
            "kerasft": kerasft.__version__,
            **{name: value for name, value in given.items() if name not in NOT_RECORDED},
            **{name: record.source_name(given[name]) for name in ("train", "validation", "test")},
            **{name: dict(given[name] or {}) for name in ("backbone_options", "task_options")},
            "backbone": record.portable(backbone) if pretrained.is_handle(backbone) else backbone,
            "augment": augmentations.resolve(given["augment"]),
            "phases": [],
            "lora": None if adapters is None else to_json(adapters),
        }
        last = {name: given[name] for name in ("epochs", "learning_rate")}
        phases, _ = all_at_once(
            lambda: resolve(given["phases"], found.spec.phases, **last, lora=adapters is not None),
            lambda: Settings.of(config),
        )
        if config["augment"] and found.spec.modality != "image":
            raise UsageError(f"augment changes images, and {found.spec.name} reads {found.spec.modality}.")
        config["phases"] = [to_json(phase) for phase in phases]
        return cls(config=config, settings=Settings.of(config), found=found, task=task, strategy=strategy)

    def prepare(self, *, train: Any, validation: Any, test: Any) -> Prepared:
        """Reads and checks the data; columns that were recognised become part of the configuration."""
        config = self.config
        prepared = prepare(
            self.task,
            modality=self.found.spec.modality,
            train=train,
            validation=validation,
            test=test,
            input_column=config["input_column"],
            target_column=config["target_column"],
            encoding=config["encoding"],
            seed=config["seed"],
        )
        config |= {"input_column": prepared.columns.input, "target_column": prepared.columns.target}
        return prepared

    def build(self, *, weights: bool = True) -> TrainedModel:
        """The model in the strategy's scope: Keras remembers the scope in which a model was made."""
        keras.utils.set_random_seed(self.config["seed"])
        with self.strategy.scope(), _computing_in(self.config["precision"]):
            backbone = self.found.create(self.config["backbone_options"], weights=weights)
            model = modeling.assemble(self.found.spec, backbone, self.task, self.found.source)
            if self.config["lora"]:
                freezing.add_adapters(model, Lora(**self.config["lora"]))
        return model


@contextlib.contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(PRECISIONS[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
