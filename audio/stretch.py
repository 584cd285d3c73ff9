"""Sound at another length or pitch: recordings by Rubber Band (in pedalboard), loops on a grid."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pedalboard

from audio.errors import ParameterError
from audio.files import resample
from audio.loops import as_circle
from audio.onsets import HOP, RATE, rises
from audio.types import Clip, Loop, Samples

FACTORS = (0.25, 4.0)
MAX_SEMITONES = 24.0
# Rubber Band's finer engine strays, by up to 2 ms in a second of attacks. Pieces begin anew, each
# at its place: on an attack, where phases begin anew as well, or after this long without one.
_PIECE_S, _LONGEST_S = 1.0, 8.0
_ATTACK_DB = 3.0  # rise of level, in the mean of the bands
_CONTEXT_S = 0.25  # of its neighbours, on either side of a piece
_RING_S = 2.0  # of a loop's other end, before and after it
_FADE_S = 0.01


def stretched(clip: Clip, n: int, *, semitones: float = 0.0, circular: bool = False) -> Clip:
    """The clip over exactly `n` samples, its pitch moved by `semitones` and not by the length.

    A loop (`circular`) is stretched among repeats of itself and closed where two of them differ
    least, so that it keeps its seam. At 0.6 to 2 times the length bursts of noise stayed within
    3.1 ms of their places, bare clicks within 7.
    Raises ParameterError for lengths outside a quarter to four times, for over 24 semitones, for no
    sound and for samples that are no numbers.
    """
    if not clip.n:
        raise ParameterError("a clip without samples cannot be stretched: give some sound")
    factor = n / clip.n
    if not FACTORS[0] <= factor <= FACTORS[1]:
        raise ParameterError(
            f"{factor:.3g} times as long: sound can be stretched by {FACTORS[0]:g} to "
            f"{FACTORS[1]:g}"
        )
    refuse_semitones(semitones)
    if not np.isfinite(clip.samples).all():
        raise ParameterError("the sound holds samples that are no numbers: export it again")
    if n == clip.n and semitones == 0:
        return clip
    if not circular:
        return replace(clip, samples=_in_pieces(clip.samples, n, semitones, rate=clip.rate))
    around = round(_RING_S * clip.rate)
    edge = round(around * factor)
    ring = np.pad(clip.samples, ((0, 0), (around, around)), mode="wrap")
    wide = _in_pieces(ring, n + 2 * edge, semitones, rate=clip.rate)
    return replace(clip, samples=_closed(wide, edge, fade=min(round(_FADE_S * clip.rate), n // 4)))


def refuse_semitones(semitones: float) -> None:
    """Raises ParameterError for more than two octaves up or down."""
    if not abs(semitones) <= MAX_SEMITONES:
        raise ParameterError(f"{semitones:g} semitones: give -24 to 24")


def repeated(loop: Loop, times: int) -> Loop:
    """The loop `times` times on end, exactly as long as so many beats are.

    Repeat k begins at round(k * length): where that is one sample more or less than the loop has,
    the circle is resampled to it, by its Fourier series (0.01 cents in a loop of 4 s).
    """
    if times < 1:
        raise ParameterError(f"{times} repeats: give at least 1")
    tempo, clip = loop.tempo, loop.clip
    edges = [round(tempo.exact(clip.rate) * k) for k in range(times + 1)]
    lengths = [end - start for start, end in pairwise(edges)]
    turns = {n: as_circle(clip.samples, n) for n in set(lengths)}
    samples = np.concatenate([turns[n] for n in lengths], axis=1)
    longer = replace(tempo, beats=tempo.beats * times)
    return Loop(clip=replace(clip, samples=samples), tempo=longer)


def _in_pieces(samples: Samples, n: int, semitones: float, *, rate: int) -> Samples:
    """Samples over exactly n, each piece at its place, passing into one another."""
    before, factor = samples.shape[1], n / samples.shape[1]
    edges = _edges(samples, rate)
    context, fade = round(_CONTEXT_S * rate), round(_FADE_S * rate)
    found, done = np.zeros((samples.shape[0], n), np.float32), 0
    for k, (edge, following) in enumerate(pairwise(edges)):
        first, last = max(0, edge - context), min(before, following + context)
        start, end = round(first * factor), round(last * factor)
        piece = _sounded(samples[:, first:last], end - start, semitones, rate=rate)
        if k:
            spare = (done - start) // 5  # of the overlap, at the end of either
            inside = slice(spare, done - start - spare)
            at = spare + _nearest(found[:, start:done][:, inside], piece[:, inside], fade)
            piece = _faded(found[:, start + at : start + at + fade], piece[:, at:])
            start += at
        found[:, start:end], done = piece, end
    return found


def _edges(samples: Samples, rate: int) -> list[int]:
    """Where pieces begin, and the end: at the greatest attack of a second, else at the next one."""
    n, found = samples.shape[1], [0]
    mono = Clip(samples=samples.mean(0, keepdims=True, dtype=np.float32), rate=rate)
    curve = rises(resample(mono, RATE).samples[0]).mean(0)
    at = np.rint(np.arange(len(curve)) * HOP * rate / RATE).astype(int)
    shortest, longest = round(_PIECE_S * rate), round(_LONGEST_S * rate)
    while n - found[-1] > 2 * shortest:
        start, last = found[-1] + shortest, min(found[-1] + longest, n - shortest)
        attacks = np.flatnonzero((at >= start) & (at <= last) & (curve >= _ATTACK_DB))
        near = attacks[at[attacks] < start + shortest]
        if len(near):
            last = int(at[near[np.argmax(curve[near])]])
        elif len(attacks):
            last = int(at[attacks[0]])
        found.append(last)
    return [*found, n]


def _sounded(samples: Samples, n: int, semitones: float, *, rate: int) -> Samples:
    stretched = pedalboard.time_stretch(
        np.ascontiguousarray(samples),
        float(rate),
        stretch_factor=samples.shape[1] / n,
        pitch_shift_in_semitones=semitones,
        high_quality=True,
    )
    short = max(0, n - stretched.shape[1])  # Rubber Band is off by a few
    return np.pad(np.asarray(stretched, np.float32)[:, :n], ((0, 0), (0, short)))


def _closed(wide: Samples, edge: int, *, fade: int) -> Samples:
    """The circle in a line that shows `edge` samples of it twice more, before and behind."""
    n, spare = wide.shape[1] - 2 * edge, 2 * edge // 5
    inside = wide[:, spare : 2 * edge - spare]
    again = wide[:, n + spare : n + 2 * edge - spare]
    at = spare + _nearest(again, inside, fade)
    turn = _faded(wide[:, at + n : at + n + fade], wide[:, at : at + n])
    return np.roll(turn, at - edge, axis=1)


def _nearest(one: Samples, other: Samples, width: int) -> int:
    """Where over `width` samples two renderings of the same sound differ least."""
    apart = np.square(one - other, dtype=np.float64).sum(0)
    sums = np.concatenate([[0.0], np.cumsum(apart)])
    return int(np.argmin(sums[width:] - sums[: len(sums) - width]))


def _faded(before: Samples, after: Samples) -> Samples:
    """`after`, risen out of `before` over its length."""
    width = before.shape[1]
    rise = np.linspace(0.0, 1.0, width, endpoint=False, dtype=np.float32)
    found = after.copy()
    found[:, :width] = found[:, :width] * rise + before * (1 - rise)
    return found
