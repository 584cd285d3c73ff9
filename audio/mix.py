"""Stems to a mix, and a mix to the loudness that it is wanted at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyloudnorm
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from audio.errors import ParameterError
from audio.files import resample
from audio.types import Clip, Samples

OVERSAMPLING = 4  # ITU-R BS.1770-5, annex 2
LOOK_AHEAD_S = 0.005
MIN_S = 0.4  # one block of the meter
SILENT = 1e-5
_ROUNDS = 4


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

    Raises ParameterError for none at all, and for stems of unlike rate, length or channels.
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
    _refuse(clip, circular)
    samples = clip.samples
    if circular:
        samples = np.tile(samples, (1, 1 + int(np.ceil(2 * MIN_S * clip.rate / clip.n))))
    meter = pyloudnorm.Meter(clip.rate)
    found = float(meter.integrated_loudness(samples.T.astype(np.float64)))
    return Loudness(lufs=found, true_peak_db=_db(true_peak(clip, circular=circular)))


def true_peak(clip: Clip, *, circular: bool = False) -> float:
    """The highest level between the samples too: of the clip at four times its rate."""
    return float(np.abs(_oversampled(clip, circular)).max(initial=0.0))


def to_loudness(
    clip: Clip, *, lufs: float = -14.0, true_peak_db: float = -1.0, circular: bool = False
) -> Clip:
    """The clip at a loudness, no true peak above a limit.

    Where a gain alone would pass the limit, peaks are held by a look-ahead limiter of 5 ms; what
    cannot be as loud within it stays quieter. A loop keeps its seam.
    """
    now = loudness(clip, circular=circular)
    gain_db, best = lufs - now.lufs, clip
    for _ in range(_ROUNDS):
        best = _limited(_scaled(clip, gain_db), true_peak_db, circular)
        missing = lufs - loudness(best, circular=circular).lufs
        if abs(missing) < 0.05:
            break
        gain_db += missing
    over_db = _db(true_peak(best, circular=circular)) - true_peak_db
    return _scaled(best, -over_db) if over_db > 0 else best


def _limited(clip: Clip, true_peak_db: float, circular: bool) -> Clip:
    """No sample of four times the rate above the limit; the gain moves within the look-ahead."""
    limit = 10 ** (true_peak_db / 20)
    over = np.abs(_oversampled(clip, circular)).max(0)
    peaks = over[: clip.n * OVERSAMPLING].reshape(clip.n, OVERSAMPLING).max(1)
    needed = np.minimum(1.0, limit / np.maximum(peaks, 1e-12))
    if needed.min() >= 1.0:
        return clip
    reach = 2 * round(LOOK_AHEAD_S * clip.rate) + 1
    mode = "wrap" if circular else "nearest"
    held = minimum_filter1d(needed, reach, mode=mode)
    return replace(
        clip, samples=(clip.samples * _smoothed(held, reach, circular)).astype(np.float32)
    )


def _smoothed(gain: NDArray[np.float64], reach: int, circular: bool) -> NDArray[np.float64]:
    """The gain's mean under a Hann window: never above what a minimum over the window allows."""
    window = np.hanning(reach + 2)[1:-1]
    padded = np.pad(gain, reach // 2, mode="wrap" if circular else "edge")
    return np.convolve(padded, window / window.sum(), mode="valid")


def _oversampled(clip: Clip, circular: bool) -> Samples:
    return resample(clip, clip.rate * OVERSAMPLING, circular=circular).samples


def _scaled(clip: Clip, gain_db: float) -> Clip:
    return replace(clip, samples=clip.samples * np.float32(10 ** (gain_db / 20)))


def _db(level: float) -> float:
    return float(20 * np.log10(max(level, 1e-12)))


def _refuse(clip: Clip, circular: bool) -> None:
    if clip.n == 0 or (not circular and clip.duration_s < MIN_S):
        raise ParameterError(
            f"{clip.duration_s * 1000:.0f} ms of sound: loudness is measured over {MIN_S:g} s and "
            "more"
        )
    if not np.isfinite(clip.samples).all():
        raise ParameterError("the sound holds samples that are no numbers: export it again")
    if float(np.abs(clip.samples).max()) < SILENT:
        raise ParameterError("the sound is silent: it has no loudness")
