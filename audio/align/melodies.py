"""Melodies for syllables: made from chords and scale, and shared out note by note."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from audio.align.intonation import nearest_in_scale
from audio.align.music import FloatArray, Grid, Music, Tone
from audio.align.pieces import SHORTEST_S
from audio.align.syllables import Syllable
from audio.key import CHORDS

UNITS = (0.25, 0.5, 1.0)  # beats; the shortest note of a made melody
REACH = 7.0  # semitones that a made melody goes from the voice's middle
BREATH_S = 0.12  # a silence that ends a line
_STEPS, _LIKELY = (-2, -1, 0, 1, 2), (0.15, 0.3, 0.1, 0.3, 0.15)  # of the scale
_HELD_UNITS = 3  # that the last note of a line lasts at least
# What sharing out costs, next to log(time on the note / time as spoken, at the melody's pace) ** 2
# of a syllable.
_MELISMA, _SHARED, _TIGHT, _UNSUNG = 1.0, 1.0, 10.0, 0.6
_SLOWEST = 4.0  # times the pace of speech: on slower notes syllables come together
_BEAM = 16  # notes that a syllable may still begin on
_MOST_NOTES, _MOST_SYLLABLES = 4, 8  # to one syllable, to one note


@dataclass(frozen=True, kw_only=True)
class Sung:
    """What one syllable sings: notes in order, their places in beats of the music."""

    syllable: int
    tones: tuple[Tone, ...]


def made(
    spoken: Sequence[Syllable], music: Music, start_beat: float, *, middle: float, seed: int
) -> tuple[Tone, ...]:
    """A note for each syllable, the first at `start_beat`: the same seed, the same melody.

    Its shortest notes are the parts of a beat nearest to the pace of speech; stressed syllables
    lie on the heavier places and on notes of the chord, the rest walk on the scale round `middle`
    (MIDI); a line ends on a long note of the tonic's triad, and the next one begins on a beat.
    """
    rng = np.random.default_rng(seed)
    grid = music.grid
    lengths = _lengths(spoken, grid)
    found: list[Tone] = []
    pitch = nearest_in_scale(middle, _chord(music, start_beat))
    for k, (start, beats) in enumerate(lengths):
        at = start_beat + start
        is_last = k + 1 == len(spoken) or _ends_line(spoken, k)
        if k > 0:
            pitch = _stepped(pitch, music.scale, int(rng.choice(_STEPS, p=_LIKELY)))
        pitch += 12 * (pitch < middle - REACH) - 12 * (pitch > middle + REACH)
        if is_last and music.tonic is not None:
            pitch = nearest_in_scale(pitch, _triad(music))
        elif is_last or spoken[k].stress == 2:
            pitch = nearest_in_scale(pitch, _chord(music, at))
        found.append(Tone(start_beat=at, beats=beats, pitch=pitch))
    return tuple(found)


def shared_out(spoken: Sequence[Syllable], tones: Sequence[Tone], grid: Grid) -> tuple[Sung, ...]:
    """Each syllable's notes, in order, by the least change of pace (dynamic programming).

    A melody that is too short is repeated, whole bars later. Where notes are quicker than speech a
    syllable has up to four of them; where they are far slower a note has up to eight syllables,
    which part it. Notes behind the last syllable stay unsung.
    """
    prices = _Prices(spoken, [tone.beats * grid.beat_s for tone in tones])
    notes = _repeated(tones, len(spoken), grid)
    count, total = len(spoken), len(notes)
    cost = np.full((count + 1, total + 1), np.inf)
    cost[0, 0] = 0.0
    way = np.zeros((count + 1, total + 1, 2), np.int64)
    starts = [tone.start_beat * grid.beat_s for tone in notes]
    ends = [(tone.start_beat + tone.beats) * grid.beat_s for tone in notes]
    for i in range(count):
        best = np.argsort(cost[i, :total])[:_BEAM]
        for j in best[np.isfinite(cost[i, best])].tolist():
            for syllables, taken in _moves(count - i, total - j):
                room_s = ends[j + taken - 1] - starts[j]
                price = prices.of(i, syllables, room_s)
                price += _MELISMA * (taken - 1) + _SHARED * (syllables - 1)
                if cost[i, j] + price < cost[i + syllables, j + taken]:
                    cost[i + syllables, j + taken] = cost[i, j] + price
                    way[i + syllables, j + taken] = syllables, taken
    unsung = (-np.arange(total + 1)) % len(tones)
    i, j = count, int(np.argmin(cost[count] + _UNSUNG * unsung))
    found: list[Sung] = []
    while i > 0:
        syllables, taken = (int(n) for n in way[i, j])
        i, j = i - syllables, j - taken
        own = notes[j : j + taken]
        parts = [own] if syllables == 1 else [(part,) for part in _parted(own[0], syllables)]
        found += [Sung(syllable=i + k, tones=part) for k, part in reversed(list(enumerate(parts)))]
    return tuple(reversed(found))


class _Prices:
    """What it costs that syllables sing for a time."""

    def __init__(self, spoken: Sequence[Syllable], notes_s: Sequence[float]) -> None:
        own_s = np.array([s.end_s - s.start_s for s in spoken])
        pace = float(np.clip(np.median(notes_s) / np.median(own_s), 1.0, _SLOWEST))
        self.natural = np.log(pace * own_s).tolist()
        self.needed = np.log(least_s(spoken)).tolist()

    def of(self, first: int, count: int, room_s: float) -> float:
        """The price of `count` syllables from `first` on, all in `room_s` seconds."""
        own, price = math.log(room_s / count), 0.0
        for k in range(first, first + count):
            price += (own - self.natural[k]) ** 2 + _TIGHT * max(self.needed[k] - own, 0.0)
        return price


def least_s(spoken: Sequence[Syllable]) -> FloatArray:
    """The least time from each syllable's note to the next one's: its vowel at half its length,
    the consonants as they are. The last one's is its own."""
    nexts = [*(s.anchor_s for s in spoken[1:]), spoken[-1].end_s]
    return np.array(
        [
            max(until - s.anchor_s - 0.5 * (s.vowel_end_s - s.vowel_s), SHORTEST_S)
            for s, until in zip(spoken, nexts, strict=True)
        ]
    )


def _moves(syllables: int, notes: int) -> list[tuple[int, int]]:
    """How many syllables may take how many notes next."""
    melismas = [(1, n) for n in range(1, min(_MOST_NOTES, notes) + 1)]
    return melismas + [(n, 1) for n in range(2, min(_MOST_SYLLABLES, syllables) + 1)]


def _parted(tone: Tone, count: int) -> tuple[Tone, ...]:
    beats = tone.beats / count
    return tuple(
        replace(tone, start_beat=tone.start_beat + k * beats, beats=beats) for k in range(count)
    )


def _repeated(tones: Sequence[Tone], count: int, grid: Grid) -> tuple[Tone, ...]:
    """The melody often enough that each syllable could have four notes; whole bars between."""
    first = tones[0].start_beat
    length = grid.from_on(tones[-1].start_beat + tones[-1].beats - first, grid.meter)
    times = -(-count * _MOST_NOTES // len(tones))
    return tuple(
        replace(tone, start_beat=tone.start_beat + k * length)
        for k in range(times)
        for tone in tones
    )


def _lengths(spoken: Sequence[Syllable], grid: Grid) -> list[tuple[float, float]]:
    """Start and length in beats of each syllable's note, from 0 on."""
    spoken_s = np.array([s.end_s - s.start_s for s in spoken])
    least = least_s(spoken) / grid.beat_s
    typical = float(np.median(spoken_s))
    unit = min(UNITS, key=lambda beats: abs(np.log(beats * grid.beat_s / typical)))
    starts, at = [], 0.0
    for k, syllable in enumerate(spoken):
        is_odd = round(at / unit) % 2 == 1
        if is_odd and syllable.stress == 2 and k > 0:
            at += unit
        starts.append(at)
        is_long = syllable.stress == 2 and spoken_s[k] > 1.2 * typical
        at += unit * max(2 if is_long else 1, math.ceil(least[k] / unit))
        if _ends_line(spoken, k):
            at = grid.from_on(max(at, starts[-1] + _HELD_UNITS * unit), 1.0)
    ends = [*starts[1:], grid.from_on(max(at, starts[-1] + _HELD_UNITS * unit), 1.0)]
    return [(a, b - a) for a, b in zip(starts, ends, strict=True)]


def _ends_line(spoken: Sequence[Syllable], k: int) -> bool:
    return k + 1 < len(spoken) and spoken[k + 1].start_s - spoken[k].end_s >= BREATH_S


def _triad(music: Music) -> tuple[int, ...]:
    third = 4 if music.mode == "major" else 3
    return tuple(((music.tonic or 0) + step) % 12 for step in (0, third, 7))


def _chord(music: Music, beat: float) -> tuple[int, ...]:
    """The pitch classes of the chord at a place; of the tonic's, or the scale, where none is."""
    chord = music.chord(beat)
    if chord is not None:
        return tuple((chord.root + step) % 12 for step in CHORDS[chord.kind])
    return music.scale if music.tonic is None else _triad(music)


def _stepped(pitch: float, scale: Sequence[int], steps: int) -> float:
    """The note so many steps of a scale above one; the first step leads into the scale."""
    at = pitch
    for _ in range(abs(steps)):
        direction = 1 if steps > 0 else -1
        at += direction
        while round(at) % 12 not in scale:
            at += direction
    return at
