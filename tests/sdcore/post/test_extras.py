from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from sdcore.errors import RequestError
from sdcore.post.extras import Extras, Faces, enhanced, target
from sdcore.post.faces import Restorer
from sdcore.post.upscale import UPSCALERS, upscaled_by_two
from sdcore.resize import Size

RNG = np.random.default_rng(0)


def _noise(w: int, h: int) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (h, w, 3), dtype=np.uint8))


NEAREST = Extras(upscaler=UPSCALERS["Nearest"])

TARGETS: list[tuple[Size, dict[str, Any], Size | float, Size]] = [
    # picture, what is asked -> what it grows to, result
    ((64, 48), {"to": 2.0}, 2.0, (128, 96)),
    ((64, 48), {"to": (96, 96)}, (128, 96), (96, 96)),
    ((64, 48), {"to": (96, 96), "crop": False}, (128, 96), (128, 96)),
    ((64, 48), {"to": 4.0, "max_side": 200}, (200, 150), (200, 150)),
    ((64, 48), {"to": 2.0, "max_side": 200}, 2.0, (128, 96)),
    ((64, 48), {"to": (96, 96), "max_side": 200}, (128, 96), (96, 96)),
    ((64, 48), {"to": (400, 300), "max_side": 200}, (200, 150), (200, 150)),
]


@pytest.mark.parametrize(("size", "asked", "to", "result"), TARGETS)
def test_a_picture_grows_by_a_factor_or_covers_a_size_and_is_cut(
    size: Size, asked: dict[str, Any], to: Size | float, result: Size
) -> None:
    extras = replace(NEAREST, **asked)
    assert target(size, extras) == to
    assert enhanced(_noise(*size), extras).picture.size == result


def test_the_middle_is_kept_where_it_is_cut() -> None:
    picture = _noise(64, 48)
    found = np.asarray(enhanced(picture, replace(NEAREST, to=(96, 96))).picture)
    whole = np.asarray(picture).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(found, whole[:, 16:112])


def test_a_second_upscaler_is_laid_over_by_its_share() -> None:
    picture, two = _noise(32, 32), (UPSCALERS["Nearest"], UPSCALERS["Lanczos"])
    extras = replace(NEAREST, second=two[1], share=0.3, to=2.0)
    wanted = upscaled_by_two(picture, two, 2.0, share=0.3)
    assert enhanced(picture, extras).picture.tobytes() == wanted.tobytes()


def test_nothing_asked_is_nothing_done() -> None:
    picture = _noise(33, 47)
    assert enhanced(picture, Extras()).picture.tobytes() == picture.tobytes()


def test_faces_are_restored_after_the_upscale_in_order_and_notes_are_kept() -> None:
    order: list[str] = []

    def network(name: str) -> Faces:
        def restore(face: Any, weight: float) -> Any:
            order.append(name)
            return face

        return Faces(restorer=Restorer(name=name, restore=restore))

    picture = Image.fromarray(data.astronaut()).resize((256, 256))
    extras = replace(NEAREST, to=2.0, faces=(network("GFPGAN"), network("CodeFormer")))
    found = enhanced(picture, extras)
    assert found.picture.size == (512, 512) and order == ["GFPGAN", "CodeFormer"]
    assert len(found.notes) == 1 and "proportion" in found.notes[0]


def test_sizes_out_of_range_are_refused() -> None:
    with pytest.raises(RequestError, match="at least 1 x 1"):
        enhanced(_noise(8, 8), replace(NEAREST, to=(0, 8)))
    with pytest.raises(RequestError, match="longest side of -1"):
        enhanced(_noise(8, 8), replace(NEAREST, max_side=-1))
