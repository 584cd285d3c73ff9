"""Samplers that put fresh or unguided noise on the estimate: LCM and DDIM CFG++."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from sdcore.types import Denoiser, OnStep, Step, StepNoise


def lcm(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: StepNoise, on_step: OnStep) -> Tensor:
    """x at sigmas[-1], by a consistency model's estimates, noised anew between them.

    Luo et al. 2023, arXiv:2310.04378, Algorithm 3; the boundary scaling of its eq. 9 differs from
    1 by less than 1e-5 at every level of a trained schedule, and is left out.
    """
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x0 = x = denoise(x, x.new_full((len(x),), sigma), i)
        if sigma_next > 0:
            x = x + noise() * sigma_next
        on_step(Step(index=i, steps=len(sigmas) - 1, sigma=sigma, x0=x0))
    return x


def ddim_cfgpp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: StepNoise, on_step: OnStep
) -> Tensor:
    """x at sigmas[-1], by DDIM whose noise is that of the unguided estimate.

    Chung et al. 2024, arXiv:2406.08070, Algorithm 2. The denoiser's `uncond` is the estimate
    without the prompt of its last call; where there was none (no guidance) it is DDIM. Draws no
    noise.
    """
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x0 = denoise(x, x.new_full((len(x),), sigma), i)
        unguided = getattr(denoise, "uncond", None)
        noisy = (x - (x0 if unguided is None else unguided)) / sigma
        x = x0 + noisy * sigma_next
        on_step(Step(index=i, steps=len(sigmas) - 1, sigma=sigma, x0=x0))
    return x
