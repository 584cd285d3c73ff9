"""Tempo, beats and bar 1 of a recording.

Music of a steady tempo is folded at each tempo that its onsets suggest; what a bar then looks like
(onsets in five bands and changes of notes at its sixteenths) tells whether it is one, and where it
begins. How bars look was learned from the procedural band: `rhythm.npz` is a mixture of logistic
models, trained on 5,500 of its loops at 60 to 180 bpm, half of them cut anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from audio import onsets
from audio.errors import ParameterError
from audio.files import resample
from audio.onsets import RATE, FloatArray, folded, rises
from audio.semitones import HOP as NOTE_HOP
from audio.semitones import levels_db, novelty, semitones
from audio.types import Clip

MIN_S, MAX_S = 1.0, 600.0
SILENT = 1e-4  # a peak below it is -80 dB
BPM_RANGE = (40.0, 240.0)
CANDIDATES = 9
# What a musician might count instead: other octaves, and triplets.
COUNTED = (1.0, 0.5, 2.0, 2.0 / 3.0, 1.5)
_FRAME_RATE = RATE / onsets.HOP
_BINS = 48  # places of a beat
_SIXTEENTH = _BINS // 4
_HARMONICS = ((1, 1.0), (2, 1.0), (3, 0.5), (4, 1.0), (6, 0.5), (8, 0.5))
# Nats that a tempo gains when all rises lie on its sixteenths: no loop of the band has taught that
# a bar of triplets to the true beat is none.
_ON_GRID = 15.0
_ON_BEAT = 8.0  # and when all of those lie on its beats
# Seconds by which a rise shows after its note began, in the median of 60 loops of the band.
_DELAY_S = -0.0058


@dataclass(frozen=True, kw_only=True)
class TempoEstimate:
    """A steady tempo: `bpm`, where its first beat and first bar begin, and what else it may be.

    `choices` are tempi in the order of their likelihood, octaves and triplets of the best among
    them; `confidence` is the share of the likelihood that the first one has, 0 .. 1.
    """

    bpm: float
    confidence: float
    choices: tuple[float, ...]
    offset_s: float
    downbeat_s: float
    beats_s: FloatArray


def estimate_tempo(clip: Clip, *, bpm_range: tuple[float, float] = BPM_RANGE) -> TempoEstimate:
    """The tempo of a recording whose tempo is steady; at most its first ten minutes are heard.

    Raises ParameterError for silence, less than a second of sound, samples that are no numbers, a
    range that is none.
    """
    if not 0 < bpm_range[0] < bpm_range[1]:
        raise ParameterError(
            f"tempi from {bpm_range[0]:g} to {bpm_range[1]:g}: give a rising range"
        )
    y = heard(clip)
    risen = rises(y)
    changes = novelty(levels_db(semitones(y)))
    tempi, strengths = _candidates(risen.mean(0), bpm_range)
    bars = [_Bar.of(risen, changes, bpm) for bpm in tempi]
    scores = np.stack(
        [
            _scores(bar, strength / strengths[0], len(y) / RATE)
            for bar, strength in zip(bars, strengths, strict=True)
        ]
    )
    likely = np.exp(scores - scores.max())
    likely /= likely.sum()
    order = np.argsort(-likely.sum(1))
    best = int(order[0])
    rotation = int(np.argmax(likely[best]))
    bpm = float(_refined(risen.mean(0), float(tempi[best])))
    bar_s, beat_s = 240 / bpm, 60 / bpm
    start_s = (bars[best].offset + rotation * _SIXTEENTH) / _BINS * beat_s
    start_s += _correction(risen, bpm, start_s) - _DELAY_S
    choices = [float(tempi[i]) for i in order if likely[i].sum() > 0.01]
    downbeat_s = start_s % bar_s
    offset_s = start_s % beat_s
    return TempoEstimate(
        bpm=bpm,
        confidence=float(likely[best].sum()),
        choices=_offered(bpm, choices, bpm_range),
        offset_s=offset_s,
        downbeat_s=downbeat_s,
        beats_s=np.arange(offset_s, clip.duration_s, beat_s),
    )


def heard(clip: Clip) -> NDArray[np.float32]:
    """The samples (n,) that are listened to: one channel at RATE, of at most ten minutes.

    Raises ParameterError for silence, less than a second of sound, samples that are no numbers.
    """
    if clip.duration_s < MIN_S:
        raise ParameterError(
            f"{clip.duration_s * 1000:.0f} ms of sound: give at least {MIN_S:g} s to listen to"
        )
    first = Clip(samples=clip.samples[:, : ceil(MAX_S * clip.rate)], rate=clip.rate)
    if not np.isfinite(first.samples).all():
        raise ParameterError("the sound holds samples that are no numbers: export it again")
    if float(np.abs(first.samples).max()) < SILENT:
        raise ParameterError("the sound is silent: give one that can be heard")
    channels = resample(first, RATE).samples
    middle: NDArray[np.float32] = channels.mean(0, dtype=np.float32)
    if float(np.abs(middle).max()) >= SILENT:
        return middle
    loudest: NDArray[np.float32] = channels[int(np.abs(channels).sum(1).argmax())]
    return loudest  # channels that cancel one another


def _candidates(rise: FloatArray, bpm_range: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """Tempi whose beats and parts of beats stand out in the spectrum of the rises, best first."""
    n = fft.next_fast_len(8 * len(rise))
    spectrum = np.abs(fft.rfft(rise - rise.mean(), n))
    grid = np.arange(len(spectrum)) * _FRAME_RATE / n
    low, high = (bpm / 60 for bpm in bpm_range)
    f = np.geomspace(low, high, int(np.log(high / low) / 3e-4))
    strength = sum(w * np.interp(h * f, grid, spectrum) for h, w in _HARMONICS)
    peaks = np.flatnonzero((strength[1:-1] > strength[:-2]) & (strength[1:-1] >= strength[2:])) + 1
    chosen: list[int] = []
    for peak in peaks[np.argsort(-strength[peaks])]:
        if all(abs(np.log(f[peak] / f[other])) > 0.01 for other in chosen):
            chosen.append(int(peak))
        if len(chosen) == CANDIDATES:
            break
    if not chosen:
        chosen = [int(np.argmax(strength))]
    return f[chosen] * 60, strength[chosen]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Bar:
    """What a bar looks like at one tempo; `offset` places after the clip's start lies a sixteenth.

    `onsets` (5, 16) at the sixteenths, `between` (5, 16) behind them, `changes` (2, 16) of notes;
    `share` of all rises that lies near a sixteenth, `pulses` (4,) of those on each in a beat.
    """

    bpm: float
    offset: int
    onsets: FloatArray
    between: FloatArray
    changes: FloatArray
    share: float
    pulses: FloatArray

    @staticmethod
    def of(risen: FloatArray, changes: FloatArray, bpm: float) -> _Bar:
        """The bar of rises and changes of notes, folded at a tempo."""
        risen = folded(risen, _FRAME_RATE, bpm / 240, bins=4 * _BINS)
        changes = folded(changes, RATE / NOTE_HOP, bpm / 240, bins=4 * _BINS)
        offset = _phase(risen)
        near = _steps(risen, offset, (-2, -1, 0, 1, 2, 3, 4)).max(0)
        behind = _steps(risen, offset, (5, 6, 7)).max(0)
        turns = _steps(changes, offset, (-3, -1, 0, 1, 3)).mean(0)
        means = near.mean(1, keepdims=True) + 0.15 * near.mean() + 1e-6
        return _Bar(
            bpm=bpm,
            offset=offset,
            onsets=near / means,
            between=behind / means,
            changes=turns / (turns.mean(1, keepdims=True) + 1e-6),
            pulses=near.sum(0).reshape(4, 4).sum(0) / (near.sum() + 1e-9),
            share=float(_steps(risen, offset, (-1, 0, 1, 2, 3)).sum() / (risen.sum() + 1e-9)),
        )


def _phase(risen: FloatArray) -> int:
    """Where the sixteenths of folded rises (bands, 4 * _BINS) lie, in places."""
    beat = risen.sum(0).reshape(-1, _BINS).sum(0)
    comb = np.zeros(_BINS)
    for place, strength in ((0, 1.0), (24, 1.0), (12, 0.6), (36, 0.6)):
        comb[[(place - 1) % _BINS, place, place + 1]] += np.array([0.5, 1.0, 0.5]) * strength
    fits = [np.dot(np.roll(comb, shift), beat - beat.mean()) for shift in range(2 * _SIXTEENTH)]
    return int(np.argmax(fits)) % _SIXTEENTH


def _steps(profile: FloatArray, offset: int, places: tuple[int, ...]) -> FloatArray:
    """Values (places, rows, 16) at places around each sixteenth of a profile (rows, 4 * _BINS)."""
    moved = np.roll(profile, -offset, axis=1)
    return np.stack([np.roll(moved, -place, axis=1)[:, ::_SIXTEENTH] for place in places])


def _scores(bar: _Bar, strength: float, duration_s: float) -> FloatArray:
    """The logarithm of how likely the bar begins at each of its sixteenths (16,)."""
    beats = duration_s * bar.bpm / 60
    is_whole = abs(beats / 4 - round(beats / 4)) * 4 < 0.03  # cut in bars, maybe from bar 1 on
    octave = np.log2(bar.bpm / 110)
    rows = []
    for rotation in range(16):
        at_start = abs((rotation + bar.offset / _SIXTEENTH + 8) % 16 - 8) < 0.25
        rows.append(
            np.concatenate(
                [
                    np.roll(bar.onsets, -rotation, 1).ravel(),
                    np.roll(bar.between, -rotation, 1).reshape(-1, 4, 4).mean(1).ravel(),
                    np.roll(bar.changes, -rotation, 1).ravel(),
                    [octave, octave**2, strength, at_start, is_whole, at_start and is_whole],
                ]
            )
        )
    weights, bias = _learned()
    scores: FloatArray = np.logaddexp.reduce(np.array(rows) @ weights + bias, axis=1)
    return scores + _ON_GRID * bar.share + _ON_BEAT * np.tile(bar.pulses, 4)


@cache
def _learned() -> tuple[FloatArray, FloatArray]:
    with np.load(Path(__file__).with_name("rhythm.npz"), allow_pickle=False) as file:
        return file["weights"].astype(np.float64), file["bias"].astype(np.float64)


def _refined(rise: FloatArray, bpm: float) -> float:
    """The tempo within a thousandth, by the steepest comb over the whole clip."""
    t = np.arange(len(rise)) / _FRAME_RATE
    centred = rise - rise.mean()

    def strength(tempo: float) -> float:
        turns = np.exp(-2j * np.pi * np.outer((1, 2, 4), t) * tempo / 60)
        return float(np.abs(turns @ centred).sum())

    step = bpm * min(6e-4, 15.0 / (t[-1] * bpm) / 20)
    for _ in range(4):
        below, here, above = (strength(bpm + k * step) for k in (-1, 0, 1))
        bend = below - 2 * here + above
        if bend >= 0:
            break
        bpm += float(np.clip(0.5 * (below - above) / bend, -1, 1)) * step
        step /= 2
    return bpm


def _correction(risen: FloatArray, bpm: float, start_s: float) -> float:
    """How much later than `start_s` and its beats the rises on them are, in seconds."""
    bins, beat_s = 960, 60 / bpm
    rise = folded(risen.sum(0, keepdims=True), _FRAME_RATE, bpm / 60, bins=bins)[0]
    smooth = np.fft.ifft(np.fft.fft(rise) * np.fft.fft(_hat(bins, beat_s))).real
    reach = round(min(0.04, beat_s / 10) / beat_s * bins)
    here = round(start_s % beat_s / beat_s * bins)
    near = smooth[(here + np.arange(-reach, reach + 1)) % bins]
    return (int(np.argmax(near)) - reach) / bins * beat_s


def _hat(bins: int, beat_s: float) -> FloatArray:
    """A bump a few frames wide, round 0."""
    away = np.minimum(np.arange(bins), bins - np.arange(bins)) / bins * beat_s
    return np.maximum(0.0, 1.0 - away * _FRAME_RATE / 3)


def _offered(bpm: float, likely: list[float], bpm_range: tuple[float, float]) -> tuple[float, ...]:
    """The tempo, what else is likely, then its octaves and triplets: each once, in the range."""
    low, high = bpm_range
    found: list[float] = []
    for tempo in (bpm, *likely, *(bpm * factor for factor in COUNTED)):
        is_new = all(abs(np.log(tempo / other)) > 0.01 for other in found)
        if is_new and low <= tempo <= high:
            found.append(float(tempo))
    return tuple(found)
