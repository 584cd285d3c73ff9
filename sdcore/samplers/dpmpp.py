"""DPM-Solver++: exponential integrators of the data prediction.

Source: Lu et al. 2022, arXiv:2211.01095.
"""

from __future__ import annotations

from itertools import pairwise
from math import expm1, log

from torch import Tensor

from sdcore.types import Denoiser, OnStep, Step, StepNoise


def dpmpp_2m(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: StepNoise, on_step: OnStep
) -> Tensor:
    """x at sigmas[-1], by DPM-Solver++(2M): Algorithm 2 of the paper, second order.

    In terms of sigma alpha is 1 and lambda is -log sigma. The first step is of first order for
    want of a history, and so is a last one to sigma 0, where lambda has no bound. Draws no noise.
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
