"""Restart sampling: over a stretch of low noise levels the run goes back up, and down again.

Source: Xu et al. 2023, arXiv:2306.14878, Algorithm 1: what the stretch's errors were is contracted
by the noise that lifts x back to its beginning.
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor

from sdcore.samplers.euler import heun_step
from sdcore.types import Denoiser, OnStep, Step, StepNoise

# The stretch, as sigmas; it is run again so often at so many steps, where there are enough.
LOW, HIGH = 0.1, 2.0


def restart(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    *,
    s_noise: float = 1.0,
) -> Tensor:
    """x at sigmas[-1], by Heun's steps with restarts; noise at each restart.

    So that a run costs what it costs without restarts, their steps are taken from the way down,
    which then visits Karras' levels between the schedule's ends. A denoiser is told the step of the
    given schedule that sigma lies in.
    """
    given = sigmas.tolist()
    steps = len(given) - 1
    path = list(_path(given, steps))
    at = given[0]
    for i, (sigma, sigma_next) in enumerate(path):
        if sigma > at:
            x = x + noise() * (s_noise * sqrt(sigma**2 - at**2))
        place = min(max(sum(level >= sigma * (1 - 1e-9) for level in given) - 1, 0), steps - 1)
        x0 = denoise(x, x.new_full((len(x),), sigma), place)
        x = heun_step(denoise, x, x0, (sigma, sigma_next), place)
        at = sigma_next
        on_step(Step(index=i, steps=len(path), sigma=sigma, x0=x0))
    return x


def _path(given: list[float], steps: int) -> list[tuple[float, float]]:
    """Each step's two sigmas; where one begins above the end of the last, there is a restart."""
    down = list(pairwise(given))
    if steps < 20 or given[-1] != 0:
        return down
    again, times = (9, 1) if steps < 36 else (steps // 4, 2)
    levels = [*_karras(given[0], given[-2], steps - again * times), 0.0]
    low = min(range(len(levels)), key=lambda i: abs(levels[i] - LOW))
    high = min(range(len(levels)), key=lambda i: abs(levels[i] - HIGH))
    if high >= low:
        return list(pairwise(levels))
    stretch = list(pairwise(_karras(levels[high], levels[low], again + 1)))
    head, tail = levels[: low + 1], levels[low:]
    return [*pairwise(head), *stretch * times, *pairwise(tail)]


def _karras(first: float, last: float, n: int, *, rho: float = 7.0) -> list[float]:
    ramp = torch.linspace(first ** (1 / rho), last ** (1 / rho), n, dtype=torch.float64)
    levels: list[float] = (ramp**rho).tolist()
    return levels
