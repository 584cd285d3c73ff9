"""Stems to a mix, and a mix to the loudness that it is wanted at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyloudnorm
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from audio.errors import ParameterError
from audio.files import resample
from audio.types import Clip

OVERSAMPLING = 4  # ITU-R BS.1770-5, annex 2
LOOK_AHEAD_S = 0.005
MIN_S = 0.4  # one block of the meter
MAX_CHANNELS = 5
SILENT = 1e-5
LUFS_RANGE = (-60.0, 0.0)
TRUE_PEAK_RANGE_DB = (-60.0, 0.0)
MAX_LIMITING_DB = 18.0  # more than this is distortion rather than loudness
_LEAST_LUFS = -70.0  # the meter's absolute gate
# A loop's blocks of 0.4 s begin elsewhere at every repeat: a minute of a loop was within 0.02 LU of
# ten minutes (14 loops of the band), two repeats up to 0.17 LU off.
_LOOP_S = 60.0
_CLOSE_LU = 0.05
MARGIN_DB = 0.01  # below the limit: dither in 16 bit adds up to 0.0003 dB
_ROUNDS = 12
_BLOCK = 1 << 20  # samples that are oversampled at a time
_REACH = 2048  # samples: past both ends of the resampler's filter


@dataclass(frozen=True, kw_only=True)
class Stem:
    """A clip in a mix. Where one is solo, only those that are so are heard."""

    clip: Clip
    gain_db: float = 0.0
    muted: bool = False
    solo: bool = False


@dataclass(frozen=True, kw_only=True)
class Loudness:
    """Integrated loudness in LUFS and true peak in dBTP (ITU-R BS.1770-5)."""

    lufs: float
    true_peak_db: float


def mixed(stems: Sequence[Stem]) -> Clip:
    """The sum of the stems that are heard, each at its gain.

    Raises ParameterError for none at all, for stems of unlike rate, length or channels, and for
    gains that are no numbers.
    """
    if not stems:
        raise ParameterError("no stems to mix: give one or more")
    first = stems[0].clip
    for stem in stems:
        if (stem.clip.rate, stem.clip.samples.shape) != (first.rate, first.samples.shape):
            raise ParameterError(
                f"stems of {stem.clip.samples.shape} samples at {stem.clip.rate} Hz and of "
                f"{first.samples.shape} at {first.rate} Hz: give all the same"
            )
    total = np.zeros(first.samples.shape, np.float64)
    for stem in audible(stems):
        if not np.isfinite(stem.gain_db):
            raise ParameterError(f"gain {stem.gain_db:g} dB: give a number")
        total += stem.clip.samples * 10 ** (stem.gain_db / 20)
    return replace(first, samples=total.astype(np.float32))


def audible(stems: Sequence[Stem]) -> tuple[Stem, ...]:
    """The stems that are heard: those that are solo, else all, but for the muted ones."""
    alone = any(stem.solo for stem in stems)
    return tuple(stem for stem in stems if not stem.muted and (stem.solo or not alone))


def loudness(clip: Clip, *, circular: bool = False) -> Loudness:
    """How loud a clip is; a loop (`circular`) is measured as it repeats.

    Raises ParameterError for silence, for less than 0.4 s that do not repeat, for no numbers.
    """
    lufs = _audible_lufs(clip, circular)
    peak = true_peak(clip, circular=circular)
    return Loudness(lufs=lufs, true_peak_db=_db(peak))


def true_peak(clip: Clip, *, circular: bool = False) -> float:
    """The highest level between the samples too: of the clip at four times its rate."""
    return float(_peaks(clip, circular).max(initial=0.0))


def to_loudness(
    clip: Clip, *, lufs: float = -14.0, true_peak_db: float = -1.0, circular: bool = False
) -> Clip:
    """The clip at a loudness, no true peak above a limit.

    Where a gain alone would pass the limit, peaks are held by a look-ahead limiter of 5 ms; what
    18 dB of limiting do not make as loud stays quieter. A loop keeps its seam.
    Raises ParameterError as `loudness` does, and for targets above 0 or below -60.
    """
    refuse_targets(lufs, true_peak_db)
    now = _audible_lufs(clip, circular)
    peaks, limit_db = _peaks(clip, circular), true_peak_db - MARGIN_DB
    most_db = limit_db - _db(float(peaks.max())) + MAX_LIMITING_DB
    gain_db = min(lufs - now, most_db)
    best, found = _held(clip, peaks, gain_db, limit_db=limit_db, circular=circular)
    slope = 1.0  # LU for a dB of gain: less, the more is limited
    for _ in range(_ROUNDS):
        missing = lufs - found
        if abs(missing) < _CLOSE_LU or (missing > 0 and gain_db == most_db):
            break
        before, gain_before = found, gain_db
        gain_db = min(gain_db + missing / slope, most_db)
        best, found = _held(clip, peaks, gain_db, limit_db=limit_db, circular=circular)
        slope = float(np.clip((found - before) / (gain_db - gain_before), 0.2, 1.0))
    return best


def limited(
    needed: NDArray[np.floating[Any]], half: int, *, spare: int = 0, circular: bool = False
) -> NDArray[np.floating[Any]]:
    """A smooth gain over `2 * half` to either side that is never above any that is needed.

    With `spare` it is not above its neighbours' within so many either.
    """
    mode = "wrap" if circular else "nearest"
    curve = minimum_filter1d(needed, 2 * (2 * half + spare) + 1, mode=mode)
    for _ in range(2):  # two boxes: a triangle, never above the minimum over its width
        curve = uniform_filter1d(curve, 2 * half + 1, mode=mode)
    return np.asarray(curve)


def refuse_targets(lufs: float, true_peak_db: float) -> None:
    """Raises ParameterError for targets above 0 or below -60."""
    for name, value, (low, high) in (
        ("loudness", lufs, LUFS_RANGE),
        ("true peak", true_peak_db, TRUE_PEAK_RANGE_DB),
    ):
        if not low <= value <= high:
            raise ParameterError(f"{name} {value:g}: give {low:g} to {high:g}")


def _held(
    clip: Clip, peaks: NDArray[np.float32], gain_db: float, *, limit_db: float, circular: bool
) -> tuple[Clip, float]:
    """The clip at a gain with its peaks held below the limit, and how loud it is then.

    Peaks between the samples move a little with the gain: what is left of them is turned down.
    """
    gain, limit = 10 ** (gain_db / 20), 10 ** (limit_db / 20)
    needed = np.minimum(1.0, limit / np.maximum(gain * peaks.astype(np.float64), 1e-12))
    half = round(LOOK_AHEAD_S / 2 * clip.rate)
    curve = limited(needed, half, circular=circular)
    held = replace(clip, samples=(clip.samples * (gain * curve)).astype(np.float32))
    over_db = _db(true_peak(held, circular=circular)) - limit_db
    held = _scaled(held, -over_db) if over_db > 0 else held
    return held, _lufs(held, circular)


def _lufs(clip: Clip, circular: bool) -> float:
    samples = clip.samples
    if circular:
        samples = np.tile(samples, (1, max(2, int(np.ceil(_LOOP_S / clip.duration_s)))))
    meter = pyloudnorm.Meter(clip.rate)
    return float(meter.integrated_loudness(samples.T.astype(np.float64)))


def _peaks(clip: Clip, circular: bool) -> NDArray[np.float32]:
    """The highest level round each sample, in any channel, at four times the rate; (n,)."""
    x = np.pad(clip.samples, ((0, 0), (_REACH, _REACH)), mode="wrap" if circular else "constant")
    found = np.zeros(clip.n, np.float32)
    for first in range(0, clip.n, _BLOCK):
        last = min(first + _BLOCK, clip.n)
        part = replace(clip, samples=x[:, first : last + 2 * _REACH])
        over = np.abs(resample(part, clip.rate * OVERSAMPLING).samples).max(0)
        inside = over[_REACH * OVERSAMPLING : (_REACH + last - first) * OVERSAMPLING]
        found[first:last] = inside.reshape(-1, OVERSAMPLING).max(1)
        if not circular and last == clip.n:  # the sound rings on past a cut
            found[-1] = max(found[-1], over[-_REACH * OVERSAMPLING :].max())
    return found


def _scaled(clip: Clip, gain_db: float) -> Clip:
    return replace(clip, samples=clip.samples * np.float32(10 ** (gain_db / 20)))


def _db(level: float) -> float:
    return float(20 * np.log10(max(level, 1e-12)))


def _audible_lufs(clip: Clip, circular: bool) -> float:
    """The loudness of a clip that has one. Raises ParameterError for others."""
    if clip.n == 0 or (not circular and clip.duration_s < MIN_S):
        raise ParameterError(
            f"{clip.duration_s * 1000:.0f} ms of sound: loudness is measured over {MIN_S:g} s and "
            "more"
        )
    if clip.channels > MAX_CHANNELS:
        raise ParameterError(
            f"a clip of {clip.channels} channels: loudness is measured of 1 to {MAX_CHANNELS}"
        )
    if not np.isfinite(clip.samples).all():
        raise ParameterError("the sound holds samples that are no numbers: export it again")
    if float(np.abs(clip.samples).max()) < SILENT:
        raise ParameterError("the sound is silent: it has no loudness")
    found = _lufs(clip, circular)
    if found < _LEAST_LUFS:
        raise ParameterError(
            f"the sound is all but silent: what is below {_LEAST_LUFS:g} LUFS has no loudness"
        )
    return found
