"""DPM-Solver++: exponential integrators of the data prediction, also of its diffusion SDE.

In terms of sigma alpha is 1 and lambda is -log sigma. Sources: Lu et al. 2022, arXiv:2211.01095;
the SDE forms with their eta are k-diffusion's. SDE samplers take the increments of one Brownian
path per image, so that a run with other steps follows the same path.
"""

from __future__ import annotations

from itertools import pairwise
from math import exp, expm1, log, sqrt

from torch import Tensor

from sdcore.samplers.ancestral import split
from sdcore.types import Denoiser, OnStep, Step, StepNoise


def dpmpp_2m(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: StepNoise, on_step: OnStep
) -> Tensor:
    """x at sigmas[-1], by DPM-Solver++(2M): Algorithm 2 of the paper, second order.

    The first step is of first order for want of a history, and so is a last one to sigma 0, where
    lambda has no bound. Draws no noise.
    """
    x0_before, h_before = x, 0.0  # unread until there is a history
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x0 = denoise(x, x.new_full((len(x),), sigma), i)
        if sigma_next == 0:
            x = x0
        else:
            h = log(sigma) - log(sigma_next)
            d = x0
            if i > 0:
                r = h_before / h
                d = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * x0_before
            x = (sigma_next / sigma) * x - expm1(-h) * d
            x0_before, h_before = x0, h
        on_step(Step(index=i, steps=len(sigmas) - 1, sigma=sigma, x0=x0))
    return x


def dpmpp_2s_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """x at sigmas[-1], by DPM-Solver++(2S), Algorithm 1 with r = 1/2, in ancestral steps."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x0 = denoise(x, x.new_full((len(x),), sigma), i)
        down, up = split(sigma, sigma_next, eta=eta)
        if down == 0:
            x = x0
        else:
            middle = sqrt(sigma * down)
            there = _flowed(x, x0, sigma, middle)
            x = _flowed(x, denoise(there, x.new_full((len(x),), middle), i), sigma, down)
        if up > 0:
            x = x + noise() * (up * s_noise)
        on_step(Step(index=i, steps=len(sigmas) - 1, sigma=sigma, x0=x0))
    return x


def dpmpp_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """x at sigmas[-1], by stochastic DPM-Solver++ with a look at the step's middle."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x0 = denoise(x, x.new_full((len(x),), sigma), i)
        if sigma_next == 0:
            x = x0
        else:
            middle = sqrt(sigma * sigma_next)
            down, up = split(sigma, middle, eta=eta)
            there = _flowed(x, x0, sigma, down)
            if up > 0:
                there = there + noise.between(sigma, middle) * (up * s_noise)
            x0_there = denoise(there, x.new_full((len(x),), middle), i)
            down, up = split(sigma, sigma_next, eta=eta)
            x = _flowed(x, x0_there, sigma, down)  # with r = 1/2 the middle's estimate alone
            if up > 0:
                x = x + noise.between(sigma, sigma_next) * (up * s_noise)
        on_step(Step(index=i, steps=len(sigmas) - 1, sigma=sigma, x0=x0))
    return x


def _flowed(x: Tensor, x0: Tensor, sigma: float, to: float) -> Tensor:
    """x carried from sigma to another one while the estimate stays x0."""
    return x0 + (to / sigma) * (x - x0)


def dpmpp_2m_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    is_heun: bool = False,
) -> Tensor:
    """x at sigmas[-1], by SDE-DPM-Solver++(2M) in its midpoint form, or in Heun's."""
    x0_before, h_before = x, 0.0  # unread until there is a history
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x0 = denoise(x, x.new_full((len(x),), sigma), i)
        if sigma_next == 0:
            x = x0
        else:
            h = log(sigma) - log(sigma_next)
            widened = h * (1 + eta)
            x = exp(-widened) * x - expm1(-widened) * x0
            if i > 0:
                slope = (x0 - x0_before) * (h / h_before)
                x = x + slope * (_phi2(widened) if is_heun else -expm1(-widened) / 2)
            if eta > 0:
                spread = sigma_next * sqrt(-expm1(-2 * eta * h)) * s_noise
                x = x + noise.between(sigma, sigma_next) * spread
            x0_before, h_before = x0, h
        on_step(Step(index=i, steps=len(sigmas) - 1, sigma=sigma, x0=x0))
    return x


def dpmpp_3m_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """x at sigmas[-1], by SDE-DPM-Solver++(3M): the estimate's parabola through three steps.

    As every implementation has it, with half of the parabola's bend; that makes it of order 2.
    """
    before: list[tuple[Tensor, float]] = []  # (x0, h) of the steps before, the last one first
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x0 = denoise(x, x.new_full((len(x),), sigma), i)
        if sigma_next == 0:
            x = x0
        else:
            h = log(sigma) - log(sigma_next)
            widened = h * (1 + eta)
            x = exp(-widened) * x - expm1(-widened) * x0 + _bend(x0, h, widened, before)
            if eta > 0:
                spread = sigma_next * sqrt(-expm1(-2 * eta * h)) * s_noise
                x = x + noise.between(sigma, sigma_next) * spread
            before = [(x0, h), *before[:1]]
        on_step(Step(index=i, steps=len(sigmas) - 1, sigma=sigma, x0=x0))
    return x


def _bend(x0: Tensor, h: float, widened: float, before: list[tuple[Tensor, float]]) -> Tensor:
    """What the estimate's first and second difference add to a step."""
    if not before:
        return x0.new_zeros(())
    x0_1, h_1 = before[0]
    r_0 = h_1 / h
    d_0 = (x0 - x0_1) / r_0
    if len(before) == 1:
        return _phi2(widened) * d_0
    x0_2, h_2 = before[1]
    r_1 = h_2 / h
    d_1 = (x0_1 - x0_2) / r_1
    first = d_0 + (d_0 - d_1) * (r_0 / (r_0 + r_1))
    second = (d_0 - d_1) / (r_0 + r_1)
    phi3 = _phi2(widened) / widened - 0.5
    return _phi2(widened) * first - phi3 * second


def _phi2(h: float) -> float:
    """(exp(-h) - 1) / h + 1."""
    return expm1(-h) / h + 1
