from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdcore.errors import RequestError
from sdcore.resize import Size, hires_size, placement, resized
from sdcore.types import Resize

PLACES: list[tuple[Resize, Size, Size, Size, tuple[int, int]]] = [
    # mode, source, target, scaled to, offset
    ("just resize", (100, 50), (64, 64), (64, 64), (0, 0)),
    ("just resize (latent)", (100, 50), (64, 64), (64, 64), (0, 0)),
    ("crop and resize", (100, 50), (64, 64), (128, 64), (-32, 0)),
    ("crop and resize", (50, 100), (64, 64), (64, 128), (0, -32)),
    ("crop and resize", (64, 64), (128, 128), (128, 128), (0, 0)),
    ("resize and fill", (100, 50), (64, 64), (64, 32), (0, 16)),
    ("resize and fill", (50, 100), (64, 64), (32, 64), (16, 0)),
    ("resize and fill", (30, 20), (64, 64), (64, 42), (0, 11)),
]


@pytest.mark.parametrize(("mode", "source", "target", "scaled", "offset"), PLACES)
def test_a_picture_is_placed_by_its_mode(
    mode: Resize, source: Size, target: Size, scaled: Size, offset: tuple[int, int]
) -> None:
    place = placement(source, target, mode)
    assert (place.scaled, place.offset) == (scaled, offset)
    assert resized(Image.new("RGB", source), target, mode).size == target


def test_filling_repeats_the_border_rows_to_the_last_one() -> None:
    pixels = np.repeat(np.arange(3, dtype=np.uint8)[:, None] * 50 + 20, 8, axis=1)
    filled = np.asarray(resized(Image.fromarray(pixels), (8, 8), "resize and fill"))
    assert filled[:, 0].tolist() == [20, 20, 20, 20, 70, 120, 120, 120]


def test_cropping_keeps_the_middle_untouched_where_nothing_is_scaled() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 100, 3), dtype=np.uint8)
    cropped = resized(Image.fromarray(pixels), (64, 64), "crop and resize")
    np.testing.assert_array_equal(np.asarray(cropped), pixels[:, 18:82])


HIRES = [
    # width, height, scale, resize to, target, upscaled, crop, result
    (512, 512, 2.0, (0, 0), (1024, 1024), (1024, 1024), (0, 0, 0, 0), (1024, 1024)),
    (512, 768, 1.3, (0, 0), (665, 998), (665, 998), (0, 0, 0, 0), (664, 992)),
    (512, 768, 9.0, (1024, 0), (1024, 1536), (1024, 1536), (0, 0, 0, 0), (1024, 1536)),
    (512, 768, 9.0, (0, 1024), (682, 1024), (682, 1024), (0, 0, 0, 0), (680, 1024)),
    (512, 512, 9.0, (1024, 768), (1024, 768), (1024, 1024), (0, 0, 16, 16), (1024, 768)),
    (512, 512, 9.0, (768, 1000), (768, 1000), (1000, 1000), (14, 15, 0, 0), (768, 1000)),
]


@pytest.mark.parametrize(("w", "h", "scale", "to", "target", "up", "crop", "size"), HIRES)
def test_hires_sizes_follow_the_table(
    w: int, h: int, scale: float, to: Size, target: Size, up: Size, crop: object, size: Size
) -> None:
    found = hires_size(w, h, scale=scale, resize_to=to)
    assert (found.target, found.upscaled, found.crop, found.size) == (target, up, crop, size)


def test_a_hires_pass_of_less_than_a_latent_is_refused() -> None:
    with pytest.raises(RequestError, match="at least 8 x 8"):
        hires_size(512, 512, scale=0.01)
