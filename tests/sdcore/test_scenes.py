"""Words that change along x, and requests between two others. Random weights: plumbing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from sdcore import infotext
from sdcore.conditioning import Context, Moment
from sdcore.errors import RequestError
from sdcore.generate import generate
from sdcore.interpolate import between
from sdcore.models.checkpoint import Checkpoint
from sdcore.noise import ImageNoise, slerp
from sdcore.scenes import Between, Staged, weights
from sdcore.types import ImageRequest, ImageResult, Scene, Window

A = ImageRequest(prompt="a cat", seed=3, width=64, height=64, steps=2, cfg=4.0, sampler="Euler")
B = replace(A, prompt="a dog, at night", negative="grey", seed=5, cfg=2.0)
# Two windows that never touch: each half is drawn by itself.
HALVES = Window(width=32, stride=32, closed=False)


def _pixels(result: ImageResult) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(result.images[0])


def _latents(checkpoint: Checkpoint, request: ImageRequest) -> Tensor:
    """What the last step left: the autoencoder's norms would let the halves know each other."""
    seen: list[Tensor] = []
    generate(checkpoint, request, on_step=lambda step: seen.append(step.x0))
    return seen[-1]


def test_weights_sum_to_one_and_ramp_over_their_span() -> None:
    scenes = (
        Scene(prompt="b", span=(16, 48)),
        Scene(prompt="c", span=(80, 80)),
        Scene(prompt="d", share=0.25),
    )
    found = weights(scenes, columns=12, factor=8)
    torch.testing.assert_close(found.sum(0), torch.ones(12, dtype=torch.float64))
    rest = found[:3] / 0.75
    assert rest[1, :2].tolist() == [0, 0] and rest[1, 2:6].tolist() == [0.125, 0.375, 0.625, 0.875]
    assert rest[1, 6:10].tolist() == [1, 1, 1, 1] and rest[2, 10:].tolist() == [1, 1]
    assert found[3].tolist() == [0.25] * 12


def test_each_half_of_a_picture_is_that_of_its_own_scene(checkpoint: Checkpoint) -> None:
    scene = Scene(prompt=B.prompt, negative=B.negative, cfg=B.cfg, span=(32, 32))
    told = replace(A, window=HALVES)
    both = _latents(checkpoint, replace(told, scenes=(scene,)))
    first = _latents(checkpoint, told)
    second = _latents(checkpoint, replace(told, prompt=B.prompt, negative="grey", cfg=2.0))
    torch.testing.assert_close(both[..., :4], first[..., :4])
    torch.testing.assert_close(both[..., 4:], second[..., 4:])
    assert (first - second).abs().mean() > 1e-3


def test_the_ends_of_a_way_are_the_two_requests_themselves(checkpoint: Checkpoint) -> None:
    assert between(A, B, 0.0) == A and between(A, B, 1.0) == B
    ends = [_pixels(generate(checkpoint, request)).astype(float) for request in (A, B)]
    near = [
        _pixels(generate(checkpoint, between(A, B, share))).astype(float)
        for share in (1e-6, 0.5, 1 - 1e-6)
    ]
    assert np.abs(near[0] - ends[0]).max() <= 1 and np.abs(near[2] - ends[1]).max() <= 1
    assert all(np.abs(near[1] - end).mean() > 1 for end in ends)


def test_what_cannot_be_between_is_refused() -> None:
    with pytest.raises(RequestError, match="share of 2"):
        between(A, B, 2.0)
    with pytest.raises(RequestError, match="seed of -1"):
        between(A, replace(B, seed=-1), 0.5)
    with pytest.raises(RequestError, match="differ in more"):
        between(A, replace(B, steps=7), 0.5)


@pytest.mark.parametrize(
    ("scenes", "words"),
    [
        ((Scene(prompt="b", span=(40, 30)),), "from 40 to 30"),
        ((Scene(prompt="b", span=(0, 40)), Scene(prompt="c", span=(0, 30))), "from 0 to 30"),
        ((Scene(prompt="b", span=(0, 65)),), "from 0 to 65"),
        ((Scene(prompt="b", share=1.5),), "share of 1.5"),
    ],
)
def test_scenes_that_cannot_be_are_refused(
    checkpoint: Checkpoint, scenes: tuple[Scene, ...], words: str
) -> None:
    with pytest.raises(RequestError, match=words):
        generate(checkpoint, replace(A, scenes=scenes))


def test_scenes_stand_in_the_text_of_a_picture(checkpoint: Checkpoint) -> None:
    window = Window(width=32, stride=16, closed=False)
    scenes = (
        Scene(prompt='b, "c": d', span=(8, 40)),
        Scene(prompt="e", negative="f", seed=7, cfg=1.5, share=0.5, morphs=True),
    )
    request = replace(A, scenes=scenes, window=window)
    assert infotext.read(infotext.text(request)).request == request
    assert infotext.read("a cat\nSteps: 2, Sampler: Euler, Scenes: [3]").request.scenes == ()


def test_noise_goes_along_its_arc_column_by_column() -> None:
    share = torch.tensor([0.0, 0.25, 0.5, 1.0])
    a, b = (ImageNoise([s], (4, 8, 4), device=torch.device("cpu"))()[0] for s in (1, 2))
    along = ImageNoise([1], (4, 8, 4), device=torch.device("cpu"), toward=[(2, share)])()[0]
    for column, part in enumerate(share.tolist()):
        torch.testing.assert_close(along[..., column], slerp(a, b, part)[..., column])
    torch.testing.assert_close(along[..., 0], a[..., 0])
    torch.testing.assert_close(along[..., 3], b[..., 3])


class _Said:
    def __init__(self, *values: float, tokens: int = 3) -> None:
        contexts = [Context(tokens=torch.full((1, tokens, 2), v)) for v in values]
        self._moment = Moment(positive=tuple((1.0, c) for c in contexts), negative=contexts[0])

    def at(self, step: int) -> Moment:
        return self._moment


def test_contexts_lie_on_a_line_and_parts_by_weights() -> None:
    ((weight, context),) = Between(a=_Said(1.0), b=_Said(3.0), share=0.25).at(0).positive
    assert weight == 1 and context.tokens.unique().tolist() == [1.5]
    parts = Between(a=_Said(1.0), b=_Said(3.0, 5.0), share=0.25).at(0).positive
    assert [weight for weight, _ in parts] == [0.75, 0.25, 0.25]
    unlike = Between(a=_Said(1.0), b=_Said(3.0, tokens=6), share=0.75).at(0)
    assert [weight for weight, _ in unlike.positive] == [0.25, 0.75]
    assert unlike.negative.tokens.shape[1] == 6


def test_a_window_within_one_scene_asks_that_one_alone() -> None:
    def flat(value: float) -> object:
        def x0(x: Tensor, sigma: Tensor, step: int) -> Tensor:
            return torch.full_like(x, value)

        return x0

    shares = weights((Scene(prompt="b", span=(16, 48)),), columns=8, factor=8)
    asked: list[float] = []

    def between(scene: int, share: float) -> object:
        asked.append(share)
        return flat(9.0)

    own = [flat(0.0), flat(1.0)]
    x, sigma = torch.zeros(1, 1, 1, 4), torch.ones(1)
    blended = Staged(own, shares, [False], between)  # type: ignore[arg-type]
    assert blended.at(torch.arange(2)) is own[0] and blended.at(torch.arange(6, 8)) is own[1]
    mixed = blended.at(torch.arange(2, 6))(x, sigma, 0)
    torch.testing.assert_close(mixed.flatten(), torch.tensor([0.125, 0.375, 0.625, 0.875]))
    morphing = Staged(own, shares, [True], between)  # type: ignore[arg-type]
    assert morphing.at(torch.arange(2, 6))(x, sigma, 0).unique().tolist() == [9.0]
    assert asked == [0.5]
