"""Position embeddings for images of another size."""

import numpy as np

_A = -0.75  # PyTorch's bicubic kernel, which Hugging Face and timm interpolate with


def resized(embeddings: np.ndarray, before: tuple[int, int], after: tuple[int, int]) -> np.ndarray:
    """Interpolates embeddings from one grid of patches to another, bicubically (Keys 1981).

    Args:
        embeddings: of shape ``(1 + height * width, channels)``, the class token's first, which stays as it is.
        before: height and width of their grid.
        after: those wanted.

    Returns:
        Embeddings of shape ``(1 + height * width, channels)`` for the grid wanted.
    """
    grid = embeddings[1:].reshape(*before, -1)
    rows, columns = (_weights(old, new) for old, new in zip(before, after, strict=True))
    grid = np.einsum("ih,hwc,jw->ijc", rows, grid, columns)
    return np.concatenate([embeddings[:1], grid.reshape(-1, grid.shape[-1]).astype(embeddings.dtype)])


def _weights(old: int, new: int) -> np.ndarray:
    """What each of `new` places takes of `old` ones, of shape ``(new, old)``; edges are repeated."""
    places = (np.arange(new) + 0.5) * old / new - 0.5
    first = np.floor(places).astype(int)
    found = np.zeros((new, old))
    for step in (-1, 0, 1, 2):
        distance = np.abs(places - (first + step))
        near = ((_A + 2) * distance - (_A + 3)) * distance**2 + 1
        far = ((distance - 5) * distance + 8) * distance * _A - 4 * _A
        np.add.at(found, (np.arange(new), np.clip(first + step, 0, old - 1)), np.where(distance <= 1, near, far))
    return found
