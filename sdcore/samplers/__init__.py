"""One function per algorithm, one file per family; each is a function over a denoiser.

A sampler tells its denoiser which step it is in, and knows nothing of prompts, guidance, masks.
"""

from __future__ import annotations

from sdcore.samplers.dpmpp import dpmpp_2m
from sdcore.samplers.euler import euler, euler_ancestral
from sdcore.types import Sampler

SAMPLERS: dict[str, Sampler] = {
    "DPM++ 2M": dpmpp_2m,
    "Euler": euler,
    "Euler a": euler_ancestral,
}
