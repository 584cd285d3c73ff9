"""Recorded sound at another length or pitch, by Rubber Band (in pedalboard)."""

from __future__ import annotations

import numpy as np
import pedalboard

from audio.errors import ParameterError
from audio.types import Clip, Samples

FACTORS = (0.25, 4.0)
MAX_SEMITONES = 24.0
_CONTEXT_S = 0.5  # of a loop's other end, before and after it


def stretched(clip: Clip, n: int, *, semitones: float = 0.0, circular: bool = False) -> Clip:
    """The clip over exactly `n` samples, its pitch moved by `semitones` and not by the length.

    A loop (`circular`) is stretched with its own end before it and its beginning behind it, so
    that it keeps its seam.
    Raises ParameterError for lengths outside a quarter to four times, or over 24 semitones.
    """
    factor = n / max(clip.n, 1)
    if not FACTORS[0] <= factor <= FACTORS[1]:
        raise ParameterError(
            f"{factor:.3g} times as long: sound can be stretched by {FACTORS[0]:g} to "
            f"{FACTORS[1]:g}"
        )
    if not abs(semitones) <= MAX_SEMITONES:
        raise ParameterError(f"{semitones:g} semitones: give -24 to 24")
    if n == clip.n and semitones == 0:
        return clip
    if not circular:
        return Clip(samples=_fitted(_sounded(clip, factor, semitones), n), rate=clip.rate)
    turns = max(1, int(np.ceil(_CONTEXT_S * clip.rate / clip.n)))
    three = Clip(samples=np.tile(clip.samples, (1, 2 * turns + 1)), rate=clip.rate)
    wide = _fitted(_sounded(three, factor, semitones), n * (2 * turns + 1))
    return Clip(samples=_closed(wide, turns * n, n, clip.rate), rate=clip.rate)


def _sounded(clip: Clip, factor: float, semitones: float) -> Samples:
    found = pedalboard.time_stretch(
        np.ascontiguousarray(clip.samples),
        float(clip.rate),
        stretch_factor=1.0 / factor,
        pitch_shift_in_semitones=semitones,
        high_quality=True,
    )
    return np.asarray(found, np.float32)


def _fitted(samples: Samples, n: int) -> Samples:
    """Exactly n samples: Rubber Band is off by a few."""
    short = max(0, n - samples.shape[1])
    return np.pad(samples[:, :n], ((0, 0), (0, short)))


def _closed(wide: Samples, start: int, n: int, rate: int) -> Samples:
    """Samples [start, start + n), their end passing into what comes before the start."""
    fade = min(round(0.01 * rate), n // 4)
    found = wide[:, start : start + n].copy()
    rise = np.linspace(0.0, 1.0, fade, endpoint=False, dtype=np.float32)
    found[:, n - fade :] = found[:, n - fade :] * (1 - rise) + wide[:, start - fade : start] * rise
    return found
