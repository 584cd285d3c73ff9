"""Outpainting, drawn: the jobs that a canvas gives go through the walk one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from PIL.Image import Image

from sdcore.errors import RequestError
from sdcore.generate import generate
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.shelf import NOTHING, Shelf
from sdcore.outpaint import DIRECTIONS, Direction, Job, mk2, poor_mans
from sdcore.types import Content, ImageRequest, ImageResult, Mask, OnStep, Start, ignore


@dataclass(frozen=True, kw_only=True)
class PoorMansWay:
    """Tiles of an empty canvas."""

    pixels: int = 128
    blur: int = 4
    content: Content = "fill"


@dataclass(frozen=True, kw_only=True)
class Mk2Way:
    """One side after the other, over noise that is shaped like the picture."""

    pixels: int = 128
    blur: int = 8
    falloff: float = 1.0
    variation: float = 0.05


Way: TypeAlias = PoorMansWay | Mk2Way


def outpainted(
    checkpoint: Checkpoint,
    request: ImageRequest,
    way: Way,
    *,
    directions: Sequence[Direction] = DIRECTIONS,
    on_step: OnStep = ignore,
    shelf: Shelf = NOTHING,
) -> ImageResult:
    """The request's start, grown on some sides; what was there stays but for the seam.

    Each job is an img2img of the request's strength and at most its width and height; the jobs of
    the poor man's way have seeds one after the other. The result's request is the resolved one of
    the first job, with the picture that it all began from.

    Raises:
        RequestError: no picture, a mask, more than one image, or an argument of the way out of
        range; and whatever `generate` refuses.
    """
    start = request.start
    if start is None:
        raise RequestError("outpainting needs a picture: give the request one to begin from")
    if request.mask is not None:
        raise RequestError("outpainting makes its own mask: give the request none")
    if request.batch != 1:
        raise RequestError(f"outpainting makes one picture at a time: {request.batch} were asked")
    results: list[ImageResult] = []

    def draw(job: Job) -> Image:
        # The first job's request is resolved, so that the others follow its seed.
        told = replace(request, seed=request.seed if not results else results[0].request.seed)
        if results and isinstance(way, PoorMansWay):
            told = replace(told, seed=told.seed + len(results))
        results.append(generate(checkpoint, _asked(told, start, job), on_step=on_step, shelf=shelf))
        return results[-1].images[0]

    tile = (request.width, request.height)
    picture = start.image.convert("RGB")
    if isinstance(way, PoorMansWay):
        flat = poor_mans(picture, tile=tile, directions=directions, **vars(way))
        picture = flat.finish([draw(job) for job in flat.jobs])
    else:
        for direction in (d for d in DIRECTIONS if d in directions):
            side = mk2(picture, direction, tile=tile, **vars(way))
            picture = side.finish(draw(side.job))
    resolved = replace(results[0].request, start=start, mask=None, width=tile[0], height=tile[1])
    return replace(results[0], images=(picture,), request=resolved)


def _asked(told: ImageRequest, start: Start, job: Job) -> ImageRequest:
    width, height = job.region.size
    return replace(
        told,
        width=width,
        height=height,
        start=replace(start, image=job.picture),
        mask=Mask(image=job.mask, latent=job.latent, blur=job.blur, content=job.content),
    )
