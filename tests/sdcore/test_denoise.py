from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import EulerDiscreteScheduler
from torch import Tensor

from sdcore.conditioning import Context
from sdcore.denoise import counted, masked, network, relayed
from sdcore.models.checkpoint import Checkpoint
from sdcore.types import Denoiser

SIGMAS = torch.tensor([0.5, 3.0])


def _randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_the_clean_estimate_is_that_of_diffusers(checkpoint: Checkpoint, prediction: str) -> None:
    ours = replace(checkpoint, prediction=prediction)  # type: ignore[arg-type]
    x, context, sigma = _randn(1, 4, 8, 8) * 3, _randn(1, 77, 32), torch.tensor([3.0])
    oracle = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type=prediction,
    )
    oracle.set_timesteps(sigmas=[3.0, 1.0])
    t = oracle.timesteps[0]
    with torch.inference_mode():
        scaled = oracle.scale_model_input(x, t)
        predicted = checkpoint.unet(scaled, t, encoder_hidden_states=context).sample
        expected = oracle.step(predicted, t, x).pred_original_sample
        torch.testing.assert_close(
            network(ours)(x, sigma, Context(tokens=context)), expected, atol=1e-4, rtol=1e-4
        )


def test_each_image_of_a_batch_has_its_own_sigma(checkpoint: Checkpoint) -> None:
    x, context = _randn(2, 4, 8, 8), _randn(2, 77, 32)
    x0 = network(checkpoint)
    with torch.inference_mode():
        both = x0(x, SIGMAS, Context(tokens=context))
        alone = x0(x[1:], SIGMAS[1:], Context(tokens=context[1:]))
    torch.testing.assert_close(both[1:], alone)


def test_an_estimate_in_bf16_is_near_and_comes_back_in_fp32(checkpoint: Checkpoint) -> None:
    import copy

    x, context = _randn(2, 4, 8, 8), _randn(2, 77, 32)
    half = replace(checkpoint, unet=copy.deepcopy(checkpoint.unet).bfloat16())
    with torch.inference_mode():
        exact, rough = (network(c)(x, SIGMAS, Context(tokens=context)) for c in (checkpoint, half))
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, atol=0.05, rtol=0.05)


def test_where_the_mask_is_0_the_estimate_is_what_is_known() -> None:
    known, drawn, x = _randn(1, 4, 8, 8, seed=1), _randn(2, 4, 8, 8, seed=2), _randn(2, 4, 8, 8)
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 4:], mask[..., 3] = 1.0, 0.5
    x0 = masked(lambda x, sigma, step: drawn, known, mask)(x, SIGMAS, 0)
    assert torch.equal(x0[..., :3], known[..., :3].expand(2, -1, -1, -1))
    assert torch.equal(x0[..., 4:], drawn[..., 4:])
    torch.testing.assert_close(x0[..., 3], (known[..., 3] + drawn[..., 3]) / 2)


def test_a_relay_changes_hands_at_the_sigma() -> None:
    def runner(value: float) -> Denoiser:
        return lambda x, sigma, step: torch.full_like(x, value)

    denoise = relayed([(float("inf"), runner(1.0)), (2.0, runner(2.0))])
    x = _randn(1, 4, 2, 2)
    got = [float(denoise(x, torch.tensor([s]), 0)[0, 0, 0, 0]) for s in (14.6, 2.1, 2.0, 0.1)]
    assert got == [1, 1, 2, 2]


def test_a_counted_denoiser_hears_how_often_it_was_asked() -> None:
    heard: list[int] = []

    def hear(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        heard.append(step)
        return x

    denoise = counted(hear)
    for step in (0, 0, 1, 1):
        denoise(_randn(1, 4, 2, 2), SIGMAS[:1], step)
    assert heard == [0, 1, 2, 3]
