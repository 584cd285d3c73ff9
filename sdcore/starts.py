"""The first latents of a pass, at its first sigma."""

from __future__ import annotations

import torch
from torch import Tensor

from sdcore import latents
from sdcore.enlarge import LATENT_UPSCALERS, enlarged, interpolated
from sdcore.invert import inverted, mixed
from sdcore.painting import Told, inverse
from sdcore.plan import Pass


def known(p: Pass, before: Tensor | None, noise: Tensor) -> Tensor | None:
    """Clean latents (1 or B, C, h, w) that the pass begins from; None where there are none.

    Args:
        p: the pass.
        before: the clean latents of the pass before.
        noise: what the run starts with, (B, C, h, w): latent noise under a mask is the same.
    """
    if p.enlargement is not None:
        return enlarged(p.enlargement, before, p.checkpoint)
    if p.start is None:
        return None
    if p.window is None or p.shape[-1] <= p.window.width:
        x = latents.encode(p.checkpoint, [p.start.image])
    else:
        x = latents.encode_parts(p.checkpoint, p.start.image, closed=p.window.closed)
    if x.shape[1:] != p.shape:
        x = interpolated(x, p.shape[1:], LATENT_UPSCALERS["Latent"])
    mask = p.latent_mask
    if p.mask is None or mask is None:
        return x
    if p.mask.content == "latent noise":
        return torch.lerp(x, noise, mask)
    if p.mask.content == "latent nothing":
        return x * (1 - mask)
    return x


def kept(p: Pass, x0: Tensor | None, x: Tensor) -> Tensor:
    """The latents x that a pass made, with what is known where the mask held it."""
    mask = p.latent_mask
    if x0 is None or p.mask is None or mask is None or p.mask.soft is not None:
        return x
    return torch.lerp(x0, x, mask)


def first(p: Pass, reading: Told, x0: Tensor | None, noise: Tensor) -> Tensor:
    """x at sigmas[0], (B, C, h, w); x0 is what is known, noise what was drawn, (B, C, h, w)."""
    if p.inverse is None or p.start is None or p.start.alternative is None or x0 is None:
        return noised(p, x0, noise)
    wish = p.start.alternative
    found = inverted(inverse(p, reading, x0), x0, p.sigmas, reverse=wish.reverse)
    return mixed(found, noise, randomness=wish.randomness) * float(p.sigmas[0])


def noised(p: Pass, x0: Tensor | None, noise: Tensor) -> Tensor:
    """x at sigmas[0], (B, C, h, w): noise alone, or on top of what is known."""
    sigma = float(p.sigmas[0])
    if x0 is None:
        return noise * sigma
    if p.start is None:
        return x0 + noise * sigma
    return x0 + noise * (sigma * p.start.noise_multiplier + p.start.extra_noise)
