from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sdcore.errors import RequestError
from sdcore.grow import Mk2Way, PoorMansWay, Way, outpainted
from sdcore.models.checkpoint import Checkpoint
from sdcore.types import ImageRequest, Mask, Start

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
REQUEST = ImageRequest(
    prompt="house",
    width=128,
    height=128,
    steps=2,
    seed=3,
    sampler="Euler",
    start=Start(image=PICTURE, strength=0.9),
)


@pytest.mark.parametrize(
    ("way", "directions", "size", "corner"),
    [
        (PoorMansWay(pixels=32, blur=2), ["right"], (128, 64), (0, 0)),
        (PoorMansWay(pixels=32, blur=2), ["left", "right", "up", "down"], (128, 128), (32, 32)),
        (Mk2Way(pixels=32, blur=1), ["right"], (96, 64), (0, 0)),
        (Mk2Way(pixels=32, blur=1), ["left", "up"], (96, 96), (32, 32)),
    ],
)
def test_a_picture_grows_and_stays_what_it_was(
    checkpoint: Checkpoint, way: Way, directions: Any, size: tuple[int, int], corner: Any
) -> None:
    result = outpainted(checkpoint, REQUEST, way, directions=directions)
    (picture,) = result.images
    assert picture.size == size
    inner = np.asarray(picture)[corner[1] :, corner[0] :][16:48, 24:40]
    assert np.array_equal(inner, np.asarray(PICTURE)[16:48, 24:40])
    again = outpainted(checkpoint, result.request, way, directions=directions)
    assert again.images[0].tobytes() == picture.tobytes()


def test_each_tile_of_the_poor_man_s_way_has_a_seed_of_its_own(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sdcore.grow

    seeds: list[int] = []
    generate = sdcore.grow.generate

    def recorded(checkpoint: Checkpoint, request: ImageRequest, **options: Any) -> Any:
        seeds.append(request.seed)
        return generate(checkpoint, request, **options)

    monkeypatch.setattr(sdcore.grow, "generate", recorded)
    small = replace(REQUEST, width=64, height=64)
    outpainted(checkpoint, small, PoorMansWay(pixels=32, blur=2), directions=["right"])
    assert len(seeds) > 1 and seeds == list(range(3, 3 + len(seeds)))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"start": None}, "outpainting needs a picture"),
        ({"mask": Mask(image=PICTURE)}, "outpainting makes its own mask"),
        ({"batch": 2}, "outpainting makes one picture at a time: 2 were asked"),
    ],
)
def test_what_cannot_grow_is_refused(
    checkpoint: Checkpoint, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        outpainted(checkpoint, replace(REQUEST, **changes), PoorMansWay())
