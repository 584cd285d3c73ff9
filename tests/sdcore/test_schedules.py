from __future__ import annotations

from dataclasses import replace
from math import atan, tan

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler
from torch import Tensor

from sdcore.schedules import AYS, SCHEDULES, NoiseLevels, discarded, karras, tail, uniform

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
    assert sigmas.dtype == torch.float64 and bool((sigmas.diff() < 0).all())
    if name != "DDIM":  # whose last step is 1 + the stride's greatest multiple
        assert sigmas[0].item() == pytest.approx(levels.sigma_max, rel=1e-4)
    last = levels.sigma_min if name == "KL Optimal" else 0.0
    assert sigmas[-1].item() == pytest.approx(last)


def test_the_other_schedules_are_their_closed_forms(levels: NoiseLevels) -> None:
    """Two or three values of each by hand, from the training levels of SD 1.x."""
    low, high = levels.sigma_min, levels.sigma_max

    def given(name: str, n: int) -> list[float]:
        return SCHEDULES[name](levels, n).tolist()

    middle = (low * high) ** 0.5
    assert given("Exponential", 3) == pytest.approx([high, middle, low, 0])
    assert given("Polyexponential", 3) == pytest.approx([high, middle, low, 0])
    assert given("SGM Uniform", 2) == pytest.approx([high, float(levels.sigma(at(499.5))), 0])
    assert given("Normal", 3) == given("Uniform", 3)
    assert given("Simple", 4) == pytest.approx([*levels.sigmas[[999, 749, 499, 249]].tolist(), 0])
    assert given("DDIM", 4) == pytest.approx([*levels.sigmas[[751, 501, 251, 1]].tolist(), 0])
    # The beta distribution is symmetric, so its median is in the middle.
    assert given("Beta", 3) == pytest.approx([high, (low + high) / 2, low, 0])
    angle = (atan(low) + atan(high)) / 2
    assert given("KL Optimal", 2) == pytest.approx([high, tan(angle), low])
    assert given("Align Your Steps", 11) == pytest.approx([*AYS["sd1"], 0])
    halves = SCHEDULES["Align Your Steps"](replace(levels, family="sdxl"), 21).tolist()
    assert halves[1] == pytest.approx((14.615 * 6.315) ** 0.5)


def at(t: float) -> Tensor:
    return torch.tensor([t])


def test_zero_terminal_levels_end_in_noise_and_begin_where_they_began(levels: NoiseLevels) -> None:
    """Lin et al. 2023, figure 2: alpha_bar falls to 0, its square roots by one straight line."""
    stretched = levels.zero_terminal()
    assert stretched.sigma_min == pytest.approx(levels.sigma_min)
    assert stretched.sigma_max == pytest.approx(4518.6, rel=1e-4)
    before, after = ((1 + v.sigmas**2).rsqrt()[:-1] for v in (levels, stretched))
    slopes = after.diff() / before.diff()
    torch.testing.assert_close(slopes, slopes[:1].expand_as(slopes))


@pytest.mark.parametrize(
    ("steps", "strength", "exact", "run"),
    [
        (20, 0.75, False, 16),
        (20, 1.0, False, 20),
        (20, 0.5, False, 11),
        (20, 0.01, False, 1),
        (20, 0.0, False, 0),
        (20, 0.75, True, 20),
        (20, 0.0, True, 0),
        (7, 0.3, True, 7),
    ],
)
def test_a_run_from_a_picture_is_the_end_of_a_schedule(
    levels: NoiseLevels, steps: int, strength: float, exact: bool, run: int
) -> None:
    """The reference's table of steps; at strength 0 nothing is run."""
    sigmas = tail(lambda n: uniform(levels, n), steps, strength, exact=exact)
    assert len(sigmas) == run + 1 and sigmas[-1] == 0
    whole = int(steps / min(strength, 0.999)) if exact and strength else steps
    if run:
        assert torch.equal(sigmas, uniform(levels, whole)[-run - 1 :])


def test_the_last_level_but_one_can_be_left_out(levels: NoiseLevels) -> None:
    sigmas = karras(levels, 6)
    assert discarded(sigmas).tolist() == [*sigmas[:-2].tolist(), 0.0]


def test_karras_and_its_steps_agree_with_diffusers(levels: NoiseLevels) -> None:
    scheduler = EulerDiscreteScheduler(**SD1, use_karras_sigmas=True)
    scheduler.set_timesteps(17)
    sigmas = karras(levels, 17)
    np.testing.assert_allclose(sigmas, scheduler.sigmas, rtol=2e-4)
    np.testing.assert_allclose(levels.t(sigmas[:-1]), scheduler.timesteps, atol=0.05)
