"""Methods that remember earlier slopes or estimates: LMS, PLMS, UniPC."""

from __future__ import annotations

from itertools import pairwise
from math import exp, expm1, factorial, log

import numpy as np
import torch
from torch import Tensor

from sdcore.types import Denoiser, OnStep, Step, StepNoise

LMS_ORDER = 4
UNIPC_ORDER = 3


def lms(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: StepNoise, on_step: OnStep) -> Tensor:
    """x at sigmas[-1], by a linear multistep method: the slopes' polynomial, integrated exactly.

    Adams-Bashforth with unequal steps, of order 4 once there are as many slopes. Draws no noise.
    """
    levels = sigmas.double().cpu().numpy()
    slopes: list[Tensor] = []  # the last one first
    for i, (sigma, _) in enumerate(pairwise(levels.tolist())):
        x0 = denoise(x, x.new_full((len(x),), sigma), i)
        slopes = [(x - x0) / sigma, *slopes[: LMS_ORDER - 1]]
        for weight, slope in zip(_lagrange(levels, i, len(slopes)), slopes, strict=True):
            x = x + weight * slope
        on_step(Step(index=i, steps=len(sigmas) - 1, sigma=sigma, x0=x0))
    return x


def _lagrange(levels: np.ndarray, i: int, order: int) -> list[float]:
    """The integral from levels[i] to the next one of each Lagrange polynomial, last slope first."""
    weights = []
    for j in range(order):
        basis = np.polynomial.Polynomial([1.0])
        for k in range(order):
            if k != j:
                root = np.polynomial.Polynomial([-levels[i - k], 1.0])
                basis = basis * root / (levels[i - j] - levels[i - k])
        whole = basis.integ()
        weights.append(float(whole(levels[i + 1]) - whole(levels[i])))
    return weights


def plms(denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: StepNoise, on_step: OnStep) -> Tensor:
    """x at sigmas[-1], by the pseudo linear multistep method, of order 4 after three steps.

    Liu et al. 2022, arXiv:2202.09778, eqs. 12 and 13: Adams-Bashforth's weights for equal steps,
    put to DDIM's transfer, which in terms of sigma is Euler's step. The first slope is the mean
    over its step, at the cost of one more evaluation. Draws no noise.
    """
    weights = (
        (1.0,),
        (3 / 2, -1 / 2),
        (23 / 12, -16 / 12, 5 / 12),
        (55 / 24, -59 / 24, 37 / 24, -9 / 24),
    )
    slopes: list[Tensor] = []
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x0 = denoise(x, x.new_full((len(x),), sigma), i)
        slopes = [(x - x0) / sigma, *slopes[:3]]
        parts = [w * s for w, s in zip(weights[len(slopes) - 1], slopes, strict=True)]
        slope = torch.stack(parts).sum(dim=0)
        if i == 0 and sigma_next > 0:
            there = x + slope * (sigma_next - sigma)
            ahead = denoise(there, x.new_full((len(x),), sigma_next), i)
            slope = (slope + (there - ahead) / sigma_next) / 2
        x = x + slope * (sigma_next - sigma)
        on_step(Step(index=i, steps=len(sigmas) - 1, sigma=sigma, x0=x0))
    return x


def unipc(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: StepNoise, on_step: OnStep
) -> Tensor:
    """x at sigmas[-1], by UniPC of order 3 with B(h) = h, data prediction.

    Zhao et al. 2023, arXiv:2302.04867, Algorithms 1 and 2: each estimate first corrects the step
    that led to it, then predicts the next one. Orders rise from 1 and fall to 1 at the end. Draws
    no noise.
    """
    steps = len(sigmas) - 1
    known: list[tuple[float, Tensor]] = []  # (lambda, x0), the last one first
    begun = x  # where the last step began
    order = 0
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x0 = denoise(x, x.new_full((len(x),), sigma), i)
        here = -log(sigma)
        if i > 0:
            x = _unified(begun, known[:order], (here, x0))
        known = [(here, x0), *known[: UNIPC_ORDER - 1]]
        order = min(UNIPC_ORDER, i + 1, steps - i)
        begun = x
        x = x0 if sigma_next == 0 else _unified(x, known[:order], (-log(sigma_next), None))
        on_step(Step(index=i, steps=steps, sigma=sigma, x0=x0))
    return x


def _unified(
    x: Tensor, known: list[tuple[float, Tensor]], target: tuple[float, Tensor | None]
) -> Tensor:
    """x carried from the first known lambda to the target's; corrected where its x0 is known."""
    (begin, m0), (end, m_end) = known[0], target
    h = end - begin
    lambdas = [there for there, _ in known[1:]]
    differences = [(m - m0) / ((there - begin) / h) for there, m in known[1:]]
    ratios = [(there - begin) / h for there in lambdas]
    if m_end is not None:
        differences.append(m_end - m0)
        ratios.append(1.0)
    moved = m0 + exp(-h) * (x - m0)
    if not differences:
        return moved
    for weight, difference in zip(_weights(ratios, h), differences, strict=True):
        moved = moved + h * weight * difference
    return moved


def _weights(ratios: list[float], h: float) -> list[float]:
    """The a of R a = b of the paper's Theorem 3.1, in data prediction, B(h) = h."""
    if len(ratios) == 1:
        return [0.5]  # as the authors have it, for either B(h)
    phi, right = expm1(-h) / -h - 1, []
    for k in range(1, len(ratios) + 1):
        right.append(phi * factorial(k) / -h)
        phi = phi / -h - 1 / factorial(k + 1)
    rows = np.array([[ratio**k for ratio in ratios] for k in range(len(ratios))])
    solved: list[float] = np.linalg.solve(rows, np.array(right)).tolist()
    return solved
