"""Syllables of a recording whose text nobody knows: where the voice is loud, and not."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks, sosfiltfilt

from audio.errors import ParameterError
from audio.speech.types import Phone, Speech, Voice, Word
from audio.types import Clip

VOWEL = "ə"  # the symbol that stands for a vowel nobody knows
_STEP_S = 0.005
_PITCH_FLOOR_HZ = 75.0
_BELOW_LOUDEST_DB = 25.0
_DIP_DB = 2.0
_PAUSE_DB = 30.0
_VOWELS_HZ = (300.0, 3000.0)  # where vowels are louder than most that stands before them
_SMOOTH_S = 0.02

FloatArray = NDArray[np.float64]


def heard(clip: Clip, voice: Voice) -> Speech:
    """A recording with its syllables as words without text, each of one vowel.

    A nucleus is a peak of intensity less than 25 dB below the loudest, voiced, and parted from the
    next by a dip of 2 dB (de Jong & Wempe 2009); its vowel begins where the sound from 300 Hz to
    3 kHz rises fastest before the peak. The louder of neighbours are stressed. The clip comes back
    mixed to mono.
    Raises ParameterError where no syllable is heard.
    """
    import parselmouth

    mono = replace(clip, samples=clip.samples.mean(0, keepdims=True, dtype=np.float32))
    if mono.duration_s * _PITCH_FLOOR_HZ < 7 or not np.isfinite(mono.samples).all():
        raise ParameterError(f"{mono.duration_s:.2g} s of sound hold no syllable: give a voice")
    sound = parselmouth.Sound(mono.samples[0].astype(np.float64), sampling_frequency=mono.rate)
    intensity = sound.to_intensity(minimum_pitch=_PITCH_FLOOR_HZ, time_step=_STEP_S)
    levels, times = intensity.values[0], np.asarray(intensity.xs())
    hz = sound.to_pitch(time_step=_STEP_S, pitch_floor=_PITCH_FLOOR_HZ)
    voiced = np.array([np.isfinite(hz.get_value_at_time(t)) for t in times])
    peaks, _ = find_peaks(levels, height=levels.max() - _BELOW_LOUDEST_DB, prominence=_DIP_DB)
    peaks = peaks[voiced[peaks]]
    if len(peaks) == 0:
        raise ParameterError("no syllable is heard in the recording: give one of a voice")
    words = tuple(_syllables(levels, times, peaks, _rises(mono, times)))
    return Speech(text="", clip=mono, words=words, voice=voice, timing="estimated")


def _rises(clip: Clip, times: FloatArray) -> FloatArray:
    """How fast the vowels' part of the sound grows at each time."""
    high = min(_VOWELS_HZ[1], 0.45 * clip.rate)
    sections = butter(4, (_VOWELS_HZ[0], high), "bandpass", fs=clip.rate, output="sos")
    level = np.abs(sosfiltfilt(sections, clip.samples[0].astype(np.float64)))
    window = np.hanning(round(_SMOOTH_S * clip.rate) + 2)[1:-1]
    smooth = np.convolve(level, window / window.sum(), "same")
    at = np.arange(clip.n) / clip.rate
    return np.gradient(np.interp(times, at, smooth))


def _syllables(
    levels: FloatArray, times: FloatArray, peaks: NDArray[np.int64], rises: FloatArray
) -> list[Word]:
    dips = [a + int(np.argmin(levels[a : b + 1])) for a, b in pairwise(peaks)]
    found = []
    for i, (left, peak, right) in enumerate(
        zip([0, *dips], peaks, [*dips, len(levels) - 1], strict=True)
    ):
        start = _edge(levels[left : peak + 1][::-1], levels[peak])
        first, last = peak - start, peak + _edge(levels[peak : right + 1], levels[peak])
        onset = first + int(np.argmax(rises[first : peak + 1]))
        beside = levels[peaks[max(i - 1, 0) : i + 2]]
        phone = Phone(
            symbol=VOWEL,
            start_s=float(times[onset]),
            end_s=float(times[last]) + (_STEP_S if last == onset else 0.0),
            stress=2 if levels[peak] == beside.max() else 0,
        )
        found.append(Word(text="", start_s=float(times[first]), end_s=phone.end_s, phones=(phone,)))
    return found


def _edge(levels: FloatArray, peak: float) -> int:
    """How many steps away from the peak a syllable ends: at the dip, or where a pause begins."""
    quiet = np.flatnonzero(levels < peak - _PAUSE_DB)
    return int(quiet[0]) if len(quiet) else len(levels) - 1
