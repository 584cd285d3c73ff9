"""For data ~ N(0, s^2) the perfect denoiser is x s^2 / (s^2 + sigma^2), and the probability flow
from x at sigma_max arrives at x sqrt((s^2 + sigma_min^2) / (s^2 + sigma_max^2)) at sigma_min."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
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
from sdcore.errors import RequestError, UnknownName
from sdcore.models.checkpoint import Checkpoint
from sdcore.noise import ImageNoise
from sdcore.samplers import SAMPLERS, named
from sdcore.schedules import SCHEDULES, NoiseLevels, karras
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


class Silent:
    """A deterministic sampler draws no noise."""

    def __call__(self) -> Tensor:
        raise AssertionError

    def between(self, sigma: float, sigma_next: float) -> Tensor:
        raise AssertionError


def _error(name: str, sigmas: Tensor) -> float:
    x = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    result = SAMPLERS[name](gaussian, x, sigmas, Silent(), ignore)
    low, high = sigmas[-1] ** 2, sigmas[0] ** 2
    return float((result - ((S**2 + low) / (S**2 + high)) ** 0.5).abs())


DETERMINISTIC = [
    ("Euler", 1),
    ("DDIM", 1),
    ("DDIM CFG++", 1),
    ("Heun", 2),
    ("DPM2", 2),
    ("DPM++ 2M", 2),
    ("DPM fast", 3),
]


@pytest.mark.parametrize(("name", "order"), DETERMINISTIC)
def test_the_order_of_convergence_is_the_paper_s(
    levels: NoiseLevels, name: str, order: int
) -> None:
    steps = (40, 80, 160, 320)
    errors = [_error(name, karras(levels, n + 1)[:-1]) for n in steps]
    slope, _ = np.polyfit(np.log(steps), np.log(errors), 1)
    assert -slope == pytest.approx(order, abs=0.12 * order)


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("DPM++ 2S a", 2),
        ("DPM2 a", 2),
        ("DPM++ SDE", 2),
        ("DPM++ 2M SDE", 2),
        ("DPM++ 2M SDE Heun", 2),
        # What every implementation has as the second difference is half of it: so 2, not 3.
        ("DPM++ 3M SDE", 2),
        ("Euler a", 1),
    ],
)
def test_without_their_noise_the_others_have_their_order_too(
    levels: NoiseLevels, name: str, order: int
) -> None:
    x = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    run = SAMPLERS[name].with_options({"eta": 0.0})
    errors = []
    for n in (40, 80, 160, 320):
        sigmas = karras(levels, n + 1)[:-1]
        low, high = sigmas[-1] ** 2, sigmas[0] ** 2
        result = run(gaussian, x, sigmas, Silent(), ignore)
        errors.append(float((result - ((S**2 + low) / (S**2 + high)) ** 0.5).abs()))
    slope, _ = np.polyfit(np.log((40, 80, 160, 320)), np.log(errors), 1)
    assert -slope == pytest.approx(order, abs=0.12 * order)


@pytest.mark.parametrize(("name", "least"), [("LMS", 3), ("UniPC", 2)])
def test_a_multistep_method_s_low_orders_at_its_ends_cost_it_one(
    levels: NoiseLevels, name: str, least: int
) -> None:
    errors = [_error(name, karras(levels, n + 1)[:-1]) for n in (40, 80, 160, 320)]
    slope, _ = np.polyfit(np.log((40, 80, 160, 320)), np.log(errors), 1)
    assert -slope > least


def test_plms_is_of_second_order_at_least_where_steps_are_unequal(levels: NoiseLevels) -> None:
    """Its weights are those of equal steps, so that its order 4 holds for these alone."""

    def error(sigmas: Tensor) -> float:
        return _error("PLMS", sigmas)

    equal = [error(torch.linspace(10, 1, n + 1, dtype=torch.float64)) for n in (40, 80, 160)]
    assert equal[0] / equal[1] > 8 and equal[1] / equal[2] > 8


def test_adaptive_steps_reach_their_tolerance(levels: NoiseLevels) -> None:
    sigmas = karras(levels, 21)[:-1]
    errors = []
    for rtol in (0.05, 0.0005):
        x = torch.ones(1, 1, 1, 1, dtype=torch.float64)
        run = SAMPLERS["DPM adaptive"].with_options({"rtol": rtol, "atol": rtol / 6})
        result = run(gaussian, x, sigmas, Silent(), ignore)
        low, high = sigmas[-1] ** 2, sigmas[0] ** 2
        errors.append(float((result - ((S**2 + low) / (S**2 + high)) ** 0.5).abs()))
    assert errors[0] < 5e-3 and errors[1] < 5e-4


@pytest.mark.parametrize(
    "name",
    [
        "Euler a",
        "DPM2 a",
        "DPM++ 2S a",
        "DPM++ SDE",
        "DPM++ 2M SDE",
        "DPM++ 2M SDE Heun",
        "DPM++ 3M SDE",
        "Restart",
    ],
)
def test_a_stochastic_sampler_gives_the_data_s_spread(levels: NoiseLevels, name: str) -> None:
    noise = ImageNoise((0,), (1, 200, 200), device=torch.device("cpu"))
    sigmas = karras(levels, 200 if name == "Euler a" else 60)
    x = SAMPLERS[name](gaussian, noise() * sigmas[0].item(), sigmas, noise, ignore)
    assert x.std().item() == pytest.approx(S, rel=0.04)


def test_euler_with_churn_and_ddim_with_eta_give_the_data_s_spread(levels: NoiseLevels) -> None:
    sigmas = karras(levels, 200)
    for name, options in (("Euler", {"s_churn": 20.0}), ("DDIM", {"eta": 1.0})):
        noise = ImageNoise((0,), (1, 200, 200), device=torch.device("cpu"))
        run = SAMPLERS[name].with_options(options)
        x = run(gaussian, noise() * sigmas[0].item(), sigmas, noise, ignore)
        assert x.std().item() == pytest.approx(S, rel=0.04)


def test_a_consistency_model_s_estimate_is_noised_anew() -> None:
    noise = ImageNoise((0,), (1, 4, 4), device=torch.device("cpu"))
    again = ImageNoise((0,), (1, 4, 4), device=torch.device("cpu"))
    seen: list[Tensor] = []

    def denoise(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        seen.append(x)
        return torch.full_like(x, float(step))

    start = noise() * 5
    x = SAMPLERS["LCM"](denoise, start, torch.tensor([5.0, 2.0, 0.0]), noise, ignore)
    assert torch.equal(seen[0], again() * 5)
    torch.testing.assert_close(seen[1], 0.0 + 2.0 * again())
    assert torch.equal(x, torch.ones_like(x))


def test_cfgpp_takes_its_noise_from_the_estimate_without_a_prompt() -> None:
    class Guided:
        uncond = torch.full((1, 1, 1, 1), 1.0)

        def __call__(self, x: Tensor, sigma: Tensor, step: int) -> Tensor:
            return torch.full_like(x, 3.0)

    x = torch.full((1, 1, 1, 1), 9.0)
    sigmas = torch.tensor([4.0, 2.0])
    made = SAMPLERS["DDIM CFG++"](Guided(), x, sigmas, Silent(), ignore)
    assert float(made) == 3 + (9 - 1) / 4 * 2


def test_restart_lifts_x_to_where_the_stretch_begins(levels: NoiseLevels) -> None:
    """Xu et al. 2023: with 20 steps one restart of 9 steps between about 0.1 and 2."""
    visited: list[float] = []

    def denoise(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        assert 0 <= step < 20
        return gaussian(x, sigma, step)

    noise = ImageNoise((0,), (1, 8, 8), device=torch.device("cpu"))
    sigmas = karras(levels, 20)
    SAMPLERS["Restart"](
        denoise, noise() * 14, sigmas, noise, lambda step: visited.append(step.sigma)
    )
    lifts = [i for i, (a, b) in enumerate(pairwise(visited)) if b > a]
    assert len(visited) == 20 and len(lifts) == 1
    assert visited[lifts[0] + 1] == pytest.approx(2.0, rel=0.5)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_image_i_of_many_is_image_i_alone(levels: NoiseLevels, name: str) -> None:
    if name == "DPM adaptive":
        return  # the worst image of a batch sets its pace; on a CPU images run one by one
    sigmas = karras(levels, 21)

    def made(seeds: tuple[int, ...]) -> Tensor:
        noise = ImageNoise(seeds, SHAPE, device=torch.device("cpu"))
        return SAMPLERS[name](gaussian, noise() * 14.6, sigmas, noise, ignore)

    assert torch.equal(made((7, 8, 9))[1:2], made((8,)))


def test_an_option_is_refused_by_name_and_by_range() -> None:
    with pytest.raises(UnknownName, match="unknown option of this sampler 'ets': nearest 'eta'"):
        SAMPLERS["Euler a"].with_options({"ets": 1.0})
    with pytest.raises(RequestError, match="a sampler's eta of 2: give 0 to 1"):
        SAMPLERS["Euler a"].with_options({"eta": 2.0})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DPM++ 2M Karras", ("DPM++ 2M", "Karras")),
        ("DPM++ 2M SDE Exponential", ("DPM++ 2M SDE", "Exponential")),
        ("Euler a", ("Euler a", None)),
        ("nothing Karras", ("nothing Karras", None)),
    ],
)
def test_an_older_name_holds_the_schedule(name: str, expected: tuple[str, str | None]) -> None:
    assert named(name) == expected


def test_all_twenty_are_there_and_each_automatic_schedule_is_known() -> None:
    assert len(SAMPLERS) == 20
    assert {kind.schedule for kind in SAMPLERS.values()} <= set(SCHEDULES)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_one_datum_is_found_in_any_number_of_steps(levels: NoiseLevels, name: str) -> None:
    datum = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))
    noise = ImageNoise((3, 4), SHAPE, device=torch.device("cpu"))
    for n in (1, 2, 9):
        sigmas = karras(levels, n)
        x = SAMPLERS[name](lambda x, sigma, step: datum, noise() * 14.6, sigmas, noise, ignore)
        torch.testing.assert_close(x, datum, atol=1e-3, rtol=1e-3)


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
    steps = list(enumerate(sigmas[:-1].tolist()))
    if SAMPLERS[name].evaluations == 1 and name not in ("PLMS", "DPM fast", "DPM adaptive"):
        assert asked == steps
    told = [step for step, _ in asked]
    assert told == sorted(told) and told[0] == 0 and told[-1] == 4
    if name not in ("DPM fast", "DPM adaptive"):  # which have levels of their own
        assert [(step.index, step.sigma) for step in reported] == steps
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
