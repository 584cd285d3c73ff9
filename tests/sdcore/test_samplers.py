"""For data ~ N(0, s^2) the perfect denoiser is x s^2 / (s^2 + sigma^2), and the probability flow
from x at sigma_max arrives at x sqrt((s^2 + sigma_min^2) / (s^2 + sigma_max^2)) at sigma_min."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
)
from torch import Tensor

from sdcore.conditioning import Context
from sdcore.denoise import network
from sdcore.models.checkpoint import Checkpoint
from sdcore.noise import ImageNoise
from sdcore.samplers import SAMPLERS
from sdcore.schedules import NoiseLevels, karras
from sdcore.types import Step, ignore

SD1 = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
S = 0.7
SHAPE = (4, 8, 8)


@pytest.fixture(scope="module")
def levels() -> NoiseLevels:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return NoiseLevels.from_betas(betas)


def gaussian(x: Tensor, sigma: Tensor, step: int) -> Tensor:
    s2 = sigma.view(-1, 1, 1, 1) ** 2
    return x * S**2 / (S**2 + s2)


def silent() -> Tensor:
    raise AssertionError("a deterministic sampler draws no noise")


def _error(name: str, sigmas: Tensor) -> float:
    x = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    result = SAMPLERS[name](gaussian, x, sigmas, silent, ignore)
    low, high = sigmas[-1] ** 2, sigmas[0] ** 2
    return float((result - ((S**2 + low) / (S**2 + high)) ** 0.5).abs())


@pytest.mark.parametrize(("name", "order"), [("Euler", 1), ("DPM++ 2M", 2)])
def test_the_order_of_convergence_is_the_paper_s(
    levels: NoiseLevels, name: str, order: int
) -> None:
    steps = (40, 80, 160, 320)
    errors = [_error(name, karras(levels, n + 1)[:-1]) for n in steps]
    slope, _ = np.polyfit(np.log(steps), np.log(errors), 1)
    assert -slope == pytest.approx(order, abs=0.12)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_one_datum_is_found_in_any_number_of_steps(levels: NoiseLevels, name: str) -> None:
    datum = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))
    noise = ImageNoise((3, 4), SHAPE, device=torch.device("cpu"))
    for n in (1, 2, 9):
        sigmas = karras(levels, n)
        x = SAMPLERS[name](lambda x, sigma, step: datum, noise() * 14.6, sigmas, noise, ignore)
        torch.testing.assert_close(x, datum)


def test_euler_ancestral_gives_the_data_s_spread(levels: NoiseLevels) -> None:
    noise = ImageNoise((0,), (1, 200, 200), device=torch.device("cpu"))
    sigmas = karras(levels, 200)
    x = SAMPLERS["Euler a"](gaussian, noise() * sigmas[0].item(), sigmas, noise, ignore)
    assert x.std().item() == pytest.approx(S, rel=0.02)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_each_step_is_told_to_the_denoiser_and_to_the_caller(
    levels: NoiseLevels, name: str
) -> None:
    asked: list[tuple[int, float]] = []
    reported: list[Step] = []
    sigmas = karras(levels, 5).float()

    def denoise(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        assert sigma.shape == (2,)
        asked.append((step, sigma[1].item()))
        return gaussian(x, sigma, step)

    noise = ImageNoise((0, 1), SHAPE, device=torch.device("cpu"))
    SAMPLERS[name](denoise, noise(), sigmas, noise, reported.append)
    assert asked == list(enumerate(sigmas[:-1].tolist()))
    assert [(step.index, step.sigma) for step in reported] == asked
    assert all(step.steps == 5 and step.x0.shape == (2, *SHAPE) for step in reported)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("Euler", EulerDiscreteScheduler(**SD1, use_karras_sigmas=True)),
        ("Euler a", EulerAncestralDiscreteScheduler(**SD1)),
        ("DPM++ 2M", DPMSolverMultistepScheduler(**SD1, use_karras_sigmas=True)),
    ],
)
def test_a_whole_run_agrees_with_diffusers(
    checkpoint: Checkpoint, name: str, oracle: Any, prediction: str
) -> None:
    """On the same UNet, sigmas, t and noise."""
    ours = replace(checkpoint, prediction=prediction)  # type: ignore[arg-type]
    context = torch.randn(1, 77, 32, generator=torch.Generator().manual_seed(2))
    oracle = type(oracle).from_config(oracle.config, prediction_type=prediction)
    oracle.set_timesteps(12)
    sigmas = oracle.sigmas.double()
    # Ours are fractional; its DPM solver rounds them.
    oracle.timesteps = ours.levels.t(sigmas[:-1]).float()
    x0 = network(ours)
    noise = ImageNoise((5,), SHAPE, device=torch.device("cpu"))
    start = noise() * sigmas[0].item()
    with torch.inference_mode():
        x = SAMPLERS[name](
            lambda x, s, step: x0(x, s, Context(tokens=context)), start, sigmas, noise, ignore
        )
        expected = _run_of_diffusers(ours, oracle, start, context)
    torch.testing.assert_close(x, expected, atol=1e-4, rtol=1e-4)


def _run_of_diffusers(checkpoint: Checkpoint, oracle: Any, x: Tensor, context: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    torch.randn(1, *SHAPE, generator=generator)  # the start was drawn before
    if isinstance(oracle, DPMSolverMultistepScheduler):  # holds the variance-preserving x
        x = x / (1 + oracle.sigmas[0] ** 2) ** 0.5
    extra = {"generator": generator} if "Ancestral" in type(oracle).__name__ else {}
    for t in oracle.timesteps:
        scaled = oracle.scale_model_input(x, t)
        predicted = checkpoint.unet(scaled, t, encoder_hidden_states=context).sample
        x = oracle.step(predicted, t, x, **extra).prev_sample
    return x
