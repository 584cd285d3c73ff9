from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sdcore.errors import RequestError
from sdcore.models.checkpoint import Checkpoint
from sdcore.post.upscale import UPSCALERS
from sdcore.sd_upscale import sd_upscale
from sdcore.types import ImageRequest, Start, Step

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
REQUEST = ImageRequest(
    prompt="house", width=64, height=64, steps=4, start=Start(image=PICTURE, strength=0.5)
)


def test_a_picture_is_redrawn_tile_by_tile(checkpoint: Checkpoint) -> None:
    steps: list[Step] = []
    result = sd_upscale(checkpoint, REQUEST, UPSCALERS["Lanczos"], overlap=16, on_step=steps.append)
    # 128 x 96 in tiles of 64 x 64: three columns and two rows, three steps each.
    assert result.images[0].size == (128, 96)
    assert len(steps) == 6 * 3
    assert result.request.seed != -1 and result.request.start is not None
    again = sd_upscale(checkpoint, result.request, UPSCALERS["Lanczos"], overlap=16)
    assert again.images[0].tobytes() == result.images[0].tobytes()


def test_a_tile_is_never_larger_than_the_picture(checkpoint: Checkpoint) -> None:
    large = replace(REQUEST, width=512, height=512)
    result = sd_upscale(checkpoint, large, UPSCALERS["Lanczos"], scale=1.5, overlap=16)
    assert result.images[0].size == (96, 72)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (replace(REQUEST, start=None), "SD upscale needs a picture"),
        (replace(REQUEST, batch=2), "SD upscale makes one picture at a time: 2 were asked"),
    ],
)
def test_what_cannot_be_upscaled_is_refused(
    checkpoint: Checkpoint, request_: ImageRequest, sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        sd_upscale(checkpoint, request_, UPSCALERS["Lanczos"])
