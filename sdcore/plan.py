"""What is asked -> what is done. All validation is here: after `plan` nobody refuses."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite
from typing import get_args

from torch import Tensor

from sdcore.conditioning import Reading
from sdcore.errors import PromptError, RequestError, lookup
from sdcore.models.checkpoint import Checkpoint
from sdcore.prompt import Prompt, Scheduled, parse
from sdcore.prompt import schedule as scheduled
from sdcore.samplers import SAMPLERS
from sdcore.schedules import SCHEDULES
from sdcore.types import Emphasis, Guidance, ImageRequest, Sampler, Tiling, Window

MAX_SEED = 2**63 - 1
MAX_STEPS = 1000
MAX_BATCH = 1000
MAX_SIDE = 8192
MAX_CFG = 100.0
MAX_WEIGHT = 100.0
MAX_CLIP_SKIP = 12
TILINGS = dict.fromkeys(get_args(Tiling))
EMPHASES = dict.fromkeys(get_args(Emphasis))


@dataclass(frozen=True, kw_only=True, eq=False)
class Pass:
    """One run of a sampler, nothing left open."""

    checkpoint: Checkpoint
    # The parts that AND joins; the negative prompt is one.
    positive: tuple[Scheduled, ...]
    negative: Scheduled
    reading: Reading
    cfg: float
    guidance: Guidance
    sampler: Sampler
    # (n + 1,), falling to 0.
    sigmas: Tensor
    # (C, h, w) of one image's latents.
    shape: tuple[int, int, int]
    # In latent columns; None sees the whole picture at once.
    window: Window | None


def plan(request: ImageRequest, checkpoint: Checkpoint) -> tuple[ImageRequest, tuple[Pass, ...]]:
    """The request with its seed drawn, and its passes: one, as yet.

    Raises:
        RequestError: a value out of its range. UnknownName: a sampler, schedule or tiling that
        no table holds. PromptError: a weight out of its range.
    """
    sampler = lookup(SAMPLERS, request.sampler, "sampler")
    schedule = lookup(SCHEDULES, request.schedule, "schedule")
    lookup(TILINGS, request.tiling, "tiling")
    lookup(EMPHASES, request.emphasis, "emphasis")
    _check_numbers(request)
    _check_guidance(request.guidance)
    _check_size(request, checkpoint.factor)
    _check_kind(checkpoint)
    resolved = replace(request, seed=_drawn(request) if request.seed == -1 else request.seed)
    only = Pass(
        checkpoint=checkpoint,
        positive=scheduled(_parsed(request.prompt), steps=request.steps),
        negative=scheduled(_parsed(request.negative), steps=request.steps)[0],
        reading=Reading(
            clip_skip=request.clip_skip,
            emphasis=request.emphasis,
            size=(request.width, request.height),
        ),
        cfg=request.cfg,
        guidance=request.guidance,
        sampler=sampler,
        sigmas=schedule(checkpoint.levels, request.steps).float(),
        shape=(
            checkpoint.latent_channels,
            request.height // checkpoint.factor,
            request.width // checkpoint.factor,
        ),
        window=_in_columns(request, checkpoint.factor),
    )
    return resolved, (only,)


def runs(resolved: ImageRequest, checkpoint: Checkpoint) -> Iterator[tuple[int, ...]]:
    """The seeds of the images that run together.

    On a CPU one by one, where a batch gains nothing, so that image i alone is byte-equal to image
    i of many; elsewhere all at once.
    """
    together = 1 if checkpoint.device.type == "cpu" else resolved.batch
    for first in range(0, resolved.batch, together):
        yield resolved.seeds[first : first + together]


def _drawn(request: ImageRequest) -> int:
    """A seed that keeps all of the batch's within 32 bits, as the field writes them."""
    return secrets.randbelow(2**32 - request.batch)


def _parsed(text: str) -> Prompt:
    prompt = parse(text)
    for span in prompt.spans():
        if not abs(span.weight) <= MAX_WEIGHT:
            raise PromptError(
                f"the prompt weighs '{span.text[:40]}' by {span.weight:g}: "
                f"brackets may multiply to -{MAX_WEIGHT:g} .. {MAX_WEIGHT:g}"
            )
    return prompt


def _check_numbers(request: ImageRequest) -> None:
    if not 1 <= request.steps <= MAX_STEPS:
        raise RequestError(f"{request.steps} steps: give 1 to {MAX_STEPS}")
    if not 1 <= request.batch <= MAX_BATCH:
        raise RequestError(f"a batch of {request.batch}: give 1 to {MAX_BATCH} images")
    if not (isfinite(request.cfg) and 0 <= request.cfg <= MAX_CFG):
        raise RequestError(f"a guidance scale of {request.cfg}: give 0 to {MAX_CFG:g}")
    if not 1 <= request.clip_skip <= MAX_CLIP_SKIP:
        raise RequestError(f"a CLIP skip of {request.clip_skip}: give 1 to {MAX_CLIP_SKIP}")
    if not -1 <= request.seed <= MAX_SEED - request.batch:
        raise RequestError(
            f"the seed {request.seed}: give 0 to {MAX_SEED - request.batch}, or -1 to draw one"
        )


def _check_guidance(guidance: Guidance) -> None:
    first, last = guidance.interval
    if not 0 <= guidance.rescale <= 1:
        raise RequestError(f"a guidance rescale of {guidance.rescale:g}: give 0 to 1")
    if not 0 <= first <= last <= 1:
        raise RequestError(
            f"guidance from {first:g} to {last:g} of the steps: give two shares from 0 to 1, "
            "the smaller one first"
        )
    if not (isfinite(guidance.ngms) and guidance.ngms >= 0):
        raise RequestError(
            f"a sigma of {guidance.ngms} below which guidance is sparse: give 0 or more"
        )


def _check_kind(checkpoint: Checkpoint) -> None:
    if checkpoint.kind != "text":
        raise RequestError(
            f"the checkpoint '{checkpoint.name}' is one for {checkpoint.kind}, which needs a "
            "picture to work on: give one that draws from words"
        )


def _check_size(request: ImageRequest, factor: int) -> None:
    sides = {"width": request.width, "height": request.height}
    for name, side in sides.items():
        if side % factor != 0 or not factor <= side <= MAX_SIDE:
            raise RequestError(
                f"a {name} of {side} pixels: "
                f"give a multiple of {factor} from {factor} to {MAX_SIDE}"
            )
    if request.window is None:
        return
    for name, side in vars(request.window).items():
        if side % factor != 0 or side < factor:
            raise RequestError(
                f"a window {name} of {side} pixels: give a multiple of {factor} from {factor} up"
            )
    if request.window.stride > request.window.width:
        raise RequestError(
            f"a window stride of {request.window.stride} pixels leaves gaps: "
            f"give at most the window's width, {request.window.width}"
        )


def _in_columns(request: ImageRequest, factor: int) -> Window | None:
    if request.window is None:
        return None
    return Window(width=request.window.width // factor, stride=request.window.stride // factor)
