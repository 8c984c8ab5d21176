"""Names and strengths of augmentations: what a user writes. The layers are in `kerasft.engine.augment`."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kerasft.errors import UnknownNameError, UsageError
from kerasft.phases import is_number


class Kind(NamedTuple):
    """One augmentation.

    Args:
        default: strength where none is given.
        most: the strongest; the weakest is 0, which does nothing.
        summary: what it does at strength s.
    """

    default: float
    most: float
    summary: str


KINDS: Mapping[str, Kind] = {
    "mosaic": Kind(0.5, 1.0, "puts an image and three others together, smaller, with probability s; for boxes only"),
    "crop": Kind(0.2, 1.0, "shifts by up to s/2 of the size and enlarges by up to s; edges are mirrored"),
    "flip": Kind(0.5, 1.0, "mirrors left and right with probability s"),
    "colour": Kind(0.2, 1.0, "changes brightness, contrast and saturation by up to s, hue by up to s/5"),
    "randaugment": Kind(0.3, 1.0, "two operations of RandAugment (Cubuk et al. 2019) at strength s"),
    "erasing": Kind(0.5, 1.0, "fills a random rectangle with noise, with probability up to s (Zhong et al. 2017)"),
    "mixup": Kind(0.2, 10.0, "mixes two images and their targets, weights from Beta(s, s) (Zhang et al. 2017)"),
    "cutmix": Kind(1.0, 1.0, "pastes a rectangle of another image, and mixes targets by area (Yun et al. 2019)"),
}
"""In the order in which they are applied."""

PLACED = ("mosaic", "crop", "flip", "colour")
"""Those under which it is known where each point goes."""

_ONLY_PLACED = ("mosaic",)


def resolve(given: Mapping[str, Any] | Sequence[str] | None) -> dict[str, float]:
    """Strengths by name, in the order in which they are applied.

    Args:
        given: strengths by name, or names, each with ``=strength`` or without.

    Raises:
        UsageError: names that there are not, or strengths out of range: all of them are listed.
    """
    if isinstance(given, str):
        given = [given]
    pairs = given.items() if isinstance(given, Mapping) else [_pair(text) for text in given or ()]
    found, wrong = {}, []
    for name, strength in pairs:
        if name not in KINDS:
            wrong.append(str(UnknownNameError("augmentation", str(name), KINDS)))
            continue
        kind = KINDS[name]
        value = kind.default if strength is None else strength
        if not is_number(value) or not 0 <= value <= kind.most:
            wrong.append(f"{name} has a strength from 0 to {kind.most:g}. Received: {name}={value}")
        elif value:
            found[name] = float(value)
    if wrong:
        raise UsageError("\n".join(wrong))
    return {name: found[name] for name in KINDS if name in found}


def check(strengths: Mapping[str, float], *, placed: bool) -> None:
    """Refuses what does not go with targets that are places in an image (`placed`), or with any others.

    Raises:
        UsageError: names all of it.
    """
    usable = [name for name in KINDS if (name in PLACED if placed else name not in _ONLY_PLACED)]
    if other := sorted(set(strengths) - set(usable)):
        what = "Boxes move" if placed else "Targets that are no boxes go"
        raise UsageError(f"{what} with {', '.join(usable)}. Received: augment={', '.join(other)}")


def _pair(text: str) -> tuple[str, Any]:
    name, separator, strength = str(text).partition("=")
    if not separator:
        return name, None
    try:
        return name, float(strength)
    except ValueError:
        return name, strength
