from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import EulerDiscreteScheduler
from torch import Tensor

from sdcore.conditioning import Conditioning, Context, Timeline
from sdcore.denoise import Guided, network, rescaled, windowed
from sdcore.models.checkpoint import Checkpoint
from sdcore.types import Guidance

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


class Recorded:
    """A network whose estimate is the context's mean, and which remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, x: Tensor, sigma: Tensor, context: Context) -> Tensor:
        assert len(x) == len(sigma) == len(context.tokens)
        self.batches.append(len(x))
        return context.tokens.mean(dim=(1, 2)).view(-1, 1, 1, 1).expand_as(x)


def _context(value: float, tokens: int = 77) -> Context:
    return Context(tokens=torch.full((1, tokens, 8), value))


def _always(context: Context, weight: float = 1.0) -> Timeline:
    return Timeline(weight=weight, until=(1,), contexts=(context,))


def _guided(
    *positive: Timeline,
    negative: Context,
    cfg: float,
    steps: int = 10,
    guidance: Guidance | None = None,
) -> tuple[Guided, Recorded]:
    recorded = Recorded()
    conditioning = Conditioning(positive=positive, negative=_always(negative))
    denoise = Guided(
        network=recorded,
        conditioning=conditioning,
        cfg=cfg,
        steps=steps,
        guidance=guidance or Guidance(),
    )
    return denoise, recorded


@pytest.mark.parametrize(
    ("cfg", "tokens", "estimate", "batches"),
    [
        (1.0, 77, 3.0, [2]),
        (0.0, 77, 5.0, [4]),
        (7.0, 77, 5 + 7 * (3 - 5.0), [4]),
        (7.0, 154, 5 + 7 * (3 - 5.0), [2, 2]),
    ],
)
def test_guidance_goes_from_the_negative_towards_the_prompt(
    cfg: float, tokens: int, estimate: float, batches: list[int]
) -> None:
    denoise, recorded = _guided(_always(_context(3.0)), negative=_context(5.0, tokens), cfg=cfg)
    x0 = denoise(_randn(2, 4, 8, 8), SIGMAS, 0)
    torch.testing.assert_close(x0, torch.full((2, 4, 8, 8), estimate))
    assert recorded.batches == batches


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_each_part_pulls_from_the_negative_by_its_weight(cfg: float) -> None:
    parts = [_always(_context(3.0), 0.5), _always(_context(2.0, 154), -1.5)]
    denoise, recorded = _guided(*parts, negative=_context(5.0), cfg=cfg)
    x0 = denoise(_randn(1, 4, 8, 8), SIGMAS[:1], 0)
    expected = 5 + cfg * (0.5 * (3 - 5) - 1.5 * (2 - 5))
    torch.testing.assert_close(x0, torch.full((1, 4, 8, 8), expected))
    assert recorded.batches == [2, 1]


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_a_part_of_no_weight_is_none_and_equal_parts_are_one(cfg: float) -> None:
    a, b, negative = _context(3.0), _context(2.0), _context(5.0)
    x = _randn(1, 4, 8, 8)
    alone, _ = _guided(_always(a), negative=negative, cfg=cfg)
    with_none, recorded = _guided(_always(a), _always(b, 0.0), negative=negative, cfg=cfg)
    halves, halved = _guided(_always(a, 0.5), _always(a, 0.5), negative=negative, cfg=cfg)
    expected = alone(x, SIGMAS[:1], 0)
    assert torch.equal(with_none(x, SIGMAS[:1], 0), expected)
    assert torch.equal(halves(x, SIGMAS[:1], 0), expected)
    assert recorded.batches == halved.batches == [1 if cfg == 1 else 2]


def test_a_prompt_that_changes_is_read_by_its_step() -> None:
    timeline = Timeline(weight=1.0, until=(2, 3), contexts=(_context(3.0), _context(4.0)))
    denoise, _ = _guided(timeline, negative=_context(0.0), cfg=1.0)
    read = [float(denoise(torch.zeros(1, 1, 1, 1), SIGMAS[:1], step)) for step in range(4)]
    assert read == [3.0, 3.0, 4.0, 4.0]


def test_outside_of_its_interval_there_is_no_guidance() -> None:
    denoise, recorded = _guided(
        _always(_context(3.0)),
        negative=_context(5.0),
        cfg=7.0,
        guidance=Guidance(interval=(0.2, 0.5)),
    )
    for step in range(10):
        denoise(torch.zeros(1, 1, 1, 1), SIGMAS[:1], step)
    assert recorded.batches == [1, 1, 2, 2, 2, 1, 1, 1, 1, 1]


def test_below_its_sigma_every_other_evaluation_goes_unguided() -> None:
    denoise, recorded = _guided(
        _always(_context(3.0)), negative=_context(5.0), cfg=7.0, guidance=Guidance(ngms=1.0)
    )
    for step, sigma in enumerate((3.0, 2.0, 0.9, 0.5, 0.2, 0.1)):
        denoise(torch.zeros(1, 1, 1, 1), torch.tensor([sigma]), step)
    assert recorded.batches == [2, 2, 2, 1, 2, 1]


def test_what_is_there_without_guidance_can_be_asked_for() -> None:
    denoise, _ = _guided(_always(_context(3.0)), negative=_context(5.0), cfg=7.0)
    denoise(torch.zeros(1, 1, 1, 1), SIGMAS[:1], 0)
    assert denoise.uncond is not None and float(denoise.uncond) == 5.0


def test_rescaled_guidance_has_the_spread_of_the_prompt_alone() -> None:
    x, sigma = _randn(2, 4, 8, 8), SIGMAS
    prompted, guided = _randn(2, 4, 8, 8, seed=1), 7 * _randn(2, 4, 8, 8, seed=2)

    def spread(x0: Tensor) -> Tensor:
        s = sigma.view(-1, 1, 1, 1)
        scale = (s**2 + 1).rsqrt()
        return ((x * scale - x0 / scale) / s).std(dim=(1, 2, 3))

    whole = rescaled(guided, prompted, x=x, sigma=sigma, share=1.0)
    torch.testing.assert_close(spread(whole), spread(prompted))
    none = rescaled(guided, prompted, x=x, sigma=sigma, share=0.0)
    torch.testing.assert_close(none, guided, atol=1e-4, rtol=1e-4)


def _pointwise(x: Tensor, sigma: Tensor, step: int) -> Tensor:
    return torch.tanh(x) / sigma.view(-1, 1, 1, 1)


def _global(x: Tensor, sigma: Tensor, step: int) -> Tensor:
    return x - x.mean(dim=-1, keepdim=True)


@pytest.mark.parametrize(("width", "stride"), [(4, 4), (4, 2), (5, 3), (4, 1), (12, 5), (99, 9)])
def test_windows_of_a_pointwise_denoiser_are_the_denoiser(width: int, stride: int) -> None:
    x = _randn(2, 3, 4, 12)
    wide = windowed(_pointwise, width=width, stride=stride)
    torch.testing.assert_close(wide(x, SIGMAS, 0), _pointwise(x, SIGMAS, 0))


def test_each_column_is_the_mean_of_its_windows() -> None:
    x = torch.tensor([1.0, 2.0, 3.0, 6.0]).view(1, 1, 1, 4)
    means = {0: 1.5, 1: 2.5, 2: 4.5, 3: 3.5}  # of the windows (0 1) (1 2) (2 3) (3 0)
    expected = [x[0, 0, 0, k].item() - (means[k] + means[k - 1 if k else 3]) / 2 for k in range(4)]
    result = windowed(_global, width=2, stride=1)(x, SIGMAS[:1], 0)
    assert result.flatten().tolist() == pytest.approx(expected)


def test_windows_go_round() -> None:
    x, wide = _randn(2, 3, 4, 16), windowed(_global, width=6, stride=4)
    rolled = wide(x.roll(4, dims=-1), SIGMAS, 0)
    torch.testing.assert_close(rolled, wide(x, SIGMAS, 0).roll(4, dims=-1))


def test_a_picture_no_wider_than_a_window_goes_through_whole() -> None:
    x = _randn(2, 3, 4, 6)
    whole = windowed(_global, width=6, stride=3)(x, SIGMAS, 0)
    assert torch.equal(whole, _global(x, SIGMAS, 0))


def test_each_window_keeps_its_image_s_sigma() -> None:
    x = _randn(2, 1, 1, 8)
    seen = windowed(lambda x, s, step: s.view(-1, 1, 1, 1).expand_as(x), width=4, stride=2)
    torch.testing.assert_close(seen(x, SIGMAS, 0), SIGMAS.view(2, 1, 1, 1).expand_as(x))
