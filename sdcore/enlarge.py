"""How the picture of a first pass becomes the start of a larger second one: the hires fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from PIL.Image import Image
from torch import Tensor

from sdcore import latents
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.shelf import Shelf
from sdcore.post.upscale import UPSCALERS, Upscaler, upscaled
from sdcore.resize import HiresSize, hires_size
from sdcore.types import Hires


class Interpolation(NamedTuple):
    """How latents are made larger, as torch names it."""

    mode: str
    antialias: bool


LATENT_UPSCALERS: Mapping[str, Interpolation] = {
    "Latent": Interpolation("bilinear", antialias=False),
    "Latent (antialiased)": Interpolation("bilinear", antialias=True),
    "Latent (bicubic)": Interpolation("bicubic", antialias=False),
    "Latent (bicubic antialiased)": Interpolation("bicubic", antialias=True),
    "Latent (nearest)": Interpolation("nearest", antialias=False),
    "Latent (nearest-exact)": Interpolation("nearest-exact", antialias=False),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Enlargement:
    """By what, how large, and what is cut off."""

    by: Interpolation | Upscaler
    geometry: HiresSize
    # The first pass's picture, where no pass makes it.
    first: Image | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of the second pass."""
        return self.geometry.size

    @property
    def is_latent(self) -> bool:
        """Whether the first pass's latents are made larger as they are."""
        return isinstance(self.by, Interpolation)


def enlargement(
    hires: Hires, *, size: tuple[int, int], checkpoint: Checkpoint, shelf: Shelf
) -> Enlargement:
    """What a hires fix does to a first pass of this size (width, height) in pixels.

    Raises:
        UnknownName: an upscaler that is neither built in nor on the shelf.
    """
    if hires.upscaler in LATENT_UPSCALERS:
        by: Interpolation | Upscaler = LATENT_UPSCALERS[hires.upscaler]
    elif hires.upscaler in UPSCALERS:
        by = UPSCALERS[hires.upscaler]
    else:
        by = shelf.upscaler(hires.upscaler)
    geometry = hires_size(
        *size,
        scale=hires.scale,
        resize_to=(hires.width, hires.height),
        factor=checkpoint.factor,
    )
    return Enlargement(by=by, geometry=geometry, first=hires.first)


def enlarged(grow: Enlargement, before: Tensor | None, checkpoint: Checkpoint) -> Tensor:
    """Latents (B, C, h, w) at the second pass's size.

    Args:
        grow: what is done.
        before: clean latents of the first pass; None where its picture is given.
        checkpoint: the one that made them.
    """
    width, height = grow.geometry.latents
    if isinstance(grow.by, Interpolation):
        if before is None:
            assert grow.first is not None
            before = latents.encode(checkpoint, [grow.first])
        larger = interpolated(before, (height, width), grow.by)
    else:
        if before is not None:
            pictures = latents.decode(checkpoint, before)
        else:
            assert grow.first is not None
            pictures = [grow.first]
        size = (width * checkpoint.factor, height * checkpoint.factor)
        larger = latents.encode(checkpoint, [upscaled(p, grow.by, size) for p in pictures])
    left, right, top, bottom = grow.geometry.crop
    return larger[..., top : height - bottom, left : width - right]


def interpolated(x: Tensor, size: tuple[int, int], how: Interpolation) -> Tensor:
    """Latents x (B, C, h, w) at another size (h, w)."""
    return torch.nn.functional.interpolate(x, size=size, mode=how.mode, antialias=how.antialias)
