"""Speech at other times and pitches, its formants kept: Praat's PSOLA.

Moulines and Charpentier 1990, as in Praat's manipulation editor (Boersma 2001): pulses of the voice
are laid anew, each as it was, so that the resonances stay while their distance changes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.signal import fftconvolve

from audio.align.intonation import Contour
from audio.align.music import FloatArray
from audio.align.time_map import TimeMap
from audio.errors import ParameterError
from audio.types import Clip, Samples

_Knots = tuple[FloatArray, FloatArray]  # source and target times, pauses taken out
_STEP_S = 0.01  # of Praat's look at the pitch
# Praat's duration tier runs in straight lines: a step is two points this far from a knot.
_EDGE_S = 2e-5
_LEVEL_S, _LEVEL_STEP_S = 0.04, 0.005  # over which levels are compared, and how often
_MOST_GAIN, _QUIET = 2.0, 0.003
# What has no pitch is laid in pieces that Praat places with a little chance.
_SEED = "random_initializeWithSeedUnsafelyButPredictably (1)"
_UNSEED = "random_initializeSafelyAndUnpredictably ()"
_FADE_S = 0.005  # beside a pause
_LEAST_PITCH_STEP_S = 1e-4
_MIN_PERIODS = 3.2  # of the floor, which Praat's analysis needs


def resynthesised(
    clip: Clip, time_map: TimeMap, pitch: Contour | None, *, hz_range: tuple[float, float]
) -> Clip:
    """A mono clip's sound between the map's first and last source time, moved as the map says.

    The result begins at the map's first target and is round(its length * rate) samples long.
    `pitch` is what is asked for, by times of the source; None keeps the pitch as it is.
    `hz_range` is where the voice's own pitch lies. Sound without pitch is moved all the same.
    Raises ParameterError for more than one channel and for a map beyond the clip.
    """
    first, last = float(time_map.source_s[0]), float(time_map.source_s[-1])
    if clip.channels != 1:
        raise ParameterError(f"a clip of {clip.channels} channels: speech is moved in mono")
    if first < 0 or last > clip.duration_s + 1 / clip.rate:
        raise ParameterError(
            f"a time map over {first:g} to {last:g} s of a clip of {clip.duration_s:g} s: "
            "map what is there"
        )
    n = length(time_map, clip.rate)
    if (
        pitch is None
        and not time_map.pauses
        and np.allclose(time_map.ratios, 1.0, rtol=0, atol=1e-9)
    ):
        return replace(clip, samples=_as_long(clip.samples[:, round(first * clip.rate) :], n))
    knots = (time_map.source_s, _run_on(time_map))
    moved = _levelled(_praat(clip, knots, pitch, hz_range), clip, knots)
    out = np.zeros((1, n), np.float32)
    shift = time_map.target_s[0]
    for a, b in time_map.spans():
        start, end = (round(float(knots[1][k]) * clip.rate) for k in (a, b))
        at = round(float(time_map.target_s[a] - shift) * clip.rate)
        part = moved[:, start:end].copy()
        _fade(part, clip.rate, fade_in=a > 0, fade_out=b < len(time_map.source_s) - 1)
        out[:, at : at + part.shape[1]] = part[:, : n - at]
    return replace(clip, samples=out)


def length(time_map: TimeMap, rate: int) -> int:
    """How many samples a map's targets take at a rate."""
    return round(float(time_map.target_s[-1] - time_map.target_s[0]) * rate)


def _run_on(time_map: TimeMap) -> FloatArray:
    """The map's targets from 0 on, its pauses taken out."""
    steps = np.diff(time_map.target_s)
    steps[list(time_map.pauses)] = 0.0
    return np.concatenate([[0.0], np.cumsum(steps)])


def _praat(
    clip: Clip, knots: _Knots, pitch: Contour | None, hz_range: tuple[float, float]
) -> Samples:
    """The sound without its pauses (1, n)."""
    import parselmouth
    from parselmouth.praat import call, run

    source, target = knots
    first, last = float(source[0]), float(source[-1])
    n = round(float(target[-1]) * clip.rate)
    samples = clip.samples[0, round(first * clip.rate) : round(last * clip.rate)]
    floor_hz, ceiling_hz = hz_range
    least = round(_MIN_PERIODS / floor_hz * clip.rate)
    if len(samples) < least:  # too short to have a pitch
        samples = np.pad(samples, (0, least - len(samples)))
    sound = parselmouth.Sound(samples.astype(np.float64), clip.rate)
    run(_SEED)
    try:
        manipulation = call(sound, "To Manipulation", _STEP_S, floor_hz, ceiling_hz)
        ratios = _tier("DurationTier", sound.duration, _duration_points(source - first, target))
        call([manipulation, ratios], "Replace duration tier")
        if pitch is not None and len(pitch.hz):
            asked = _tier("PitchTier", sound.duration, _thinned(pitch.times_s - first, pitch.hz))
            call([manipulation, asked], "Replace pitch tier")
        moved = call(manipulation, "Get resynthesis (overlap-add)")
    finally:
        run(_UNSEED)
    return _as_long(np.asarray(moved.values[:1], np.float32), n)


def _levelled(moved: Samples, clip: Clip, knots: _Knots) -> Samples:
    """The moved sound as loud as its source is at each place, as far as 6 dB more or less will do:
    a pulse that is laid where the voice begins or ends may come out weak."""
    hop, reach = round(_LEVEL_STEP_S * clip.rate), round(_LEVEL_S * clip.rate)
    window = np.hanning(reach + 2)[1:-1]
    there, here = (
        np.sqrt(fftconvolve(x.astype(np.float64) ** 2, window / window.sum(), "same").clip(0))
        for x in (clip.samples[0], moved[0])
    )
    at = np.arange(0, moved.shape[1], hop)
    came_from = np.interp(at / clip.rate, knots[1], knots[0]) * clip.rate
    wanted = there[np.clip(np.rint(came_from).astype(int), 0, clip.n - 1)]
    quiet = _QUIET * max(float(there.max()), 1e-9)  # added to both: noise is left alone
    gains = np.clip((wanted + quiet) / (here[at] + quiet), 1 / _MOST_GAIN, _MOST_GAIN)
    found: Samples = (moved * np.interp(np.arange(moved.shape[1]), at, gains)).astype(np.float32)
    return found


def _tier(kind: str, duration_s: float, points: list[tuple[float, float]]) -> Any:
    """A tier of Praat's, by a script: one call for each point takes forty times as long."""
    from parselmouth.praat import run

    lines = [f'Create {kind}: "asked", 0, {duration_s!r}']
    lines += [f"Add point: {t!r}, {value!r}" for t, value in points]
    return run("\n".join(lines))[0]


def _duration_points(source: FloatArray, target: FloatArray) -> list[tuple[float, float]]:
    """Ratios between knots, as steps."""
    found: list[tuple[float, float]] = []
    for k in np.flatnonzero(np.diff(source) > 0):
        ratio = float((target[k + 1] - target[k]) / (source[k + 1] - source[k]))
        found += [(float(source[k]) + _EDGE_S, ratio), (float(source[k + 1]) - _EDGE_S, ratio)]
    return found


def _thinned(times_s: FloatArray, hz: FloatArray) -> list[tuple[float, float]]:
    """Points with those left out that crowd the one before."""
    kept: list[int] = []
    for k in range(len(times_s)):
        if not kept or times_s[k] - times_s[kept[-1]] >= _LEAST_PITCH_STEP_S:
            kept.append(k)
    return list(zip(times_s[kept].tolist(), hz[kept].tolist(), strict=True))


def _fade(part: Samples, rate: int, *, fade_in: bool, fade_out: bool) -> None:
    n = min(round(_FADE_S * rate), part.shape[1])
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / max(n, 1))).astype(np.float32)
    if fade_in:
        part[:, :n] *= ramp
    if fade_out:
        part[:, part.shape[1] - n :] *= ramp[::-1]


def _as_long(samples: Samples, n: int) -> Samples:
    found = np.zeros((samples.shape[0], n), np.float32)
    found[:, : samples.shape[1]] = samples[:, :n]
    return found
