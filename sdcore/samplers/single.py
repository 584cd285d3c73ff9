"""DPM-Solver in its singlestep forms: a fixed number of evaluations, or steps that adapt.

Source: Lu et al. 2022, arXiv:2206.00927, Algorithms 1 and 4 and appendix C; in terms of sigma alpha
is 1, and lambda is -log sigma, here called t. The step control is k-diffusion's: proportional,
integral and derivative, with an arctangent limiter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import atan, exp, expm1, log
from typing import TypeAlias

import torch
from torch import Tensor

from sdcore.types import Denoiser, OnStep, Step, StepNoise

# x, t -> the noise estimate
_Noise: TypeAlias = Callable[[Tensor, float], Tensor]

FIRST_STEP = 0.05
RELATIVE, ABSOLUTE = 0.05, 0.0078
SAFETY = 0.81


def dpm_fast(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, noise: StepNoise, on_step: OnStep
) -> Tensor:
    """x at sigmas[-1], in as many evaluations as there are steps, by solvers of order 3.

    Only the first and the last level above 0 are used: the steps between are equal in log sigma.
    The rest, to 0, is the estimate of one more evaluation. Draws no noise.
    """
    begin, end = -log(float(sigmas[0])), -log(_last(sigmas))
    count = len(sigmas) - 1
    orders = [3] * (count // 3 - 1) + [2, 1] if count % 3 == 0 else [3] * (count // 3) + [count % 3]
    ts = torch.linspace(begin, end, len(orders) + 1, dtype=torch.float64).tolist()
    done = 0
    for order, t, t_next in zip(orders, ts, ts[1:], strict=False):
        if t_next == t:  # a run of one level
            break
        eps = _Estimate(denoise, partial(_fixed, done))
        x = _STEPS[order](x, eps, t, t_next)
        on_step(Step(index=done, steps=count, sigma=exp(-t), x0=eps.x0))
        done += order
    return _cleaned(denoise, x, sigmas, count - 1)


def _fixed(step: int, t: float) -> int:
    return step


def dpm_adaptive(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    *,
    rtol: float = RELATIVE,
    atol: float = ABSOLUTE,
) -> Tensor:
    """x at sigmas[-1], by steps of order 3 whose length follows an error estimate of order 2.

    The number of steps does not follow the schedule, of which only the first and the last level
    above 0 are used; the denoiser is told the step of the schedule that sigma lies in. The rest, to
    0, is the estimate of one more evaluation. Draws no noise.
    """
    levels: list[float] = sigmas.tolist()
    steps = len(levels) - 1

    def place(t: float) -> int:
        """The schedule's step that lambda t lies in."""
        above = sum(level >= exp(-t) * (1 - 1e-9) for level in levels)
        return min(max(above - 1, 0), steps - 1)

    t, end = -log(levels[0]), -log(_last(sigmas))
    control, before = _Control(), x
    while t < end - 1e-5:
        t_next = min(end, t + control.h)
        eps = _Estimate(denoise, place)
        low = _step2(x, eps, t, t_next, r1=1 / 3)
        high = _step3(x, eps, t, t_next)
        scale = torch.maximum(low.abs(), before.abs()).mul(rtol).clamp_min(atol)
        # The worst image of a batch sets the pace.
        error = float(((low - high) / scale).square().mean(dim=(1, 2, 3)).sqrt().max())
        if control.accepts(error):
            on_step(Step(index=place(t), steps=steps, sigma=exp(-t), x0=eps.x0))
            before, x, t = low, high, t_next
    return _cleaned(denoise, x, sigmas, steps - 1)


class _Control:
    """The length of the next step, by the errors of the last three (integral gain alone)."""

    def __init__(self) -> None:
        self.h = FIRST_STEP

    def accepts(self, error: float) -> bool:
        factor = 1 + atan((1 / (error + 1e-8)) ** (1 / 3) - 1)
        self.h *= factor
        return factor >= SAFETY


class _Estimate:
    """The noise estimate at (x, t); the same place is not evaluated twice."""

    def __init__(self, denoise: Denoiser, step: Callable[[float], int]) -> None:
        self.denoise, self.step = denoise, step
        self.found: dict[float, Tensor] = {}
        self.x0: Tensor  # of the step's beginning

    def __call__(self, x: Tensor, t: float) -> Tensor:
        sigma = exp(-t)
        x0 = self.denoise(x, x.new_full((len(x),), sigma), self.step(t))
        return (x - x0) / sigma

    def begin(self, x: Tensor, t: float) -> Tensor:
        """At the step's beginning."""
        if t not in self.found:
            self.found[t] = self(x, t)
            self.x0 = x - self.found[t] * exp(-t)
        return self.found[t]

    def inner(self, x: Tensor, t: float) -> Tensor:
        """At a place within the step, which solvers of two orders share."""
        if t not in self.found:
            self.found[t] = self(x, t)
        return self.found[t]


def _step1(x: Tensor, eps: _Estimate, t: float, t_next: float) -> Tensor:
    return x - exp(-t_next) * expm1(t_next - t) * eps.begin(x, t)


def _step2(x: Tensor, eps: _Estimate, t: float, t_next: float, *, r1: float = 0.5) -> Tensor:
    h = t_next - t
    here = eps.begin(x, t)
    u = x - exp(-(t + r1 * h)) * expm1(r1 * h) * here
    there = eps.inner(u, t + r1 * h)
    return x - exp(-t_next) * expm1(h) * (here + (there - here) / (2 * r1))


def _step3(x: Tensor, eps: _Estimate, t: float, t_next: float) -> Tensor:
    h, r1, r2 = t_next - t, 1 / 3, 2 / 3
    here = eps.begin(x, t)
    u = x - exp(-(t + r1 * h)) * expm1(r1 * h) * here
    first = eps.inner(u, t + r1 * h)
    bend = (r2 / r1) * (expm1(r2 * h) / (r2 * h) - 1) * (first - here)
    u = x - exp(-(t + r2 * h)) * (expm1(r2 * h) * here + bend)
    second = eps.inner(u, t + r2 * h)
    bend = (expm1(h) / h - 1) / r2 * (second - here)
    return x - exp(-t_next) * (expm1(h) * here + bend)


_STEPS = {1: _step1, 2: _step2, 3: _step3}


def _last(sigmas: Tensor) -> float:
    """The last level above 0."""
    return float(sigmas[-1]) or float(sigmas[-2])


def _cleaned(denoise: Denoiser, x: Tensor, sigmas: Tensor, step: int) -> Tensor:
    if sigmas[-1] > 0:
        return x
    return denoise(x, x.new_full((len(x),), float(sigmas[-2])), step)
