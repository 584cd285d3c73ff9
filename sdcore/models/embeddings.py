"""Textual inversions: vectors that stand for a word in the prompt (Gal et al. 2022,
arXiv:2208.01618).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from sdcore.errors import ModelError
from sdcore.models.checkpoint import TextTower
from sdcore.models.single import read_tensors

# Names of the vectors for SDXL's two towers.
_PAIR = ("clip_l", "clip_g")


def read_embedding(
    path: Path, towers: Sequence[TextTower], *, allow_pickle: bool = False
) -> tuple[Tensor | None, ...]:
    """The vectors of a textual inversion for each tower, (vectors, width) float32, or None.

    Known are files of one tensor under any name (as 'emb_params', or diffusers' '<word>') and
    those of SDXL with 'clip_l' and 'clip_g'. Which tower a tensor is for is known by its name, or
    by its width.

    Raises:
        ModelError: a file of another kind, or one that fits no tower.
    """
    tensors = read_tensors(path, allow_pickle=allow_pickle)
    widths = tuple(int(tower.encoder.config.hidden_size) for tower in towers)
    if set(tensors) & set(_PAIR):
        # a refiner has the second tower alone
        named = [
            tensors.get(name) for name in (_PAIR if len(towers) == 2 else _PAIR[-len(towers) :])
        ]
        named = [
            vectors if _fits(vectors, w) else None for vectors, w in zip(named, widths, strict=True)
        ]
    elif len(tensors) == 1:
        (only,) = tensors.values()
        only = only[None] if only.ndim == 1 else only
        named = [only if _fits(only, width) else None for width in widths]
    else:
        raise ModelError(
            f"{path} has {len(tensors)} tensors: give a textual inversion, which has one, or "
            "clip_l and clip_g"
        )
    if all(vectors is None for vectors in named):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors.values())
        raise ModelError(
            f"{path} has vectors of shape {shapes}, where the text encoders read widths "
            f"{', '.join(map(str, widths))}: it was made for another family"
        )
    return tuple(None if vectors is None else vectors.float() for vectors in named)


def _fits(vectors: Tensor | None, width: int) -> bool:
    return vectors is not None and vectors.ndim == 2 and vectors.shape[-1] == width
