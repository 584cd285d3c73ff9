"""SD upscale: a picture made larger, and redrawn tile by tile so that detail forms."""

from __future__ import annotations

from dataclasses import replace

from PIL.Image import Image

from sdcore.errors import RequestError
from sdcore.generate import generate
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.shelf import NOTHING, Shelf
from sdcore.post.upscale import Upscaler, upscaled
from sdcore.tiles import joined, split, tiles
from sdcore.types import ImageRequest, ImageResult, OnStep, ignore


def sd_upscale(
    checkpoint: Checkpoint,
    request: ImageRequest,
    upscaler: Upscaler,
    *,
    scale: float = 2.0,
    overlap: int = 64,
    on_step: OnStep = ignore,
    shelf: Shelf = NOTHING,
) -> ImageResult:
    """One picture, `scale` times as large as the request's start, drawn in tiles.

    Each tile is an img2img of the request's width and height, all with one seed, and laid over its
    neighbours by straight ramps. The result's request is the resolved one of a tile, with the
    picture that it all began from.

    Raises:
        RequestError: no picture to begin from, more than one image, or an overlap that leaves
        nothing of a tile; and whatever `generate` refuses.
    """
    start = request.start
    if start is None:
        raise RequestError("SD upscale needs a picture: give the request one to begin from")
    if request.batch != 1:
        raise RequestError(f"SD upscale makes one picture at a time: {request.batch} were asked")
    tile = (request.width, request.height)
    larger = upscaled(start.image.convert("RGB"), upscaler, scale)
    # A tile is never larger than the picture.
    plan = tiles(larger.size, tile, overlap=overlap)
    drawn: list[Image] = []
    result: ImageResult | None = None
    for part in split(larger, plan):
        # The first tile's request is resolved, so that all others have its seed.
        one = request if result is None else result.request
        one = replace(
            one, start=replace(start, image=part), width=plan.tile[0], height=plan.tile[1]
        )
        result = generate(checkpoint, one, on_step=on_step, shelf=shelf)
        drawn += result.images
    assert result is not None
    resolved = replace(result.request, start=start)
    return replace(result, images=(joined(plan, drawn),), request=resolved)
