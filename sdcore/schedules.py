"""Noise levels: which sigma each training step t has, and which sigmas a run visits.

A schedule is a function (noise levels of the checkpoint, n) -> sigmas (n + 1,), falling, the last
one 0, float64. Sources: Karras et al. 2022 (arXiv:2206.00364); the uniform one is k-diffusion's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class NoiseLevels:
    """The discrete noise levels that a checkpoint was trained on."""

    # (T,) rising, float64; sigma = sqrt((1 - alpha_bar) / alpha_bar).
    sigmas: Tensor

    @classmethod
    def from_betas(cls, betas: Tensor) -> NoiseLevels:
        """The levels of a variance-preserving process with these betas (T,), each in 0 .. 1."""
        alphas_bar = torch.cumprod(1 - betas.double(), dim=0)
        return cls(sigmas=((1 - alphas_bar) / alphas_bar).sqrt())

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
    """Sigmas whose rho-th roots are evenly spaced, eq. 5 of Karras et al. (2022)."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    first, last = levels.sigma_max ** (1 / rho), levels.sigma_min ** (1 / rho)
    return _ending_in_zero((first + ramp * (last - first)) ** rho)


def uniform(levels: NoiseLevels, n: int) -> Tensor:
    """Sigmas at evenly spaced training steps, from the last to the first."""
    t = torch.linspace(len(levels.sigmas) - 1, 0, n, dtype=torch.float64)
    return _ending_in_zero(levels.sigma(t))


def _ending_in_zero(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas, sigmas.new_zeros(1)])


Schedule: TypeAlias = Callable[[NoiseLevels, int], Tensor]

SCHEDULES: dict[str, Schedule] = {
    "Karras": karras,
    "Uniform": uniform,
}
