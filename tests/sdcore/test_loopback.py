from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest
from PIL import Image

from sdcore.errors import RequestError, UnknownName
from sdcore.loopback import following, strengths
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
