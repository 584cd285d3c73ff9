"""Denoisers: a network made one, and those that are made of other denoisers.

A denoiser takes x = x0 + sigma * noise and gives its estimate of x0, so that no sampler knows what
the network predicts, nor by what it is guided, nor which part of the picture is held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from sdcore.conditioning import Context
from sdcore.models.checkpoint import Checkpoint
from sdcore.types import Denoiser

# x (B, C, h, w), sigma (B,), context of B -> x0 (B, C, h, w)
Network: TypeAlias = Callable[[Tensor, Tensor, Context], Tensor]


def network(checkpoint: Checkpoint, *, shown: Tensor | None = None) -> Network:
    """The checkpoint's UNet as an estimate of x0.

    The UNet was trained on the variance-preserving x / sqrt(sigma^2 + 1), in steps t. A checkpoint
    that edits is `shown` the picture, (1 or B, channels, h, w), in channels after those of x.
    """

    dtype = checkpoint.dtype  # to find it out takes a walk over all weights

    def x0(x: Tensor, sigma: Tensor, context: Context) -> Tensor:
        s = sigma.view(-1, 1, 1, 1)
        scale = (s**2 + 1).rsqrt()
        t = checkpoint.levels.t(sigma).float().to(x.device)
        added = None
        if context.pooled is not None:
            added = {"text_embeds": context.pooled.to(dtype), "time_ids": context.sizes}
        seen = x * scale
        if shown is not None:
            seen = torch.cat([seen, shown.repeat(len(x) // len(shown), 1, 1, 1)], dim=1)
        predicted: Tensor = checkpoint.unet(
            seen.to(dtype),
            t,
            encoder_hidden_states=context.tokens.to(dtype),
            added_cond_kwargs=added,
            return_dict=False,
        )[0].to(x.dtype)
        if checkpoint.prediction == "epsilon":
            return x - s * predicted  # Ho et al. 2020, arXiv:2006.11239
        return (x * scale - s * predicted) * scale  # Salimans & Ho 2022, arXiv:2202.00512, app. D

    return x0


def masked(denoise: Denoiser, known: Tensor, mask: Tensor) -> Denoiser:
    """A denoiser that draws only where the mask is 1; where it is 0 the estimate is what is known.

    Args:
        denoise: gives the estimate for the whole picture.
        known: clean latents (1 or B, C, h, w).
        mask: (1, 1, h, w), 0 .. 1; values between mix.
    """

    def x0(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        return torch.lerp(known, denoise(x, sigma, step), mask)

    return x0


def relayed(runners: Sequence[tuple[float, Denoiser]]) -> Denoiser:
    """A denoiser that is the last of these whose sigma has been reached.

    Args:
        runners: (sigma, denoiser) by falling sigma: each draws from its sigma down.
    """

    def x0(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        now = float(sigma[0])
        denoise = next((d for first, d in reversed(runners) if now <= first), runners[0][1])
        return denoise(x, sigma, step)

    return x0


def counted(denoise: Denoiser) -> Denoiser:
    """A denoiser that is told, instead of the step, how often it has been asked before."""
    asked = -1

    def x0(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        nonlocal asked
        asked += 1
        return denoise(x, sigma, asked)

    return x0
