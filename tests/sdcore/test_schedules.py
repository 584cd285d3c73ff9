from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler

from sdcore.schedules import SCHEDULES, NoiseLevels, karras, uniform

SD1 = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@pytest.fixture(scope="module")
def levels() -> NoiseLevels:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return NoiseLevels.from_betas(betas)


def test_the_sigmas_of_stable_diffusion_have_their_published_range(levels: NoiseLevels) -> None:
    assert levels.sigma_min == pytest.approx(0.02917, abs=1e-5)
    assert levels.sigma_max == pytest.approx(14.6146, abs=1e-4)


def test_t_is_the_inverse_of_sigma(levels: NoiseLevels) -> None:
    t = torch.linspace(0, 999, 4321, dtype=torch.float64)
    torch.testing.assert_close(levels.t(levels.sigma(t)), t)


def test_whole_steps_have_the_training_s_own_sigmas(levels: NoiseLevels) -> None:
    whole = torch.arange(1000)
    torch.testing.assert_close(levels.sigma(whole), levels.sigmas)
    torch.testing.assert_close(levels.t(levels.sigmas), whole.double())


def test_sigmas_beyond_the_training_are_the_nearest_step(levels: NoiseLevels) -> None:
    t = levels.t(torch.tensor([1e-4, 1e4]))
    torch.testing.assert_close(t, torch.tensor([0.0, 999.0], dtype=torch.float64))


def test_karras_is_its_closed_form(levels: NoiseLevels) -> None:
    n, rho = 11, 7.0
    low, high = levels.sigma_min ** (1 / rho), levels.sigma_max ** (1 / rho)
    expected = [(high + i / (n - 1) * (low - high)) ** rho for i in range(n)]
    assert karras(levels, n).tolist() == pytest.approx([*expected, 0.0])


def test_uniform_visits_evenly_spaced_steps(levels: NoiseLevels) -> None:
    expected = [levels.sigmas[t].item() for t in (999, 666, 333, 0)]
    assert uniform(levels, 4).tolist() == pytest.approx([*expected, 0.0])


@pytest.mark.parametrize("name", sorted(SCHEDULES))
@pytest.mark.parametrize("n", [1, 2, 30])
def test_a_schedule_falls_from_the_greatest_sigma_to_zero(
    levels: NoiseLevels, name: str, n: int
) -> None:
    sigmas = SCHEDULES[name](levels, n)
    assert sigmas.shape == (n + 1,)
    assert sigmas[0].item() == pytest.approx(levels.sigma_max)
    assert sigmas[-1] == 0 and bool((sigmas.diff() < 0).all())


def test_karras_and_its_steps_agree_with_diffusers(levels: NoiseLevels) -> None:
    scheduler = EulerDiscreteScheduler(**SD1, use_karras_sigmas=True)
    scheduler.set_timesteps(17)
    sigmas = karras(levels, 17)
    np.testing.assert_allclose(sigmas, scheduler.sigmas, rtol=2e-4)
    np.testing.assert_allclose(levels.t(sigmas[:-1]), scheduler.timesteps, atol=0.05)
