from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sdcore.conditioning import Conditioning, Context, Timeline
from sdcore.guidance import Guided, rescaled
from sdcore.types import Guidance

SIGMAS = torch.tensor([0.5, 3.0])


def _randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


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


def test_a_picture_that_is_shown_pulls_from_the_network_that_does_not_see_it() -> None:
    """Brooks et al. 2023, eq. 3: u + s_image (see - u) + s (c - see)."""

    def blind(x: Tensor, sigma: Tensor, context: Context) -> Tensor:
        return torch.full_like(x, 2.0)

    for cfg, image_cfg in ((7.0, 1.5), (1.0, 1.5), (7.0, 0.0)):
        guided, _ = _guided(
            _always(_context(3.0)),
            negative=_context(5.0),
            cfg=cfg,
            guidance=Guidance(image_cfg=image_cfg),
        )
        x0 = replace(guided, blind=blind)(_randn(1, 4, 2, 2), SIGMAS[:1], 0)
        expected = 2 + image_cfg * (5 - 2) + cfg * (3 - 5)
        torch.testing.assert_close(x0, torch.full_like(x0, expected))
