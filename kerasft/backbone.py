"""What a backbone factory returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


class Group(NamedTuple):
    """Layers that are frozen and unfrozen together, for example one transformer block."""

    name: str
    layers: "Sequence[keras.Layer]"


class Encoded(NamedTuple):
    """A batch of raw inputs made ready for the model.

    `inputs` is keyed by the names of the model's inputs. `alignment` leads back to the raw input: for text the
    ``starts`` and ``ends`` of every token, int32 of shape ``(batch, tokens)``, in bytes of the original UTF-8
    string (0, 0 for special tokens and padding).
    """

    inputs: "Mapping[str, tf.Tensor]"
    alignment: "Mapping[str, tf.Tensor]"


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A pretrained encoder, ready for any task that requires a feature it has.

    Args:
        model: functional model whose output is a dict keyed by feature name. The keys are those of
            `BackboneSpec.provides`, less any this checkpoint has no trained weights for. A text model has an input
            ``padding_mask`` of shape ``(batch, tokens)``, 1 on tokens and 0 on padding.
        groups: every layer that holds weights, in disjoint groups from the input (shallow) to the output (deep).
        preprocess: raw inputs of shape ``(batch,)``, strings or encoded image bytes, to `Encoded`, in graph
            operations. A `tf.Module` when it owns tables that an exported graph must carry. It may have a method
            ``truncated(raw) -> bool (batch,)`` that says which inputs lose content, so that the user hears of it, and
            one ``whole(raw) -> Encoded`` by which none does. If it has a ``length``, the most tokens of a text, then
            texts of fewer tokens are taken to be whole.
        files: name and content of every file needed to make this backbone again without its weights; the factory
            gets them back as a directory together with ``weights=False``.
        notes: what the user should know about this checkpoint, one line each.
        padding: what fills an input up behind the last token of a text, by its name; 0 where nothing is said.
        heat: from the model's inputs to where in each image it looks, of shape ``(batch, height, width)``, any scale;
            for reports. None where Grad-CAM on ``spatial`` tells it.
    """

    model: "keras.Model"
    groups: Sequence[Group]
    preprocess: "Callable[[tf.Tensor], Encoded]"
    files: Mapping[str, bytes]
    notes: Sequence[str] = ()
    padding: Mapping[str, Any] = field(default_factory=dict)
    heat: "Callable[[Mapping[str, tf.Tensor]], tf.Tensor] | None" = None


BackboneFactory = Callable[..., Backbone]
"""``factory(directory: Path | None, *, preset: str, weights: bool, **options) -> Backbone``.

`directory` holds the checkpoint's files (None for presets without sources); `options` are those of the preset, updated
by the user's; unknown ones raise TypeError.
"""


def checkpoint_kind(directory: Path) -> tuple[str, ...]:
    """Names by which a checkpoint directory says what it holds, read from its ``config.json``.

    Hugging Face writes ``model_type``, timm ``architecture``, KerasHub ``registered_name``.
    """
    import json

    try:
        config: Any = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    if not isinstance(config, dict):
        return ()
    found = (config.get(key) for key in ("model_type", "architecture", "registered_name"))
    return tuple(name for name in found if isinstance(name, str))
