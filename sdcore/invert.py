"""The noise from which a run comes back to a picture: img2img alternative.

Ours undoes Euler's steps one by one, each to a tolerance, through whatever denoiser there is; so it
holds for every prediction and family. The two others are the reference's explicit formulas, which
evaluate the network where the run will not be.
"""

from __future__ import annotations

from itertools import pairwise
from math import hypot

import torch
from torch import Tensor

from sdcore.types import Denoiser, Reverse

# A step is undone when what remains is this share of its sigma (RMS), or after so many tries.
TOLERANCE = 1e-3
TRIES = 8


def inverted(denoise: Denoiser, x0: Tensor, sigmas: Tensor, *, reverse: Reverse) -> Tensor:
    """Noise (B, C, h, w), about N(0, 1), that over sigmas[0] arrives at x0 by Euler's method.

    Args:
        denoise: the estimate that the run will use; its guidance is best left weak.
        x0: clean latents (B, C, h, w).
        sigmas: those of the run, (n + 1,), falling.
    """
    levels: list[float] = sigmas.tolist()
    steps = list(enumerate(pairwise(levels)))[::-1]
    x = x0
    if reverse == "ours":
        for i, (sigma, sigma_next) in steps:
            x = _undone(denoise, x, sigma=sigma, sigma_next=sigma_next, step=i)
        return x / levels[0]
    for i, (sigma, sigma_next) in steps:
        # The plain formula looks from where the step ends, the adjusted one from where it begins.
        at = sigma if reverse == "plain" else sigma_next
        if at > 0:
            x = x + (x - _estimate(denoise, x, at, i)) / at * (sigma - sigma_next)
    noise: Tensor = x / (float(x.std()) if reverse == "plain" else levels[0])
    return noise


def mixed(found: Tensor, drawn: Tensor, *, randomness: float) -> Tensor:
    """Noise that is `found` at randomness 0 and `drawn` at 1, with the spread of both between."""
    kept = 1 - randomness
    return (kept * found + randomness * drawn) / hypot(randomness, kept)


def _undone(
    denoise: Denoiser, x_next: Tensor, *, sigma: float, sigma_next: float, step: int
) -> Tensor:
    """x at sigma whose Euler step arrives at x_next: r x + (1 - r) D(x) = x_next, r the ratio.

    By Picard's iteration with Aitken's step length (a secant along the residual), as D is nearly
    the identity at small sigma and nearly constant at large. The best x found is kept.
    """
    ratio = sigma_next / sigma
    x, length = x_next, 1.0
    best, least = x, float("inf")
    before: Tensor | None = None
    for _ in range(TRIES):
        residual = x_next - ratio * x - (1 - ratio) * _estimate(denoise, x, sigma, step)
        size = float(residual.square().mean().sqrt())
        if size < least:
            best, least = x, size
        if size <= TOLERANCE * sigma:
            break
        if before is not None:
            turned = residual - before
            along = float((turned * before).sum() / turned.square().sum().clamp_min(1e-30))
            length = min(max(-length * along, 0.1), 10.0)
        x, before = x + length * residual, residual
    return best


def _estimate(denoise: Denoiser, x: Tensor, sigma: float, step: int) -> Tensor:
    return denoise(x, torch.full((len(x),), sigma, dtype=x.dtype, device=x.device), step)
