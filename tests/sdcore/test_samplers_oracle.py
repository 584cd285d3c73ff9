"""diffusers as the oracle: the same estimate of the noise, sigmas and random numbers."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    KDPM2DiscreteScheduler,
    LMSDiscreteScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

from sdcore.samplers import SAMPLERS
from sdcore.types import ignore

SD1 = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
KARRAS = SD1 | {"use_karras_sigmas": True}
SDE = KARRAS | {"algorithm_type": "sde-dpmsolver++"}
MIX = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))


def _eps(x: Tensor, sigma: Tensor) -> Tensor:
    """A smooth noise estimate that is not linear in x."""
    c = x * (1 + sigma.view(-1, 1, 1, 1) ** 2).rsqrt()
    return torch.tanh(c @ MIX * 0.3) + 0.3 * c


def _x0(x: Tensor, sigma: Tensor, step: int) -> Tensor:
    return x - sigma.view(-1, 1, 1, 1) * _eps(x, sigma)


class Tape:
    """The same noise for both, in order."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(1)

    def __call__(self, *args: Any, **options: Any) -> Tensor:
        return torch.randn(1, 4, 8, 8, generator=self.generator)

    def between(self, sigma: float, sigma_next: float) -> Tensor:
        return self()


def _theirs(oracle: Any, x: Tensor, *, preserving: bool) -> Tensor:
    """diffusers' run from x = x0 + sigma noise; some of its schedulers hold a scaled x."""
    if preserving:
        x = x / (1 + float(oracle.sigmas[0]) ** 2) ** 0.5
    for t in oracle.timesteps:
        # KDPM2 looks at the middle of a step in its second half.
        is_middle = not getattr(oracle, "state_in_first_order", True)
        sigmas = (
            oracle.sigmas_interpol if is_middle and "KDPM2" in str(type(oracle)) else oracle.sigmas
        )
        sigma = sigmas[oracle.step_index or 0].reshape(1).float()
        given = x * (1 + sigma**2).sqrt() if preserving else x
        x = oracle.step(_eps(given, sigma), t, x).prev_sample
    last = float(oracle.sigmas[-1])
    return x * (1 + last**2) ** 0.5 if preserving else x


@pytest.mark.parametrize(
    ("name", "oracle", "preserving"),
    [
        ("Euler", EulerDiscreteScheduler(**KARRAS), False),
        ("Euler a", EulerAncestralDiscreteScheduler(**SD1), False),
        ("LMS", LMSDiscreteScheduler(**KARRAS), False),
        ("Heun", HeunDiscreteScheduler(**KARRAS), False),
        ("DPM2", KDPM2DiscreteScheduler(**KARRAS), False),
        ("DPM++ 2M", DPMSolverMultistepScheduler(**KARRAS), True),
        ("DPM++ 2M SDE", DPMSolverMultistepScheduler(**SDE), True),
        ("DPM++ 2M SDE Heun", DPMSolverMultistepScheduler(**SDE, solver_type="heun"), True),
        (
            "UniPC",
            UniPCMultistepScheduler(
                **SD1, solver_type="bh1", solver_order=3, final_sigmas_type="sigma_min"
            ),
            True,
        ),
    ],
)
def test_a_run_agrees_with_diffusers(
    name: str, oracle: Any, preserving: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle.set_timesteps(15)
    oracle.is_scale_input_called = True  # _eps scales by itself
    module = importlib.import_module(type(oracle).__module__)
    monkeypatch.setattr(module, "randn_tensor", Tape(), raising=False)
    start = Tape()() * float(oracle.sigmas[0])
    # Schedulers of two evaluations a step list their sigmas twice.
    sigmas = torch.unique_consecutive(oracle.sigmas).double()
    ours = SAMPLERS[name](_x0, start, sigmas, Tape(), ignore)
    torch.testing.assert_close(
        ours, _theirs(oracle, start, preserving=preserving), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
def test_ddim_agrees_with_diffusers(eta: float, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = DDIMScheduler(**SD1, set_alpha_to_one=True, steps_offset=1, clip_sample=False)
    oracle.set_timesteps(10)
    bars = oracle.alphas_cumprod[oracle.timesteps].double()
    sigmas = torch.cat([((1 - bars) / bars).sqrt(), torch.zeros(1)])
    module = importlib.import_module(type(oracle).__module__)
    monkeypatch.setattr(module, "randn_tensor", Tape())
    start = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5)) * 14.0
    x = start / (1 + float(sigmas[0]) ** 2) ** 0.5
    for t, sigma in zip(oracle.timesteps, sigmas, strict=False):
        scale = float((1 + sigma**2) ** 0.5)
        x = oracle.step(_eps(x * scale, sigma.reshape(1).float()), t, x, eta=eta).prev_sample
    run = SAMPLERS["DDIM"].with_options({"eta": eta})
    torch.testing.assert_close(run(_x0, start, sigmas, Tape(), ignore), x, atol=1e-4, rtol=1e-4)
