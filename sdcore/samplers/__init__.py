"""One function per algorithm, one file per family; each is a function over a denoiser.

A sampler tells its denoiser which step it is in, and knows nothing of prompts, guidance, masks.
"""

from __future__ import annotations

from functools import partial
from math import inf

from sdcore.samplers.consistency import ddim_cfgpp, lcm
from sdcore.samplers.dpmpp import (
    dpmpp_2m,
    dpmpp_2m_sde,
    dpmpp_2s_ancestral,
    dpmpp_3m_sde,
    dpmpp_sde,
)
from sdcore.samplers.euler import dpm2, dpm2_ancestral, euler, euler_ancestral, heun
from sdcore.samplers.kind import Option, SamplerKind
from sdcore.samplers.multistep import lms, plms, unipc
from sdcore.samplers.restart import restart
from sdcore.samplers.single import ABSOLUTE, RELATIVE, dpm_adaptive, dpm_fast
from sdcore.schedules import SCHEDULES

__all__ = ["SAMPLERS", "Option", "SamplerKind", "named"]

_NOISE = {"s_noise": Option(1.0, 0.0, 2.0)}
_ETA = {"eta": Option(1.0, 0.0, 1.0), **_NOISE}
_CHURN = {
    "s_churn": Option(0.0, 0.0, 100.0),
    "s_tmin": Option(0.0, 0.0, 1e4),
    "s_tmax": Option(inf, 0.0, inf),
    **_NOISE,
}
_TOLERANCE = {"rtol": Option(RELATIVE, 1e-4, 1.0), "atol": Option(ABSOLUTE, 1e-6, 1.0)}

SAMPLERS: dict[str, SamplerKind] = {
    "DPM++ 2M": SamplerKind(function=dpmpp_2m, schedule="Karras"),
    "DPM++ SDE": SamplerKind(function=dpmpp_sde, schedule="Karras", evaluations=2, options=_ETA),
    "DPM++ 2M SDE": SamplerKind(function=dpmpp_2m_sde, schedule="Exponential", options=_ETA),
    "DPM++ 2M SDE Heun": SamplerKind(
        function=partial(dpmpp_2m_sde, is_heun=True), schedule="Exponential", options=_ETA
    ),
    "DPM++ 2S a": SamplerKind(
        function=dpmpp_2s_ancestral, schedule="Karras", evaluations=2, options=_ETA
    ),
    "DPM++ 3M SDE": SamplerKind(
        function=dpmpp_3m_sde, schedule="Exponential", options=_ETA, discard_penultimate=True
    ),
    "Euler a": SamplerKind(function=euler_ancestral, options=_ETA),
    "Euler": SamplerKind(function=euler, options=_CHURN),
    "LMS": SamplerKind(function=lms),
    "Heun": SamplerKind(function=heun, evaluations=2, options=_CHURN),
    "DPM2": SamplerKind(
        function=dpm2, schedule="Karras", evaluations=2, options=_CHURN, discard_penultimate=True
    ),
    "DPM2 a": SamplerKind(
        function=dpm2_ancestral,
        schedule="Karras",
        evaluations=2,
        options=_ETA,
        discard_penultimate=True,
    ),
    "DPM fast": SamplerKind(function=dpm_fast),
    "DPM adaptive": SamplerKind(function=dpm_adaptive, options=_TOLERANCE),
    "Restart": SamplerKind(function=restart, schedule="Karras", evaluations=2, options=_NOISE),
    "DDIM": SamplerKind(
        function=partial(euler_ancestral, eta=0.0),
        schedule="DDIM",
        options={**_ETA, "eta": Option(0.0, 0.0, 1.0)},
    ),
    # Its guidance lies in 0 .. 1; on the scale that people know it is 12.5 times as much.
    "DDIM CFG++": SamplerKind(function=ddim_cfgpp, schedule="DDIM", cfg_factor=1 / 12.5),
    "PLMS": SamplerKind(function=plms, schedule="DDIM"),
    "UniPC": SamplerKind(function=unipc, schedule="DDIM"),
    "LCM": SamplerKind(function=lcm, schedule="SGM Uniform"),
}


def named(name: str) -> tuple[str, str | None]:
    """(sampler, schedule) of a name that may hold both, as 'DPM++ 2M Karras' did; else None."""
    for schedule in SCHEDULES:
        sampler = name.removesuffix(f" {schedule}")
        if sampler != name and sampler in SAMPLERS:
            return sampler, schedule
    return name, None
