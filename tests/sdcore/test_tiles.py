from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdcore.errors import RequestError
from sdcore.resize import Size
from sdcore.tiles import joined, split, tiles

RNG = np.random.default_rng(0)

PLANS = [
    # size, tile, overlap -> lefts, tops
    ((1024, 1024), (512, 512), 64, (0, 256, 512), (0, 256, 512)),
    ((960, 512), (512, 512), 64, (0, 448), (0,)),
    ((1000, 700), (512, 512), 64, (0, 244, 488), (0, 188)),
    ((300, 900), (512, 512), 64, (0,), (0, 388)),
    ((10, 4), (4, 4), 0, (0, 3, 6), (0,)),
]


@pytest.mark.parametrize(("size", "tile", "overlap", "lefts", "tops"), PLANS)
def test_tiles_are_as_few_as_cover_the_picture(
    size: Size, tile: Size, overlap: int, lefts: tuple[int, ...], tops: tuple[int, ...]
) -> None:
    plan = tiles(size, tile, overlap=overlap)
    assert (plan.lefts, plan.tops) == (lefts, tops)
    for starts, side, length in ((lefts, plan.tile[0], size[0]), (tops, plan.tile[1], size[1])):
        assert starts[0] == 0 and starts[-1] + side == length
        assert all(
            after <= before + side - overlap
            for before, after in zip(starts, starts[1:], strict=False)
        )


def test_what_is_split_is_joined_bit_for_bit() -> None:
    for _ in range(40):
        w, h, tile_w, tile_h = (int(n) for n in RNG.integers(9, 120, 4))
        overlap = int(RNG.integers(0, min(tile_w, tile_h)))
        picture = Image.fromarray(RNG.integers(0, 256, (h, w, 3), dtype=np.uint8))
        plan = tiles((w, h), (tile_w, tile_h), overlap=overlap)
        parts = split(picture, plan)
        assert {part.size for part in parts} == {plan.tile}
        assert joined(plan, parts).tobytes() == picture.tobytes()


def test_one_tile_goes_over_into_the_next_by_a_linear_ramp() -> None:
    plan = tiles((12, 8), (8, 8), overlap=4)
    assert plan.lefts == (0, 4)
    low, high = Image.new("RGB", (8, 8), (0, 0, 0)), Image.new("RGB", (8, 8), (240, 240, 240))
    line = np.asarray(joined(plan, [low, high]))[3, :, 0]
    assert line.tolist() == [0, 0, 0, 0, 30, 90, 150, 210, 240, 240, 240, 240]


def test_an_overlap_as_large_as_a_tile_is_refused() -> None:
    with pytest.raises(RequestError, match="from 0 to 63"):
        tiles((512, 512), (64, 64), overlap=64)
