"""Methods of the probability flow dx/dsigma = (x - x0) / sigma, and their ancestral twins.

Source: Karras et al. 2022, arXiv:2206.00364, eqs. 3 and 4 with s = 1, and Algorithm 2, whose churn
lifts x to a higher sigma before each step.
"""

from __future__ import annotations

from itertools import pairwise
from math import inf, sqrt

from torch import Tensor

from sdcore.samplers.ancestral import split
from sdcore.types import Denoiser, OnStep, Step, StepNoise


def euler(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    *,
    s_churn: float = 0.0,
    s_tmin: float = 0.0,
    s_tmax: float = inf,
    s_noise: float = 1.0,
) -> Tensor:
    """x at sigmas[-1], by Euler steps: first order. Draws noise only where there is churn."""
    steps = len(sigmas) - 1
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        churn = s_churn if s_tmin <= sigma <= s_tmax else 0.0
        x, lifted = _lifted(x, sigma, noise, churn=churn / steps, s_noise=s_noise)
        x0 = denoise(x, x.new_full((len(x),), lifted), i)
        x = x + (x - x0) / lifted * (sigma_next - lifted)
        on_step(Step(index=i, steps=steps, sigma=sigma, x0=x0))
    return x


def heun(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    *,
    s_churn: float = 0.0,
    s_tmin: float = 0.0,
    s_tmax: float = inf,
    s_noise: float = 1.0,
) -> Tensor:
    """x at sigmas[-1], by Heun's method: second order, the slope's mean over the step."""
    steps = len(sigmas) - 1
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        churn = s_churn if s_tmin <= sigma <= s_tmax else 0.0
        x, lifted = _lifted(x, sigma, noise, churn=churn / steps, s_noise=s_noise)
        x0 = denoise(x, x.new_full((len(x),), lifted), i)
        x = heun_step(denoise, x, x0, (lifted, sigma_next), i)
        on_step(Step(index=i, steps=steps, sigma=sigma, x0=x0))
    return x


def heun_step(
    denoise: Denoiser, x: Tensor, x0: Tensor, sigmas: tuple[float, float], step: int
) -> Tensor:
    """x at the second of two sigmas, of x and its estimate x0 at the first."""
    sigma, sigma_next = sigmas
    d, h = (x - x0) / sigma, sigma_next - sigma
    if sigma_next == 0:
        return x + d * h
    there = x + d * h
    d_there = (there - denoise(there, x.new_full((len(x),), sigma_next), step)) / sigma_next
    return x + (d + d_there) / 2 * h


def dpm2(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    *,
    s_churn: float = 0.0,
    s_tmin: float = 0.0,
    s_tmax: float = inf,
    s_noise: float = 1.0,
) -> Tensor:
    """x at sigmas[-1], by the slope at the step's geometric middle: second order.

    DPM-Solver-2 (Lu et al. 2022, arXiv:2206.00927) as k-diffusion has it.
    """
    steps = len(sigmas) - 1
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        churn = s_churn if s_tmin <= sigma <= s_tmax else 0.0
        x, lifted = _lifted(x, sigma, noise, churn=churn / steps, s_noise=s_noise)
        x0 = denoise(x, x.new_full((len(x),), lifted), i)
        x = _midpoint(denoise, x, x0, (lifted, sigma_next), i)
        on_step(Step(index=i, steps=steps, sigma=sigma, x0=x0))
    return x


def _midpoint(
    denoise: Denoiser, x: Tensor, x0: Tensor, sigmas: tuple[float, float], step: int
) -> Tensor:
    sigma, sigma_next = sigmas
    d = (x - x0) / sigma
    if sigma_next == 0:
        return x + d * (sigma_next - sigma)
    middle = sqrt(sigma * sigma_next)
    there = x + d * (middle - sigma)
    d_there = (there - denoise(there, x.new_full((len(x),), middle), step)) / middle
    return x + d_there * (sigma_next - sigma)


def euler_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """x at sigmas[-1], by Euler steps that go below the next sigma and add noise up to it.

    Draws noise after each step but the last. In terms of sigma DDIM is the same with its eta.
    """
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x0 = denoise(x, x.new_full((len(x),), sigma), i)
        down, up = split(sigma, sigma_next, eta=eta)
        x = x + (x - x0) / sigma * (down - sigma)
        if up > 0:
            x = x + noise() * (up * s_noise)
        on_step(Step(index=i, steps=len(sigmas) - 1, sigma=sigma, x0=x0))
    return x


def dpm2_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """x at sigmas[-1], by DPM2 steps that go below the next sigma and add noise up to it."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x0 = denoise(x, x.new_full((len(x),), sigma), i)
        down, up = split(sigma, sigma_next, eta=eta)
        x = _midpoint(denoise, x, x0, (sigma, down), i)
        if up > 0:
            x = x + noise() * (up * s_noise)
        on_step(Step(index=i, steps=len(sigmas) - 1, sigma=sigma, x0=x0))
    return x


def _lifted(
    x: Tensor, sigma: float, noise: StepNoise, *, churn: float, s_noise: float
) -> tuple[Tensor, float]:
    """x with noise added, and the sigma that it then has; Algorithm 2, lines 5 and 6."""
    gamma = min(churn, sqrt(2) - 1)
    if gamma == 0:
        return x, sigma
    lifted = sigma * (1 + gamma)
    return x + noise() * (s_noise * sqrt(lifted**2 - sigma**2)), lifted
