from __future__ import annotations

from math import exp

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from sdcore import masking
from sdcore.errors import RequestError
from sdcore.masking import Region, prepare
from sdcore.resize import resized
from sdcore.types import Content, Mask, Resize, Soft

RNG = np.random.default_rng(0)


def _noise(w: int, h: int) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (h, w, 3), dtype=np.uint8))


def _white(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    """Black, but for a white box whose right and lower edges lie outside."""
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask


def test_a_mask_is_its_transparency_where_it_has_any_and_its_grey_where_not() -> None:
    pixels = np.zeros((1, 3, 4), dtype=np.uint8)
    pixels[0, :, 3] = (128, 129, 255)
    mask = Image.fromarray(pixels)
    assert np.asarray(masking.prepared(mask)).tolist() == [[0, 255, 255]]
    assert np.asarray(masking.prepared(mask, rounded=False)).tolist() == [[128, 129, 255]]
    assert np.asarray(masking.prepared(mask, inverted=True)).tolist() == [[255, 0, 0]]
    pixels[0, :, 3] = 255
    pixels[0, 1, :3] = 200
    assert np.asarray(masking.prepared(Image.fromarray(pixels))).tolist() == [[0, 200, 0]]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_point_is_blurred_along_one_axis_by_a_gaussian_cut_at_two_and_a_half_sigma(
    axis: int,
) -> None:
    point = Image.new("L", (31, 31))
    point.putpixel((15, 15), 255)
    blur = (0.0, 2.0) if axis == 0 else (2.0, 0.0)
    found = np.asarray(masking.prepared(point, blur=blur)).astype(int)
    line = found[:, 15] if axis == 0 else found[15]
    weights = np.array([exp(-(x**2) / 8) for x in range(-5, 6)])
    assert line[10:21].tolist() == np.rint(255 * weights / weights.sum()).astype(int).tolist()
    assert found.sum() == line[10:21].sum()  # the kernel has 11 taps, and nothing is off the line


def test_a_mask_blurred_at_the_edge_is_mirrored_there() -> None:
    mask = _white((9, 1), (1, 0, 2, 1))
    line = np.asarray(masking.prepared(mask, blur=(0.4, 0.0)))[0].astype(int)
    side = exp(-1 / (2 * 0.4**2))  # radius 1: three taps
    kernel = np.rint(255 * np.array([2 * side, 1, side]) / (1 + 2 * side)).astype(int)
    # Column 0 sees column 1 twice: itself, and mirrored without the edge being repeated.
    assert line[:4].tolist() == [*kernel.tolist(), 0]


REGIONS = [
    # white box, padding -> region, then expanded to 2:1 inside 100 x 80, then to 1:2
    ((40, 30, 60, 40), 0, (40, 30, 60, 40), (40, 30, 60, 40), (40, 15, 60, 55)),
    ((40, 30, 60, 40), 10, (30, 20, 70, 50), (20, 20, 80, 50), (30, 0, 70, 80)),
    ((0, 0, 10, 10), 5, (0, 0, 15, 15), (0, 0, 30, 15), (0, 0, 15, 30)),
    ((95, 75, 100, 80), 5, (90, 70, 100, 80), (80, 70, 100, 80), (90, 60, 100, 80)),
    ((50, 0, 51, 80), 0, (50, 0, 51, 80), (0, 0, 100, 80), (31, 0, 71, 80)),
]


@pytest.mark.parametrize(("box", "padding", "region", "wide", "high"), REGIONS)
def test_the_part_is_padded_and_grown_inside_the_picture(
    box: tuple[int, int, int, int],
    padding: int,
    region: tuple[int, int, int, int],
    wide: tuple[int, int, int, int],
    high: tuple[int, int, int, int],
) -> None:
    found = masking.crop_region(_white((100, 80), box), padding)
    assert found is not None and found.box == region
    assert masking.expanded(found, aspect=(2, 1), within=(100, 80)).box == wide
    assert masking.expanded(found, aspect=(1, 2), within=(100, 80)).box == high


def test_a_black_mask_has_no_part() -> None:
    assert masking.crop_region(Image.new("L", (8, 8)), 4) is None


def test_any_region_grows_to_the_aspect_around_itself_or_to_the_whole_side() -> None:
    for _ in range(300):
        w, h = (int(n) for n in RNG.integers(20, 200, 2))
        x0, y0 = int(RNG.integers(0, w - 1)), int(RNG.integers(0, h - 1))
        region = Region(
            x0=x0, y0=y0, x1=int(RNG.integers(x0 + 1, w + 1)), y1=int(RNG.integers(y0 + 1, h + 1))
        )
        a, b = (int(n) for n in RNG.integers(1, 9, 2))
        grown = masking.expanded(region, aspect=(a, b), within=(w, h))
        assert 0 <= grown.x0 <= region.x0 and region.x1 <= grown.x1 <= w
        assert 0 <= grown.y0 <= region.y0 and region.y1 <= grown.y1 <= h
        gw, gh = grown.size
        assert abs(gw * b - gh * a) < max(a, b) or gw == w or gh == h


def test_the_mask_of_latents_is_rounded_unless_it_is_soft() -> None:
    mask = Image.new("L", (16, 16), 153)
    assert masking.latent_mask(mask, (2, 2)).tolist() == torch.ones(1, 1, 2, 2).tolist()
    soft = masking.latent_mask(mask, (2, 4), rounded=False)
    assert soft.shape == (1, 1, 4, 2)
    torch.testing.assert_close(soft, torch.full_like(soft, 0.6))


def test_a_masked_hole_is_filled_with_what_surrounds_it() -> None:
    """The hole's own colour has no share, and what is known stays bit for bit."""
    plain = Image.new("RGB", (64, 48), (200, 100, 50))
    holed = plain.copy()
    mask = _white((64, 48), (20, 10, 40, 30))
    holed.paste((0, 255, 255), mask=mask)
    assert masking.filled(holed, mask).tobytes() == plain.tobytes()
    picture = _noise(64, 48)
    filled = np.asarray(masking.filled(picture, mask))
    known = np.asarray(mask) == 0
    np.testing.assert_array_equal(filled[known], np.asarray(picture)[known])


def test_a_filling_is_near_to_the_nearer_side() -> None:
    pixels = np.zeros((40, 120, 3), dtype=np.uint8)
    pixels[:, 60:] = 200
    filled = np.asarray(
        masking.filled(Image.fromarray(pixels), _white((120, 40), (20, 0, 100, 40)))
    ).astype(int)
    line = filled[20, :, 0]
    assert line[21] < 20 and line[98] > 180
    assert (np.diff(line) >= 0).all()


def test_where_nothing_is_known_the_filling_is_mid_grey() -> None:
    filled = masking.filled(_noise(8, 8), Image.new("L", (8, 8), 255))
    assert set(filled.tobytes()) == {128}


CONTENTS: list[Content] = ["original", "fill", "latent noise", "latent nothing"]
RESIZES: list[Resize] = [
    "just resize",
    "crop and resize",
    "resize and fill",
    "just resize (latent)",
]


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("only_masked", [False, True])
def test_outside_of_the_mask_every_pixel_is_the_originals(
    content: Content, only_masked: bool
) -> None:
    picture, result = _noise(96, 80), _noise(64, 64)
    mask = Mask(
        image=_white((96, 80), (30, 20, 50, 60)),
        content=content,
        blur=(2.0, 3.0),
        only_masked=only_masked,
        padding=7,
    )
    ready = prepare(picture, mask, (64, 64))
    whole = np.asarray(ready.finish(result))
    expected = picture if only_masked else picture.resize((64, 64), Image.Resampling.LANCZOS)
    assert ready.overlay is not None
    outside = np.asarray(ready.overlay) == 0
    assert 0.3 < outside.mean() < 0.95
    np.testing.assert_array_equal(whole[outside], np.asarray(expected)[outside])
    assert (whole[~outside] != np.asarray(expected)[~outside]).any(axis=-1).mean() > 0.5


@pytest.mark.parametrize("resize", RESIZES)
def test_the_whole_picture_and_its_mask_are_brought_to_the_requests_size(resize: Resize) -> None:
    picture, mask = _noise(100, 60), Mask(image=_white((100, 60), (10, 10, 40, 40)))
    ready = prepare(picture, mask, (64, 64), resize=resize)
    assert ready.mask is not None and ready.overlay is not None
    assert ready.mask.size == ready.overlay.size == ready.original.size == (64, 64)
    assert ready.picture.size == ((100, 60) if resize == "just resize (latent)" else (64, 64))
    assert ready.finish(_noise(64, 64)).size == (64, 64)


def test_the_overlay_of_a_whole_picture_is_twice_the_blurred_mask() -> None:
    mask = Mask(image=_white((64, 64), (16, 16, 48, 48)), blur=(4.0, 4.0))
    ready = prepare(_noise(64, 64), mask, (64, 64))
    assert ready.mask is not None and ready.overlay is not None
    twice = (np.asarray(ready.mask).astype(int) * 2).clip(0, 255)
    np.testing.assert_array_equal(np.asarray(ready.overlay), twice)


def test_only_the_masked_part_is_drawn_and_laid_back_where_it_was() -> None:
    """40 x 20 white with 10 of padding, at 1:1, is 60 x 60, and there nothing is resampled."""
    picture = _noise(128, 128)
    mask = Mask(
        image=_white((128, 128), (40, 60, 80, 80)), blur=(0.0, 0.0), only_masked=True, padding=10
    )
    ready = prepare(picture, mask, (60, 60))
    assert ready.region == Region(x0=30, y0=40, x1=90, y1=100)
    assert ready.picture.tobytes() == picture.crop((30, 40, 90, 100)).tobytes()
    red = ready.finish(Image.new("RGB", (60, 60), (255, 0, 0)))
    expected = picture.copy()
    expected.paste((255, 0, 0), (40, 60, 80, 80))
    assert red.tobytes() == expected.tobytes()


def test_what_comes_back_unchanged_changes_nothing() -> None:
    picture = _noise(128, 96)
    mask = Mask(image=_white((128, 96), (3, 5, 60, 50)), blur=(0.0, 0.0), only_masked=True)
    ready = prepare(picture, mask, (92, 82))
    assert ready.region is not None and ready.region.box == (0, 0, 92, 82)
    assert ready.finish(ready.picture).tobytes() == picture.tobytes()


def test_a_blank_mask_with_only_its_part_asked_for_is_plain_img2img_and_says_so() -> None:
    mask = Mask(image=Image.new("L", (80, 60)), only_masked=True)
    picture, result = _noise(80, 60), _noise(64, 64)
    ready = prepare(picture, mask, (64, 64))
    assert ready.mask is None and ready.region is None and "blank" in ready.note
    assert ready.picture.tobytes() == resized(picture, (64, 64)).tobytes()
    assert ready.finish(result) is result


def test_a_soft_masks_transparency_is_not_rounded() -> None:
    grey = Image.new("RGBA", (16, 16), (0, 0, 0, 200))
    soft = prepare(_noise(16, 16), Mask(image=grey, blur=(0, 0), soft=Soft()), (16, 16))
    hard = prepare(_noise(16, 16), Mask(image=grey, blur=(0, 0)), (16, 16))
    assert soft.mask is not None and soft.mask.getextrema() == (200, 200)
    assert hard.mask is not None and hard.mask.getextrema() == (255, 255)


@pytest.mark.parametrize("only_masked", [False, True])
def test_a_share_of_its_own_lays_the_result_in_but_never_outside_of_the_mask(
    only_masked: bool,
) -> None:
    picture, result = _noise(64, 64), _noise(64, 64)
    mask = Mask(
        image=_white((64, 64), (16, 16, 48, 48)),
        blur=(0.0, 0.0),
        only_masked=only_masked,
        padding=0,
    )
    ready = prepare(picture, mask, (32, 32) if only_masked else (64, 64))
    left = Image.fromarray(np.repeat(np.uint8([[255, 255, 0, 0]]), 4, axis=0))
    laid = np.asarray(ready.laid_by(left).finish(result))
    inside = np.s_[16:48, 16:24] if only_masked else np.s_[16:48, 16:20]
    kept = np.asarray(mask.image) == 0
    np.testing.assert_array_equal(laid[kept], np.asarray(picture)[kept])
    new = np.asarray(ready.finish(result))
    np.testing.assert_array_equal(laid[inside], new[inside])
    right = np.s_[16:48, 44:48]
    np.testing.assert_array_equal(laid[right], np.asarray(picture)[right])


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(RequestError, match="8 x 8 pixels on a picture of 16 x 16"):
        prepare(_noise(16, 16), Mask(image=Image.new("L", (8, 8))), (16, 16))


def test_the_walk_may_draw_elsewhere_than_where_its_result_shows() -> None:
    picture = _noise(64, 64)
    mask = Mask(image=_white((64, 64), (0, 0, 40, 64)), blur=(0.0, 0.0), content="fill")
    latent = _white((64, 64), (0, 0, 24, 64))
    ready = prepare(picture, mask, (64, 64), latent=latent)
    assert ready.mask is not None and ready.mask.tobytes() == latent.tobytes()
    assert ready.overlay is not None and ready.overlay.tobytes() == mask.image.tobytes()
    kept = np.asarray(latent) == 0
    np.testing.assert_array_equal(np.asarray(ready.picture)[kept], np.asarray(picture)[kept])
    assert (np.asarray(ready.picture)[~kept] != np.asarray(picture)[~kept]).mean() > 0.9
    with pytest.raises(RequestError, match="mask of 8 x 8"):
        prepare(picture, mask, (64, 64), latent=Image.new("L", (8, 8)))


def test_a_sketch_masks_what_was_painted_and_nothing_else() -> None:
    picture = Image.new("RGB", (40, 40), (10, 20, 30))
    painted = picture.copy()
    ImageDraw.Draw(painted).rectangle((10, 10, 19, 29), fill=(250, 0, 0))
    start, mask = masking.sketched(picture, painted, blur=0)
    assert start.tobytes() == painted.tobytes()
    assert mask.tobytes() == _white((40, 40), (10, 10, 20, 30)).tobytes()
    half, faint = masking.sketched(picture, painted, transparency=0.4, blur=0)
    assert faint.getextrema() == (0, 153)
    assert half.getpixel((15, 15)) == (154, 8, 12)
    blurred, _ = masking.sketched(picture, painted, blur=2.0)
    assert blurred.getpixel((39, 39)) == (10, 20, 30)
    assert blurred.getpixel((9, 20)) not in ((10, 20, 30), (250, 0, 0))
