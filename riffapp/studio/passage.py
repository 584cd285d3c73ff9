"""A journey over a sound, as Riffusion walks: the same picture drawn under two wishes, in steps.

Each step begins from the sound's own picture, so all of them lie on the same beats, and what is
drawn goes from one wish to the other: words and guidance along a line, noise along an arc, strength
along a line. The pictures are joined in the spectrogram, a beat of each passing into the next.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from riffapp.errors import UsageError
from riffapp.studio.canvas import Canvas
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.drawing import image_request
from riffapp.studio.plan import plan_loop
from riffapp.studio.remake import Region, Remade, mask_for, mask_of, plan_remake, remade_of
from riffapp.studio.text_to_audio import OnProgress, Progress, ignore, sounding
from riffapp.studio.types import MAX_BARS, MAX_SEED, Journey, LoopRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from sdcore.types import ImageRequest, Step

MAX_POINTS = 64


@dataclass(frozen=True, kw_only=True)
class Goal:
    """The wish at the other end; None is as at the first one."""

    prompt: str
    negative: str | None = None
    seed: int | None = None
    cfg: float | None = None
    strength: float | None = None


def travel(
    instrument: Instrument,
    canvas: Canvas,
    request: LoopRequest,
    goal: Goal,
    *,
    points: int = 8,
    strength: float = 0.75,
    mask: Image.Image | None = None,
    on_progress: OnProgress = ignore,
) -> Remade:
    """`points` times the canvas in one piece: first under the request, last under the goal.

    The first and the last picture are those of the two wishes alone, to the pixel. Where a `mask`
    is black the canvas stays in every step, grey is a share of both.
    Raises UsageError for fewer than two points or more bars than a piece has, and as plans do.
    """
    if not 2 <= points <= MAX_POINTS or points * canvas.bars > MAX_BARS:
        raise UsageError(
            f"{points} steps of {canvas.bars} bars: give 2 to {MAX_POINTS} steps, up to {MAX_BARS} "
            "bars together"
        )
    start, planned = time.perf_counter(), plan_remake(canvas, request, instrument)
    a, b = _ends(instrument, canvas, planned, goal, strength, mask)
    pictures = [
        _drawn(instrument, a, b, k / (points - 1), _told(on_progress, k, points))
        for k in range(points)
    ]
    picture = joined(pictures, beats=canvas.tempo.beats)
    tempo = replace(canvas.tempo, beats=points * canvas.tempo.beats)
    blocks = []
    for block in sounding(picture, canvas.params, tempo, quality=planned.quality, closed=False):
        blocks.append(block)
        on_progress(Progress(done=points, total=points))  # where one may stop
    clip = replace(canvas.clip, samples=np.concatenate(blocks, axis=1))
    longer = replace(canvas, clip=clip, picture=picture, tempo=tempo, lead=0, closed=False)
    way = Journey(prompt=goal.prompt, negative=goal.negative, seed=goal.seed, cfg=goal.cfg)
    told = replace(planned, bars=points * planned.bars, closed=False, journey=way)
    return remade_of(instrument, longer, told, picture, clip, strength=strength, start=start)


def joined(pictures: list[Image.Image], *, beats: int) -> Image.Image:
    """Pictures of so many beats side by side, the last beat of each passing into the same beat of
    the next one, where levels are mixed along a line."""
    from PIL import Image

    planes = [np.asarray(picture.convert("RGB"), np.float32) for picture in pictures]
    width = planes[0].shape[1]
    beat = max(1, round(width / beats))
    rise = (np.arange(beat, dtype=np.float32) + 1)[None, :, None] / (beat + 1)
    for one, other in zip(planes[:-1], planes[1:], strict=True):
        one[:, width - beat :] += rise * (other[:, width - beat :] - one[:, width - beat :])
    whole = np.rint(np.concatenate(planes, axis=1)).astype(np.uint8)
    return Image.fromarray(whole)


def _ends(
    instrument: Instrument,
    canvas: Canvas,
    planned: LoopRequest,
    goal: Goal,
    strength: float,
    mask: Image.Image | None,
) -> tuple[ImageRequest, ImageRequest]:
    """The two requests that the journey goes between."""
    from sdcore.types import Start

    goal_strength = strength if goal.strength is None else goal.strength
    for value in (strength, goal_strength):
        if not 0 < value <= 1:
            raise UsageError(f"strength {value:g}: give more than 0 and at most 1")
    if goal.seed is not None and not 0 <= goal.seed <= MAX_SEED:
        raise UsageError(f"the goal's seed {goal.seed} is outside 0 to {MAX_SEED}: give one within")
    there = plan_loop(
        replace(
            planned,
            prompt=goal.prompt,
            negative=planned.negative if goal.negative is None else goal.negative,
            seed=planned.seed if goal.seed is None else goal.seed,
            cfg=planned.cfg if goal.cfg is None else goal.cfg,
        ),
        instrument.sound,
    )
    white = None
    if mask is not None:
        white = mask_for(mask_of(canvas, Region(), mask), instrument.checkpoint.factor)
    a, b = (
        replace(
            image_request(wish, instrument.sound),
            start=Start(image=canvas.picture, strength=value),
            mask=white,
        )
        for wish, value in ((planned, strength), (there, goal_strength))
    )
    return a, b


def _drawn(
    instrument: Instrument,
    a: ImageRequest,
    b: ImageRequest,
    share: float,
    on_step: Callable[[Step], None],
) -> Image.Image:
    from sdcore.generate import generate
    from sdcore.interpolate import between

    return generate(instrument.checkpoint, between(a, b, share), on_step=on_step).images[0]


def _told(on_progress: OnProgress, k: int, points: int) -> Callable[[Step], None]:
    def on_step(step: Step) -> None:
        done = k * step.steps + step.index + 1
        on_progress(Progress(done=done, total=points * step.steps))

    return on_step
