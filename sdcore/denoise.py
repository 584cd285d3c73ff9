"""Denoisers: a network made one, guided by prompts, widened by windows. Each gives a Denoiser.

A denoiser takes x = x0 + sigma * noise and gives its estimate of x0, so that no sampler knows what
the network predicts, nor by what it is guided.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from sdcore.conditioning import Conditioning
from sdcore.models.checkpoint import Checkpoint
from sdcore.types import Denoiser

# x (B, C, h, w), sigma (B,), context (B, tokens, channels) -> x0 (B, C, h, w)
Network: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]


def network(checkpoint: Checkpoint) -> Network:
    """The checkpoint's UNet as an estimate of x0.

    The UNet was trained on the variance-preserving x / sqrt(sigma^2 + 1), in steps t.
    """

    def x0(x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        s = sigma.view(-1, 1, 1, 1)
        scale = (s**2 + 1).rsqrt()
        t = checkpoint.levels.t(sigma).float().to(x.device)
        predicted: Tensor = checkpoint.unet(
            (x * scale).to(checkpoint.dtype),
            t,
            encoder_hidden_states=context.to(checkpoint.dtype),
            return_dict=False,
        )[0].to(x.dtype)
        if checkpoint.prediction == "epsilon":
            return x - s * predicted  # Ho et al. 2020, arXiv:2006.11239
        return (x * scale - s * predicted) * scale  # Salimans & Ho 2022, arXiv:2202.00512, app. D

    return x0


def guided(network: Network, conditioning: Conditioning, cfg: float) -> Denoiser:
    """Classifier-free guidance: uncond + cfg (cond - uncond).

    Source: Ho & Salimans 2022, arXiv:2207.12598, eq. 6, where w is cfg - 1. Both go through the
    network in one batch where they have equally many tokens. At cfg 1 the negative prompt has no
    share, and is not computed.
    """

    def x0(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        positive, negative = conditioning.at(step, float(sigma[0]))
        positive = positive.expand(len(x), -1, -1)
        if cfg == 1:
            return network(x, sigma, positive)
        negative = negative.expand(len(x), -1, -1)
        if positive.shape == negative.shape:
            both = network(
                torch.cat([x, x]), torch.cat([sigma, sigma]), torch.cat([negative, positive])
            )
            uncond, cond = both.chunk(2)
        else:
            uncond, cond = network(x, sigma, negative), network(x, sigma, positive)
        return uncond + cfg * (cond - uncond)

    return x0


def windowed(denoise: Denoiser, *, width: int, stride: int) -> Denoiser:
    """A denoiser for x wider than `denoise` was trained on, circular along x.

    MultiDiffusion (Bar-Tal et al. 2023, arXiv:2302.08113) with equal weights: windows of
    `width` latent columns every `stride` (1 .. width), the last ones going round to the first, are
    denoised in one batch, and each column is the mean of the windows that it lies in. An x no wider
    than a window goes through unchanged.
    """

    def x0(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        total = x.shape[-1]
        if total <= width:
            return denoise(x, sigma, step)
        starts = torch.arange(0, total, stride, device=x.device)
        columns = (starts[:, None] + torch.arange(width, device=x.device)) % total
        windows = x[..., columns].movedim(-2, 0)  # (n, B, C, h, width)
        estimates = denoise(windows.flatten(0, 1), sigma.repeat(len(starts)), step)
        summed, times = torch.zeros_like(x), x.new_zeros(total)
        # One by one, in order: a scattered sum is not the same twice on a GPU.
        for where, estimate in zip(columns, estimates.reshape(windows.shape), strict=True):
            summed[..., where] += estimate
            times[where] += 1
        return summed / times

    return x0
