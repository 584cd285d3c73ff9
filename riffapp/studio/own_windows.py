"""A recording cut on its bars, into stretches as wide as a checkpoint's training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil, floor

import numpy as np

from audio.stretch import repeated
from audio.types import Clip, Loop, TimeFrames
from riffapp.errors import UsageError
from riffapp.studio.canvas import Canvas
from riffapp.studio.checkpoints import Sound
from riffapp.studio.types import BEATS_PER_BAR

# A share of a bar that a recording may lack or have too much of.
_SLACK = 0.03
_FADE_S = 0.01


def windows(canvas: Canvas, sound: Sound) -> Iterator[Loop]:
    """The stretches of a recording that are as long as the training's, from bar to bar.

    Each is a whole number of bars and a circle: what follows it fades into its start. On a time
    grid they are as many bars as the training's width needs. What is shorter is repeated.
    Raises UsageError for less than a bar.
    """
    first, bars = whole_bars(canvas)
    if sound.draws_circles:
        length = max((n for n in sound.bars if n <= bars), default=min(sound.bars))
    else:
        length = ceil(width_of(canvas.clip, sound) / start_of(canvas, 1, lead=0))
    if bars < length:
        repeats = max(n for n in range(1, bars + 1) if length % n == 0 or not sound.draws_circles)
        short = _closed(canvas, first, repeats)
        yield repeated(short, ceil(length / repeats))
        return
    last = first + bars - length
    for bar in dict.fromkeys([*range(first, last + 1, length), last]):
        yield _closed(canvas, bar, length)


def whole_bars(canvas: Canvas) -> tuple[int, int]:
    """The first bar of a canvas that is all there, and how many are from it on.

    Raises UsageError where there is none.
    """
    bar = start_of(canvas, 1, lead=0)
    first = 0 if canvas.lead <= _SLACK * bar else 1
    bars = floor((canvas.lead + canvas.clip.n) / bar + _SLACK) - first
    if bars < 1:
        raise UsageError(
            f"{canvas.clip.duration_s:.2f} s at {canvas.tempo.bpm:g} bpm are less than a bar: give "
            "whole bars, or the tempo that they have"
        )
    return first, bars


def start_of(canvas: Canvas, bar: int, *, lead: int | None = None) -> int:
    """Where a bar begins in the clip, in samples."""
    if bar == 0:
        return -canvas.lead
    tempo = replace(canvas.tempo, beats=BEATS_PER_BAR * bar)
    return tempo.samples(canvas.clip.rate) - (canvas.lead if lead is None else lead)


def _closed(canvas: Canvas, bar: int, bars: int) -> Loop:
    """Bars of the clip as a circle: what comes after them fades into their beginning."""
    tempo = replace(canvas.tempo, beats=BEATS_PER_BAR * bars)
    start, n = max(0, start_of(canvas, bar)), tempo.samples(canvas.clip.rate)
    samples = canvas.clip.samples[:, start : start + n]
    samples = np.pad(samples, ((0, 0), (0, n - samples.shape[1])))
    after = canvas.clip.samples[:, start + n : start + n + round(_FADE_S * canvas.clip.rate)]
    share = np.linspace(0, 1, after.shape[1], dtype=np.float32)
    samples[:, : after.shape[1]] = share * samples[:, : after.shape[1]] + (1 - share) * after
    return Loop(clip=Clip(samples=samples, rate=canvas.clip.rate), tempo=tempo)


def width_of(clip: Clip, sound: Sound) -> int:
    """Samples that a picture of the training's width shows on a time grid; on the last of them its
    last frame is centred."""
    assert isinstance(sound.params.frames, TimeFrames)
    return (sound.widest - 1) * round(sound.params.frames.hop_ms * clip.rate / 1000)
