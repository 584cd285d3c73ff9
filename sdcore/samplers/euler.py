"""Euler's method, plain and ancestral: one network evaluation per step, first order."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from sdcore.types import Denoiser, OnStep, Step, StepNoise


def euler(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: StepNoise, on_step: OnStep
) -> Tensor:
    """x at sigmas[-1], by Euler steps of the probability flow. Draws no noise.

    Algorithm 2 of Karras et al. (2022, arXiv:2206.00364) without churn and correction.
    """
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x0 = denoise(x, x.new_full((len(x),), sigma), i)
        d = (x - x0) / sigma  # dx/dsigma, eqs. 3 and 4 with s = 1
        x = x + d * (sigma_next - sigma)
        on_step(Step(index=i, steps=len(sigmas) - 1, sigma=sigma, x0=x0))
    return x


def euler_ancestral(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: StepNoise, on_step: OnStep
) -> Tensor:
    """x at sigmas[-1], by Euler steps that go below the next sigma and add noise up to it.

    The split is the posterior variance of DDPM (Ho et al. 2020, arXiv:2006.11239, eq. 7) in terms
    of sigma, as in k-diffusion. Draws noise after each step but the last.
    """
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x0 = denoise(x, x.new_full((len(x),), sigma), i)
        sigma_up = sigma_next * (1 - (sigma_next / sigma) ** 2) ** 0.5
        sigma_down = sigma_next**2 / sigma  # sigma_down^2 + sigma_up^2 = sigma_next^2
        d = (x - x0) / sigma
        x = x + d * (sigma_down - sigma)
        if sigma_next > 0:
            x = x + noise() * sigma_up
        on_step(Step(index=i, steps=len(sigmas) - 1, sigma=sigma, x0=x0))
    return x
