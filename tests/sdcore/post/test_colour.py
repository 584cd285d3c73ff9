from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdcore.post.colour import LUMA, corrected, with_luminosity

RNG = np.random.default_rng(0)


def _noise(low: int, high: int, *, w: int = 48, h: int = 32) -> Image.Image:
    return Image.fromarray(RNG.integers(low, high, (h, w, 3), dtype=np.uint8))


def _luma(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, np.float64) @ LUMA


def test_a_picture_corrected_to_itself_stays_as_it_is() -> None:
    picture = _noise(0, 256)
    found = np.asarray(corrected(picture, picture)).astype(int)
    assert np.abs(found - np.asarray(picture).astype(int)).max() <= 1


def test_the_luminosity_stays_the_pictures_own() -> None:
    picture = _noise(60, 200)
    found = corrected(picture, _noise(100, 180, w=20, h=20))
    assert np.abs(_luma(found) - _luma(picture)).max() < 1


def test_a_tint_goes_and_the_references_takes_its_place() -> None:
    """The reference is the picture before it was tinted: it comes back but for its luminosity."""
    values = np.clip(RNG.normal(128, 20, (64, 64, 3)), 0, 255)
    clean = Image.fromarray(values.astype(np.uint8))
    tinted = Image.fromarray((values * (1.0, 1.0, 0.7)).clip(0, 255).astype(np.uint8))
    before = np.asarray(tinted, np.float64).mean((0, 1)) - np.asarray(clean, np.float64).mean(
        (0, 1)
    )
    after = np.asarray(corrected(tinted, clean), np.float64).mean((0, 1))
    after -= np.asarray(clean, np.float64).mean((0, 1))
    assert np.ptp(before) > 35
    assert np.ptp(after) < 3


@pytest.mark.parametrize(
    ("colour", "luminosity", "expected"),
    [
        # Nothing to clip: every channel moves by 0.2.
        ((0.2, 0.2, 0.2), 0.4, (0.4, 0.4, 0.4)),
        ((0.5, 0.4, 0.3), 0.3 * 0.5 + 0.59 * 0.4 + 0.11 * 0.3 + 0.2, (0.7, 0.6, 0.5)),
        # Blue (luminosity 0.11) moved to 0.5 is (0.39, 0.39, 1.39): greyer by 0.5 / 0.89.
        (
            (0.0, 0.0, 1.0),
            0.5,
            (0.5 - 0.11 * 0.5 / 0.89, 0.5 - 0.11 * 0.5 / 0.89, 1.0),
        ),
        # Yellow (0.89) moved to 0.5 is (0.61, 0.61, -0.39): greyer by 0.5 / 0.89.
        ((1.0, 1.0, 0.0), 0.5, (0.5 + 0.11 * 0.5 / 0.89, 0.5 + 0.11 * 0.5 / 0.89, 0.0)),
        ((1.0, 0.0, 0.0), 0.0, (0.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), 1.0, (1.0, 1.0, 1.0)),
    ],
)
def test_a_luminosity_is_set_as_the_standard_says(
    colour: tuple[float, ...], luminosity: float, expected: tuple[float, ...]
) -> None:
    found = with_luminosity(np.array([[colour]]), np.array([[luminosity]]))
    np.testing.assert_allclose(found[0, 0], expected, atol=1e-12)


def test_extreme_colours_stay_in_range_and_warn_of_nothing() -> None:
    corners = np.array([[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)], np.uint8)
    picture = Image.fromarray(corners[None].repeat(4, 0))
    assert corrected(picture, _noise(0, 256)).size == picture.size
    assert corrected(_noise(0, 256), picture).size == (48, 32)
