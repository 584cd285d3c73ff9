"""How an ancestral step is split: below the next sigma first, then up to it with noise."""

from __future__ import annotations


def split(sigma: float, sigma_next: float, *, eta: float = 1.0) -> tuple[float, float]:
    """(down, up) with down^2 + up^2 = sigma_next^2: where to step to, how much noise to add.

    At eta 1 the posterior variance of DDPM (Ho et al. 2020, arXiv:2006.11239, eq. 7) in terms of
    sigma; eta scales the noise, as in DDIM (Song et al. 2020, arXiv:2010.02502, eq. 16).
    """
    if eta == 0 or sigma_next == 0:
        return sigma_next, 0.0
    up = min(sigma_next, eta * sigma_next * (1 - (sigma_next / sigma) ** 2) ** 0.5)
    return (sigma_next**2 - up**2) ** 0.5, up
