from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from PIL import Image

from sdcore.errors import RequestError, UnknownName
from sdcore.generate import generate
from sdcore.loopback import following, looped, strengths
from sdcore.models.checkpoint import Checkpoint
from sdcore.types import ImageRequest, Mask, Start


@pytest.mark.parametrize(
    ("loops", "first", "last", "curve", "expected"),
    [
        (1, 0.5, 0.9, "Linear", [0.5]),
        (2, 0.5, 0.9, "Aggressive", [0.5, 0.9]),
        (3, 0.2, 0.6, "Linear", [0.2, 0.4, 0.6]),
        (3, 0.0, 1.0, "Aggressive", [0.0, sqrt(0.5), 1.0]),
        (3, 0.0, 1.0, "Lazy", [0.0, 1 - sqrt(0.5), 1.0]),
        (4, 1.0, 0.0, "Lazy", [1.0, sqrt(0.75), 0.5, 0.0]),
        (4, 1.0, 0.0, "Aggressive", [1.0, 0.5, 1 - sqrt(0.75), 0.0]),
        (5, 0.7, 0.7, "Aggressive", [0.7] * 5),
    ],
)
def test_the_strengths_go_from_the_first_to_the_last_along_the_curve(
    loops: int, first: float, last: float, curve: str, expected: list[float]
) -> None:
    assert strengths(loops, first, last, curve=curve) == pytest.approx(expected)


@pytest.mark.parametrize("loops", [0, 33])
def test_loops_out_of_range_are_refused(loops: int) -> None:
    with pytest.raises(RequestError, match="give 1 to 32"):
        strengths(loops, 0.5, 0.5)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(RequestError, match="give 0 to 1"):
        strengths(2, 0.5, strength)


def test_an_unknown_curve_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UnknownName, match="nearest 'Lazy'"):
        strengths(2, 0.5, 0.5, curve="lazi")


def test_the_next_loop_begins_from_the_picture_with_the_next_seed() -> None:
    before, drawn = Image.new("RGB", (8, 8)), Image.new("RGB", (8, 8), "red")
    request = ImageRequest(
        prompt="a",
        seed=7,
        start=Start(image=before, strength=0.4, extra_noise=0.1),
        mask=Mask(image=Image.new("L", (8, 8)), content="latent noise", padding=9),
    )
    after = following(request, drawn, strength=0.6)
    assert after.start is not None and after.mask is not None
    assert (after.seed, after.start.image, after.start.strength) == (8, drawn, 0.6)
    assert (after.start.extra_noise, after.mask.padding) == (0.1, 9)
    assert after.mask.content == "original"


def test_without_a_mask_the_next_loop_has_none() -> None:
    picture = Image.new("RGB", (8, 8))
    request = ImageRequest(prompt="a", seed=1, start=Start(image=picture))
    assert following(request, picture, strength=0.5).mask is None


def test_a_loopback_without_a_picture_is_refused() -> None:
    with pytest.raises(RequestError, match="give the request a start"):
        following(replace(ImageRequest(prompt="a"), seed=1), Image.new("RGB", (8, 8)), strength=0.5)


NOISY = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8))
LOOP = ImageRequest(
    prompt="house", width=64, height=32, steps=3, seed=5, start=Start(image=NOISY, strength=0.8)
)


def test_each_loop_begins_from_the_one_before(checkpoint: Checkpoint) -> None:
    mask = Mask(image=Image.new("L", (64, 32), 255), content="latent noise")
    results = looped(checkpoint, replace(LOOP, mask=mask), loops=3, last=0.4)
    requests = [result.request for result in results]
    assert [request.seed for request in requests] == [5, 6, 7]
    assert [r.start.strength for r in requests if r.start] == pytest.approx([0.8, 0.6, 0.4])
    assert [r.mask.content for r in requests if r.mask] == ["latent noise", *["original"] * 2]
    again = generate(checkpoint, requests[2])
    assert again.images[0].tobytes() == results[2].images[0].tobytes()
    assert requests[2].start is not None and requests[2].start.image is results[1].images[0]


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (replace(LOOP, start=None), "a loopback needs a picture"),
        (replace(LOOP, batch=2), "a loopback makes one picture at a time: 2 were asked"),
    ],
)
def test_what_cannot_be_looped_is_refused(
    checkpoint: Checkpoint, request_: ImageRequest, sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        looped(checkpoint, request_)
