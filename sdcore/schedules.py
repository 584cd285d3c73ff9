"""Noise levels: which sigma each training step t has, and which sigmas a run visits.

A schedule is a function (noise levels of the checkpoint, n) -> sigmas (n + 1,), falling, the last
one 0 (but for KL Optimal's), float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import atan, log
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

# Lin et al. leave alpha_bar 0 at the end, of infinite sigma; the field's smallest number instead.
LAST_ALPHA_BAR = 4.8973451890853435e-08


@dataclass(frozen=True, kw_only=True, eq=False)
class NoiseLevels:
    """The discrete noise levels that a checkpoint was trained on."""

    # (T,) rising, float64; sigma = sqrt((1 - alpha_bar) / alpha_bar).
    sigmas: Tensor
    # Which of the two tables of Align Your Steps is meant.
    family: Literal["sd1", "sdxl"] = "sd1"

    @classmethod
    def from_betas(cls, betas: Tensor) -> NoiseLevels:
        """The levels of a variance-preserving process with these betas (T,), each in 0 .. 1."""
        alphas_bar = torch.cumprod(1 - betas.double(), dim=0)
        return cls(sigmas=((1 - alphas_bar) / alphas_bar).sqrt())

    def zero_terminal(self) -> NoiseLevels:
        """The same levels, stretched so that the last one is all noise.

        Lin et al. 2023, arXiv:2305.08891, Algorithm 1.
        """
        root = (1 / (1 + self.sigmas**2)).sqrt()
        root = (root - root[-1]) * root[0] / (root[0] - root[-1])
        alphas_bar = root**2
        alphas_bar[-1] = LAST_ALPHA_BAR
        return replace(self, sigmas=((1 - alphas_bar) / alphas_bar).sqrt())

    @property
    def sigma_min(self) -> float:
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        return float(self.sigmas[-1])

    def sigma(self, t: Tensor) -> Tensor:
        """Sigma (n,) float64 at the fractional training steps t (n,), interpolated in log sigma."""
        log_sigmas = self.sigmas.log()
        low = t.floor().long().clamp(0, len(log_sigmas) - 2)
        return torch.lerp(log_sigmas[low], log_sigmas[low + 1], t.double() - low).exp()

    def t(self, sigma: Tensor) -> Tensor:
        """The fractional training step (n,) of each sigma (n,), within 0 .. T - 1.

        On the CPU and float64, wherever the sigmas are: not every device computes in float64.
        """
        log_sigmas = self.sigmas.log()
        log_sigma = sigma.cpu().double().log().clamp(log_sigmas[0], log_sigmas[-1])
        low = torch.searchsorted(log_sigmas, log_sigma, right=True) - 1
        low = low.clamp(0, len(log_sigmas) - 2)
        return low + (log_sigma - log_sigmas[low]) / (log_sigmas[low + 1] - log_sigmas[low])


def karras(levels: NoiseLevels, n: int, *, rho: float = 7.0) -> Tensor:
    """Sigmas whose rho-th roots are evenly spaced: Karras et al. 2022, arXiv:2206.00364, eq. 5."""
    first, last = levels.sigma_max ** (1 / rho), levels.sigma_min ** (1 / rho)
    return _ending_in_zero((first + _ramp(n) * (last - first)) ** rho)


def exponential(levels: NoiseLevels, n: int) -> Tensor:
    """Sigmas evenly spaced in their logarithm (k-diffusion)."""
    return polyexponential(levels, n, rho=1.0)


def polyexponential(levels: NoiseLevels, n: int, *, rho: float = 1.0) -> Tensor:
    """Sigmas whose logarithms follow a power of an even ramp (k-diffusion); rho 1: exponential."""
    first, last = log(levels.sigma_max), log(levels.sigma_min)
    return _ending_in_zero((last + (1 - _ramp(n)) ** rho * (first - last)).exp())


def uniform(levels: NoiseLevels, n: int) -> Tensor:
    """Sigmas at evenly spaced training steps, from the last to the first (k-diffusion)."""
    return _ending_in_zero(levels.sigma((1 - _ramp(n)) * (len(levels.sigmas) - 1)))


def sgm_uniform(levels: NoiseLevels, n: int) -> Tensor:
    """Sigmas at evenly spaced training steps, of which the first one is left to the final 0."""
    return _ending_in_zero(levels.sigma((1 - _ramp(n + 1)[:-1]) * (len(levels.sigmas) - 1)))


def simple(levels: NoiseLevels, n: int) -> Tensor:
    """Every T/n-th level that the checkpoint was trained on, from the last down."""
    total = len(levels.sigmas)
    return _ending_in_zero(levels.sigmas[[total - 1 - int(i * total / n) for i in range(n)]])


def ddim(levels: NoiseLevels, n: int) -> Tensor:
    """Sigmas at the training steps 1, 1 + T // n ...: Song et al. 2020, arXiv:2010.02502, D.2."""
    stride = max(len(levels.sigmas) // n, 1)
    steps = [min(1 + i * stride, len(levels.sigmas) - 1) for i in range(n)]
    return _ending_in_zero(levels.sigmas[steps[::-1]])


def beta(levels: NoiseLevels, n: int, *, a: float = 0.6, b: float = 0.6) -> Tensor:
    """Sigmas at the quantiles of a beta distribution: Lee et al. 2024, arXiv:2407.12173."""
    from scipy.stats import beta as distribution

    shares = torch.from_numpy(distribution.ppf(1 - _ramp(n).numpy(), a, b))
    span = levels.sigma_max - levels.sigma_min
    return _ending_in_zero(levels.sigma_min + shares * span)


def kl_optimal(levels: NoiseLevels, n: int) -> Tensor:
    """Sigmas whose arctangents are evenly spaced, down to the least: no 0 follows.

    Sabour et al. 2024, arXiv:2404.14507, theorem 3.1.
    """
    first, last = atan(levels.sigma_max), atan(levels.sigma_min)
    return (first + _ramp(n + 1) * (last - first)).tan()


# Sabour et al. 2024: the authors' tables for ten steps.
AYS = {
    "sd1": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
    "sdxl": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
}


def align_your_steps(levels: NoiseLevels, n: int) -> Tensor:
    """The authors' table for the family, its logarithms interpolated to n values.

    Sabour et al. 2024, arXiv:2404.14507, appendix D.
    """
    table = np.log(AYS[levels.family])
    at = np.linspace(0, len(table) - 1, n)
    return _ending_in_zero(torch.from_numpy(np.exp(np.interp(at, np.arange(len(table)), table))))


def _ramp(n: int) -> Tensor:
    """n numbers from 0 to 1; of one number 0."""
    return torch.linspace(0, 1, n, dtype=torch.float64)


def _ending_in_zero(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas, sigmas.new_zeros(1)])


def discarded(sigmas: Tensor) -> Tensor:
    """The sigmas without the last but one."""
    return torch.cat([sigmas[:-2], sigmas[-1:]])


def distinct(sigmas: Tensor) -> Tensor:
    """The sigmas without those that equal the one before: more steps than there are levels."""
    return sigmas[torch.cat([sigmas.new_ones(1, dtype=torch.bool), sigmas.diff() != 0])]


def tail(draw: Callable[[int], Tensor], steps: int, strength: float, *, exact: bool) -> Tensor:
    """The sigmas of a run that begins from a picture: the end of a schedule.

    As the reference counts: of `steps` int(strength * steps) + 1 are run, at most all; or, where
    the count is to be exact, `steps` of as many more as the strength leaves out. At strength 0
    nothing is run, and one 0 comes back.

    Args:
        draw: gives the sigmas of a whole run by its steps.
        steps: 1 or more.
        strength: how far from the picture, 0 .. 1.
        exact: whether all steps run whatever the strength.
    """
    if strength == 0:
        return torch.zeros(1, dtype=torch.float64)
    share = min(strength, 0.999)
    if exact:
        return draw(int(steps / share))[-steps - 1 :]
    return draw(steps)[-int(share * steps) - 2 :]


Schedule: TypeAlias = Callable[[NoiseLevels, int], Tensor]

SCHEDULES: dict[str, Schedule] = {
    "Uniform": uniform,
    "Karras": karras,
    "Exponential": exponential,
    "Polyexponential": polyexponential,
    "SGM Uniform": sgm_uniform,
    "KL Optimal": kl_optimal,
    "Align Your Steps": align_your_steps,
    "Simple": simple,
    "Normal": uniform,
    "DDIM": ddim,
    "Beta": beta,
}
