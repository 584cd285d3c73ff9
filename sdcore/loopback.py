"""Loopback: img2img on its own result, round after round, each as strong as a curve says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import cos, isfinite, pi, sin

from PIL.Image import Image

from sdcore.errors import RequestError, lookup
from sdcore.generate import generate
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.shelf import NOTHING, Shelf
from sdcore.types import ImageRequest, ImageResult, OnStep, ignore

MAX_LOOPS = 32
# Progress 0 .. 1 -> share of the way from the first strength to the last.
CURVES: dict[str, Callable[[float], float]] = {
    "Aggressive": lambda at: sin(pi * at / 2),
    "Lazy": lambda at: 1 - cos(pi * at / 2),
    "Linear": lambda at: at,
}


def strengths(loops: int, first: float, last: float, *, curve: str = "Linear") -> tuple[float, ...]:
    """The strength of each loop, from `first` (0 .. 1) to `last` along the curve; one loop: first.

    Raises:
        RequestError: loops or strengths out of range. UnknownName: a curve that CURVES lacks.
    """
    bend = lookup(CURVES, curve, "loopback curve")
    if not 1 <= loops <= MAX_LOOPS:
        raise RequestError(f"{loops} loops: give 1 to {MAX_LOOPS}")
    for strength in (first, last):
        if not (isfinite(strength) and 0 <= strength <= 1):
            raise RequestError(f"a strength of {strength:g}: give 0 to 1")
    if loops == 1:
        return (first,)
    return tuple(first + (last - first) * bend(loop / (loops - 1)) for loop in range(loops))


def following(request: ImageRequest, picture: Image, *, strength: float) -> ImageRequest:
    """The request of the next loop, after `request` (resolved) gave `picture`.

    The next seed, so that the same noise does not etch itself in; and what lies under a mask is
    what the loop before drew there, however the first one was filled.

    Raises:
        RequestError: a request that does not begin from a picture.
    """
    if request.start is None:
        raise RequestError("a loopback needs a picture to begin from: give the request a start")
    return replace(
        request,
        seed=request.seed + 1,
        start=replace(request.start, image=picture, strength=strength),
        mask=None if request.mask is None else replace(request.mask, content="original"),
    )


def looped(
    checkpoint: Checkpoint,
    request: ImageRequest,
    *,
    loops: int = 4,
    last: float | None = None,
    curve: str = "Linear",
    on_step: OnStep = ignore,
    shelf: Shelf = NOTHING,
) -> tuple[ImageResult, ...]:
    """One result per loop, each begun from the one before; an interrupted one is the last.

    Args:
        request: with a start, whose strength is the first loop's; of one image.
        loops: 1 .. 32.
        last: the strength of the last loop; None is that of the first.
        curve: how strengths go from the first to the last, a name of CURVES.
    Raises:
        RequestError: no picture, more than one image, loops or strengths out of range.
    """
    if request.start is None:
        raise RequestError("a loopback needs a picture to begin from: give the request a start")
    if request.batch != 1:
        raise RequestError(f"a loopback makes one picture at a time: {request.batch} were asked")
    first = request.start.strength
    results: list[ImageResult] = []
    for strength in strengths(loops, first, first if last is None else last, curve=curve):
        if results:
            (picture,) = results[-1].images
            request = following(results[-1].request, picture, strength=strength)
        results.append(generate(checkpoint, request, on_step=on_step, shelf=shelf))
        if results[-1].is_interrupted:
            break
    return tuple(results)
