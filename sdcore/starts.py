"""The first latents of a pass, at its first sigma."""

from __future__ import annotations

from torch import Tensor

from sdcore.plan import Pass
from sdcore.types import StepNoise


def latents(p: Pass, noise: StepNoise) -> Tensor:
    """Pure noise at sigmas[0], (B, C, h, w)."""
    return noise() * float(p.sigmas[0])
