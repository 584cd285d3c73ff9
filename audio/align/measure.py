"""What a fitted voice achieves, measured in its sound: onsets, pitch, formants, phones.

None of it reads a plan but for where to look; none of it is Praat's but where said.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import signal

from audio.align.intonation import Contour, to_midi
from audio.align.music import FloatArray
from audio.align.time_map import TimeMap
from audio.compiled import librosa
from audio.files import resample
from audio.speech.types import Speech
from audio.types import Clip

BAND_HZ = (300.0, 3000.0)
# Of the envelope: a Hann window that is as wide as 30 ms; shorter ones see single pulses of the
# voice.
WINDOW_S = 0.045
AROUND_S = 0.03  # of an onset, what is looked for again
REACH_S = 0.06  # how far from its place
VOICED_S = 0.006  # from a frame that has pitch: what counts as voiced


def onsets_found(
    source: Clip, sources_s: FloatArray, moved: Clip, places_s: FloatArray
) -> FloatArray:
    """How much later than each place an onset of the source is heard in the moved sound, seconds.

    An onset is how the level between 300 and 3000 Hz goes within 30 ms of it; it is where, within
    60 ms of its place, the level goes most nearly so, be it louder or softer as a whole.
    """
    rate, half, reach = source.rate, round(AROUND_S * source.rate), round(REACH_S * source.rate)
    levels, others = (np.pad(envelope(clip), half + reach) for clip in (source, moved))
    found = []
    for source_s, place_s in zip(sources_s, places_s, strict=True):
        here, there = round(source_s * rate), round(min(max(place_s, 0.0), moved.duration_s) * rate)
        wanted = levels[here + reach : here + reach + 2 * half + 1]
        around = others[there : there + 2 * (half + reach) + 1]
        lag = _likest(wanted, around) - reach
        found.append((there + lag) / rate - place_s - (here / rate - source_s))
    return np.array(found)


def fastest_rises(clip: Clip, times_s: FloatArray, reach_s: float = 0.05) -> FloatArray:
    """Where within reach of each time the level between 300 and 3000 Hz rises fastest, seconds."""
    rise = np.gradient(envelope(clip))
    reach = round(reach_s * clip.rate)
    found = []
    for t in times_s:
        first = max(round(t * clip.rate) - reach, 0)
        found.append((first + _lowest(-rise[first : first + 2 * reach + 1])) / clip.rate)
    return np.array(found)


def envelope(clip: Clip) -> FloatArray:
    """The level (n,) of a mono clip between 300 and 3000 Hz, amplitude over 30 ms."""
    high = min(BAND_HZ[1], 0.45 * clip.rate)
    band = signal.butter(4, (BAND_HZ[0], high), "bandpass", fs=clip.rate, output="sos")
    passed = signal.sosfiltfilt(band, clip.samples[0].astype(np.float64))
    window = np.hanning(round(WINDOW_S * clip.rate) + 2)
    power = signal.fftconvolve(passed**2, window / window.sum(), "same")
    found: FloatArray = np.sqrt(np.maximum(power, 0.0))
    return found


def voiced_times(time_map: TimeMap, contour: Contour, step_s: float = 0.01) -> FloatArray:
    """Times of a map's targets, `step_s` apart, at which speech that is voiced in the source
    sounds; pauses have none."""
    t = np.arange(time_map.target_s[0], time_map.target_s[-1], step_s)
    if not len(contour.times_s):
        return t[:0]
    source = time_map.source(t)
    after = np.clip(np.searchsorted(contour.times_s, source), 1, len(contour.times_s) - 1)
    nearest = np.minimum(
        np.abs(contour.times_s[after - 1] - source), np.abs(contour.times_s[after] - source)
    )
    sounds = np.minimum(np.abs(time_map.after(source) - t), np.abs(time_map.before(source) - t))
    found: FloatArray = t[(nearest <= VOICED_S) & (sounds < 1e-6)]
    return found


def cents_off(found_hz: ArrayLike, asked_hz: ArrayLike) -> FloatArray:
    """How many cents pitches lie above those asked for; NaN where none was found (0 Hz or NaN)."""
    hz = np.asarray(found_hz, np.float64)
    heard = np.where(hz > 0, hz, np.nan)
    found: FloatArray = 100 * (to_midi(heard) - to_midi(asked_hz))
    return found


def yin_at(clip: Clip, times_s: FloatArray, hz_range: tuple[float, float]) -> FloatArray:
    """The pitch in Hz at times by YIN (de Cheveigné and Kawahara 2002), librosa's."""
    hop = round(0.005 * clip.rate)
    frame = 2 ** math.ceil(math.log2(4 * clip.rate / hz_range[0]))
    hz = librosa().yin(
        clip.samples[0],
        fmin=hz_range[0],
        fmax=hz_range[1],
        sr=clip.rate,
        frame_length=frame,
        hop_length=hop,
    )
    found: FloatArray = np.interp(times_s, np.arange(len(hz)) * hop / clip.rate, hz)
    return found


def formants_at(clip: Clip, times_s: FloatArray, *, rate: int = 10000) -> FloatArray:
    """The second formant in Hz at times (n,), NaN where there is none: roots of a predictor of
    order 10 (Burg's method) over 40 ms."""
    frames = _frames(resample(clip, rate), times_s, 0.04)
    found = []
    for frame in frames:
        if not np.abs(frame).max() > 0:
            found.append(np.nan)
            continue
        roots = np.roots(librosa().lpc(frame, order=10))
        roots = roots[np.imag(roots) > 0.01]
        hz = np.angle(roots) * rate / (2 * np.pi)
        width_hz = -np.log(np.abs(roots)) * rate / np.pi
        hz = np.sort(hz[(width_hz < 400) & (hz > 90)])
        found.append(float(hz[1]) if len(hz) > 1 else np.nan)
    return np.array(found)


def envelopes_at(clip: Clip, times_s: FloatArray, *, rate: int = 10000) -> FloatArray:
    """Spectral envelopes in dB (n, bins) at times, over 40 ms: a predictor's of order 12."""
    found = []
    for frame in _frames(resample(clip, rate), times_s, 0.04):
        coefficients = librosa().lpc(frame, order=12)
        error = signal.lfilter(coefficients, [1.0], frame)
        response = np.abs(np.fft.rfft(coefficients, 256)) / max(float(np.std(error)), 1e-9)
        found.append(-20 * np.log10(response))
    return np.array(found)


def log_mels_at(clip: Clip, times_s: FloatArray) -> FloatArray:
    """Levels of 40 mel bands in dB (n, 40) at times, over 23 ms, none below -60 of the loudest."""
    frames = _frames(clip, times_s, 512 / 22050)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    bank = librosa().filters.mel(sr=clip.rate, n_fft=frames.shape[1], n_mels=40, fmax=8000)
    db = 10 * np.log10(power @ bank.T + 1e-12)
    found: FloatArray = np.maximum(db, db.max() - 60)
    return found


def phone_distances(speech: Speech, moved: Clip, time_map: TimeMap) -> list[float]:
    """By how many dB the mel bands of each phone differ from the source's, in the mean, where a
    map takes them."""
    found = []
    for phone in speech.phones:
        t = np.arange(phone.start_s + 0.0025, phone.end_s, 0.005)
        if len(t):
            there = log_mels_at(moved, time_map.after(t))
            found.append(float(np.abs(there - log_mels_at(speech.clip, t)).mean()))
    return found


def level_db(clip: Clip, start_s: float, end_s: float) -> float:
    """The level between two times, RMS, dB."""
    part = clip.samples[0, round(start_s * clip.rate) : round(end_s * clip.rate)]
    return (
        float(10 * np.log10(np.mean(part.astype(np.float64) ** 2) + 1e-12)) if len(part) else -120.0
    )


def near(cents: FloatArray, within: float = 50.0) -> float:
    """The share of frames within so many cents; those without pitch count as misses (RPA)."""
    return float((np.abs(np.nan_to_num(cents, nan=np.inf)) <= within).mean()) if len(cents) else 0.0


def _frames(clip: Clip, times_s: FloatArray, window_s: float) -> FloatArray:
    """Hann windowed frames (n, window) round times of a mono clip."""
    n = 2 * (round(window_s * clip.rate) // 2)
    padded = np.pad(clip.samples[0].astype(np.float64), n)
    starts = np.clip(
        np.rint(np.asarray(times_s) * clip.rate).astype(int) + n // 2, 0, len(padded) - n
    )
    found: FloatArray = padded[starts[:, None] + np.arange(n)] * np.hanning(n)
    return found


def _likest(wanted: FloatArray, around: FloatArray) -> float:
    """At which place in a longer curve it goes most nearly as a shorter one does, up to a factor:
    where the angle between the two is least."""
    alike = signal.correlate(around, wanted, "valid")
    power = signal.correlate(around**2, np.ones(len(wanted)), "valid") * (wanted @ wanted)
    return _lowest(1 - alike**2 / np.maximum(power, 1e-30))


def _lowest(values: NDArray[np.float64]) -> float:
    """Where a curve is lowest, between its samples by a parabola."""
    k = int(values.argmin())
    if not 0 < k < len(values) - 1:
        return float(k)
    before, here, behind = values[k - 1 : k + 2]
    bend = before - 2 * here + behind
    return k + (0.5 * (before - behind) / bend if bend > 0 else 0.0)
