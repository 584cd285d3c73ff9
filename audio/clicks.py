"""A click to play to, and bars of it before a sound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from audio.errors import ParameterError
from audio.types import Clip, Tempo

ACCENT_HZ, CLICK_HZ, CLICK_S, LEVEL = 1600.0, 1000.0, 0.03, 0.5


def click_track(tempo: Tempo, rate: int = 44100) -> Clip:
    """A click on each beat, from sample round(k * 60 / bpm * rate) on, higher on a bar's first."""
    samples = np.zeros(tempo.samples(rate), np.float32)
    beat = tempo.exact(rate) / tempo.beats
    for k in range(tempo.beats):
        at = round(beat * k)
        click = _click(ACCENT_HZ if k % tempo.meter == 0 else CLICK_HZ, rate)
        samples[at : at + len(click)] += click[: len(samples) - at]
    return Clip(samples=samples[None], rate=rate)


def with_count_in(clip: Clip, tempo: Tempo, *, bars: int = 1) -> Clip:
    """The clip after `bars` bars of clicks at its tempo. Raises ParameterError for no bars."""
    refuse_bars(bars)
    clicks = click_track(replace(tempo, beats=bars * tempo.meter), clip.rate).samples
    both = [np.repeat(clicks, clip.channels, axis=0), clip.samples]
    return replace(clip, samples=np.concatenate(both, axis=1))


def refuse_bars(bars: int) -> None:
    """Raises ParameterError for a count-in of none, or of more than 8."""
    if not 1 <= bars <= 8:
        raise ParameterError(f"a count-in of {bars} bars: give 1 to 8")


def _click(hz: float, rate: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    t = np.arange(round(CLICK_S * rate)) / rate
    found = LEVEL * np.sin(2 * np.pi * hz * t) * np.exp(-t / (CLICK_S / 5))
    return np.asarray(found, np.float32)
