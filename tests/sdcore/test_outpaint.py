from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from sdcore.errors import RequestError
from sdcore.outpaint import DIRECTIONS, Direction, mk2, on_noise, poor_mans
from sdcore.resize import Size

RNG = np.random.default_rng(0)


def _noise(w: int, h: int) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (h, w, 3), dtype=np.uint8))


def _clouds(w: int, h: int) -> Image.Image:
    """Something smooth and coloured, from 40 to 200."""
    small = _noise(w // 16, h // 16).resize((w, h), Image.Resampling.BICUBIC)
    return small.point(lambda v: 40 + v * 160 // 255)


def _black_box(mask: Image.Image) -> tuple[int, int, int, int] | None:
    """Where a mask is black: left, top, right, bottom."""
    return mask.point(lambda v: 255 - v).getbbox()


POOR: list[tuple[Size, int, tuple[Direction, ...], Size, tuple[int, int, int, int], Size]] = [
    # picture, pixels, directions -> canvas, place of the picture, result
    ((512, 512), 128, DIRECTIONS, (768, 768), (128, 128, 640, 640), (768, 768)),
    ((512, 512), 128, ("left",), (640, 512), (128, 0, 640, 512), (640, 512)),
    ((512, 512), 128, ("right",), (640, 512), (0, 0, 512, 512), (640, 512)),
    # 500 + 2 * 100 = 700 -> 704: each side gets 102.
    ((500, 512), 100, ("left", "right"), (704, 512), (102, 0, 602, 512), (704, 512)),
    # 501 + 100 = 601 -> 640: all of the surplus goes where it grows.
    ((512, 501), 100, ("up",), (512, 640), (0, 139, 512, 640), (512, 640)),
    # 203 left over of an odd number: the second side has the larger part.
    ((501, 512), 100, ("left", "right"), (704, 512), (101, 0, 602, 512), (704, 512)),
    # A side that does not grow is rounded for the walk, and cut again.
    ((500, 500), 128, ("right",), (640, 512), (0, 0, 500, 500), (640, 500)),
]


@pytest.mark.parametrize(("size", "pixels", "directions", "canvas", "known", "result"), POOR)
def test_the_poor_mans_canvas_is_rounded_and_shared_out(
    size: Size,
    pixels: int,
    directions: tuple[Direction, ...],
    canvas: Size,
    known: tuple[int, int, int, int],
    result: Size,
) -> None:
    picture = _noise(*size)
    found = poor_mans(picture, tile=(512, 512), pixels=pixels, directions=directions)
    assert (found.canvas.size, found.known.box) == (canvas, known)
    assert found.canvas.crop(known).tobytes() == picture.tobytes()
    assert found.finish([job.picture for job in found.jobs]).size == result


def test_the_poor_mans_masks_reach_into_the_picture_on_the_sides_that_grow() -> None:
    found = poor_mans(
        _noise(512, 512), tile=(640, 640), pixels=128, blur=10, directions=("left", "up")
    )
    (job,) = found.jobs
    assert job.region.box == (0, 0, 640, 640)
    assert _black_box(job.mask) == (128 + 20, 128 + 20, 640, 640)
    assert _black_box(job.latent) == (128 + 5, 128 + 5, 640, 640)
    assert (job.blur, job.content) == ((20.0, 20.0), "fill")


def test_only_tiles_that_touch_new_ground_are_drawn() -> None:
    """Tiles of 512 with 128 of overlap on 1152 x 1024: 3 x 3, the middle one wholly known."""
    found = poor_mans(_noise(896, 768), tile=(512, 512), pixels=128)
    assert found.canvas.size == (1152, 1024)
    assert (found.plan.lefts, found.plan.tops) == ((0, 320, 640), (0, 256, 512))
    drawn = [job.region.box[:2] for job in found.jobs]
    assert len(drawn) == 8 and (320, 256) not in drawn


def test_the_tiles_are_joined_and_the_picture_far_from_the_seam_stays() -> None:
    picture = _noise(512, 512)
    found = poor_mans(picture, tile=(512, 512), directions=("right",))
    assert found.finish([job.picture for job in found.jobs]).tobytes() == found.canvas.tobytes()
    red = Image.new("RGB", (512, 512), (255, 0, 0))
    (job,) = found.jobs
    assert job.region.box == (128, 0, 640, 512)
    whole = found.finish([red])
    assert whole.crop((0, 0, 128, 512)).tobytes() == picture.crop((0, 0, 128, 512)).tobytes()
    assert whole.crop((256, 0, 640, 512)).tobytes() == red.crop((0, 0, 384, 512)).tobytes()


MK2: list[tuple[Direction, Size, tuple[int, ...], tuple[int, ...], tuple[int, ...], Any]] = [
    # direction -> canvas, the part drawn, black in its mask, and in that of the latents, blur
    ("left", (640, 384), (0, 0, 512, 384), (136, 0, 512, 384), (144, 0, 512, 384), (32, 0)),
    ("right", (640, 384), (128, 0, 640, 384), (0, 0, 376, 384), (0, 0, 368, 384), (32, 0)),
    ("up", (512, 512), (0, 0, 512, 256), (0, 136, 512, 256), (0, 144, 512, 256), (0, 32)),
    ("down", (512, 512), (0, 256, 512, 512), (0, 0, 512, 120), (0, 0, 512, 112), (0, 32)),
]


@pytest.mark.parametrize(("direction", "canvas", "region", "mask", "latent", "blur"), MK2)
def test_mk2_grows_one_side_and_draws_its_end(
    direction: Direction,
    canvas: Size,
    region: tuple[int, ...],
    mask: tuple[int, ...],
    latent: tuple[int, ...],
    blur: tuple[int, int],
) -> None:
    picture = _clouds(512, 384)
    found = mk2(picture, direction, tile=(512, 256), pixels=128)
    job = found.job
    assert (found.canvas.size, job.region.box) == (canvas, region)
    assert (_black_box(job.mask), _black_box(job.latent)) == (mask, latent)
    assert (job.blur, job.content) == (blur, "original")
    whole = found.finish(job.picture)
    assert whole.size == canvas
    x0, y0, x1, y1 = region
    x0, y0, x1, y1 = (m + at for m, at in zip(mask, (x0, y0, x0, y0), strict=True))
    kept = whole.crop((x0, y0, x1, y1))
    moved = tuple(n - at for n, at in zip((x0, y0, x1, y1), found.known.box[:2] * 2, strict=True))
    assert kept.tobytes() == picture.crop(moved).tobytes()  # type: ignore[arg-type]


def test_mk2_cuts_off_what_was_rounded_up() -> None:
    found = mk2(_clouds(500, 340), "right", tile=(512, 512), pixels=100)
    assert found.canvas.size == (640, 384)
    assert found.finish(found.job.picture).size == (600, 340)


def test_mk2s_noise_has_the_pictures_colours_and_is_the_same_each_time() -> None:
    picture = _clouds(256, 256)
    first, second = (mk2(picture, "right", tile=(512, 512), pixels=128) for _ in range(2))
    assert first.canvas.tobytes() == second.canvas.tobytes()
    new = np.asarray(first.canvas.crop((256, 0, 384, 256)), np.float64).reshape(-1, 3)
    old = np.asarray(picture, np.float64)[:, :248].reshape(-1, 3)
    for share in (5, 25, 50, 75, 95):
        np.testing.assert_allclose(
            np.percentile(new, share, axis=0), np.percentile(old, share, axis=0), atol=12
        )
    assert new.std() > 10


def _detail(falloff: float) -> float:
    """How much neighbours differ in the noise, against its spread."""
    found = mk2(_clouds(256, 256), "right", tile=(512, 512), pixels=128, falloff=falloff)
    new = np.asarray(found.canvas.convert("L").crop((256, 0, 384, 256)), np.float64)
    return float(np.abs(np.diff(new, axis=0)).mean() / new.std())


def test_a_higher_fall_off_makes_the_noise_coarser() -> None:
    assert _detail(2.0) < _detail(1.0) < 0.7 * _detail(0.0)


def test_colour_variation_is_what_differs_between_the_channels() -> None:
    grey = _clouds(256, 256).convert("L").convert("RGB")
    mask = Image.new("L", (256, 256))
    mask.paste(255, (128, 0, 256, 256))

    def spread(variation: float) -> float:
        new = np.asarray(on_noise(grey, mask, falloff=1.0, variation=variation), np.float64)
        return float(np.ptp(new[:, 128:], axis=2).mean())

    assert spread(0.0) < 1 < spread(0.2) < spread(1.0)


def test_nothing_known_or_nothing_new_is_no_reason_to_fail() -> None:
    picture = _noise(64, 64)
    same = on_noise(picture, Image.new("L", (64, 64)), falloff=1, variation=0)
    assert same.tobytes() == picture.tobytes()
    on_noise(Image.new("RGB", (64, 64)), Image.new("L", (64, 64), 255), falloff=0, variation=1)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"pixels": 4}, "give 8 to 256"),
    ({"pixels": 300}, "give 8 to 256"),
    ({"blur": -1}, "give 0 to 64"),
    ({"falloff": 5.0}, "give 0 to 4"),
    ({"falloff": float("nan")}, "give 0 to 4"),
    ({"variation": 1.5}, "give 0 to 1"),
]


@pytest.mark.parametrize(("change", "sentence"), REFUSED)
def test_what_is_out_of_range_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        mk2(_noise(64, 64), "left", tile=(64, 64), **change)


def test_a_side_that_is_none_is_refused() -> None:
    with pytest.raises(RequestError, match="to inside: give one or more of left, right, up, down"):
        mk2(_noise(64, 64), "inside", tile=(64, 64))  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="to no side"):
        poor_mans(_noise(64, 64), tile=(64, 64), pixels=8, directions=())
    with pytest.raises(RequestError, match="in tiles of 64 x 64"):
        poor_mans(_noise(64, 64), tile=(64, 64), pixels=64)
