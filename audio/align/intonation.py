"""The pitch of a voice over time, and what becomes of it in a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from audio.align.music import FloatArray
from audio.types import Clip

FLOOR_HZ, CEILING_HZ = 60.0, 700.0
STEP_S = 0.01
_COARSE_S = 0.05
# A voice's own range from the quartiles of a first look (De Looze and Hirst 2008).
_BELOW, _ABOVE = 0.72, 1.9
_TURN_S = 0.03  # over which a shift of pitch goes over into the next


@dataclass(frozen=True, kw_only=True, eq=False)
class Contour:
    """Pitch in Hz at the times, in seconds, at which a voice has one; both (n,), n may be 0.

    `floor_hz` and `ceiling_hz` are the range within which the voice speaks.
    """

    times_s: FloatArray
    hz: FloatArray
    floor_hz: float = 75.0
    ceiling_hz: float = 600.0

    @property
    def middle(self) -> float | None:
        """The median pitch, MIDI; None where there is none."""
        return float(np.median(to_midi(self.hz))) if len(self.hz) else None

    def at(self, times_s: ArrayLike) -> FloatArray:
        """MIDI pitch at times, in straight lines over what has none. There must be some pitch."""
        found: FloatArray = np.interp(
            np.asarray(times_s, np.float64), self.times_s, to_midi(self.hz)
        )
        return found

    def mean(self, start_s: float, end_s: float) -> float | None:
        """The mean MIDI pitch between two times; None where there is none."""
        inside = (self.times_s >= start_s) & (self.times_s <= end_s)
        return float(to_midi(self.hz[inside]).mean()) if inside.any() else None

    def moved(self, spans_s: Sequence[tuple[float, float]], shifts: Sequence[float]) -> Contour:
        """The contour with each span of time moved by so many semitones, in turn, going over from
        one shift to the next within 30 ms."""
        if not len(self.hz) or not spans_s:
            return self
        knots, values = [], []
        for (start, end), shift in zip(spans_s, shifts, strict=True):
            inset = min(_TURN_S / 2, (end - start) / 2)
            knots += [start + inset, end - inset]
            values += [shift, shift]
        change = np.interp(self.times_s, knots, values)
        return replace(self, hz=self.hz * 2 ** (change / 12))


def contour(clip: Clip) -> Contour:
    """The pitch of a mono clip by Praat's autocorrelation (Boersma 1993), looked for within the
    voice's own range."""
    import parselmouth

    sound = parselmouth.Sound(clip.samples[0].astype(np.float64), clip.rate)
    if sound.duration < 4 / FLOOR_HZ:
        return Contour(times_s=np.zeros(0), hz=np.zeros(0))
    rough = _voiced(sound, min(_COARSE_S, sound.duration / 40), FLOOR_HZ, CEILING_HZ)[1]
    if not len(rough):
        return Contour(times_s=np.zeros(0), hz=np.zeros(0))
    low, high = np.percentile(rough, (25, 75))
    floor_hz = float(max(FLOOR_HZ, _BELOW * low))
    ceiling_hz = float(min(CEILING_HZ, max(_ABOVE * high, 2 * floor_hz)))
    times_s, hz = _voiced(sound, STEP_S, floor_hz, ceiling_hz)
    return Contour(times_s=times_s, hz=hz, floor_hz=floor_hz, ceiling_hz=ceiling_hz)


def pitch_at(
    clip: Clip, times_s: ArrayLike, hz_range: tuple[float, float], *, step_s: float = STEP_S
) -> FloatArray:
    """The pitch in Hz that Praat hears within a range at times, 0 where it hears none; it listens
    every `step_s`."""
    import parselmouth

    sound = parselmouth.Sound(clip.samples[0].astype(np.float64), clip.rate)
    t = np.asarray(times_s, np.float64)
    if sound.duration < 4 / hz_range[0]:
        return np.zeros(len(t))
    pitch = sound.to_pitch_ac(time_step=step_s, pitch_floor=hz_range[0], pitch_ceiling=hz_range[1])
    hz = np.asarray(pitch.selected_array["frequency"], np.float64)
    place = np.clip((t - pitch.x1) / pitch.dx, 0, len(hz) - 1)
    one, other = hz[np.floor(place).astype(int)], hz[np.ceil(place).astype(int)]
    share = place - np.floor(place)
    found: FloatArray = np.where((one > 0) & (other > 0), one + share * (other - one), 0.0)
    nearest = np.where(share < 0.5, one, other)
    return np.where(found > 0, found, nearest)


def asked_range(asked: Contour) -> tuple[float, float]:
    """The range in Hz within which to look for a pitch that was asked for."""
    return float(max(40.0, 0.7 * asked.hz.min())), float(1.5 * asked.hz.max())


def to_midi(hz: ArrayLike) -> FloatArray:
    """MIDI pitch of frequencies in Hz."""
    found: FloatArray = 69 + 12 * np.log2(np.asarray(hz, np.float64) / 440)
    return found


def to_hz(midi: ArrayLike) -> FloatArray:
    """Frequencies in Hz of MIDI pitches."""
    found: FloatArray = 440 * 2 ** ((np.asarray(midi, np.float64) - 69) / 12)
    return found


def nearest_in_scale(pitch: float, scale: Sequence[int], *, tuning_cents: float = 0.0) -> float:
    """The MIDI pitch of the scale's note nearest to a pitch; the lower one of two."""
    tuning = tuning_cents / 100
    first = int(np.floor(pitch - tuning)) - 12
    notes = [note + tuning for note in range(first, first + 26) if note % 12 in scale]
    return min(notes, key=lambda note: (abs(note - pitch), note))


def _voiced(
    sound: Any, step_s: float, floor_hz: float, ceiling_hz: float
) -> tuple[FloatArray, FloatArray]:
    """Times and pitches of what has a pitch in a sound of Praat's."""
    pitch = sound.to_pitch_ac(time_step=step_s, pitch_floor=floor_hz, pitch_ceiling=ceiling_hz)
    hz = np.asarray(pitch.selected_array["frequency"], np.float64)
    times = np.asarray(pitch.xs(), np.float64)
    return times[hz > 0], hz[hz > 0]
