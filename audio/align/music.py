"""What a voice has to fit: the grid of the beats, the key, the chords, the lead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audio.errors import ParameterError
from audio.key import MODES, Chord
from audio.names import lookup, within
from audio.types import MAX_BPM, MIN_BPM, Note

FloatArray = NDArray[np.float64]
# Slots to a beat; 't' are triplets.
SUBDIVISIONS = {"1/4": 1, "1/8": 2, "1/8t": 3, "1/16": 4, "1/16t": 6}
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
CHROMATIC = tuple(range(12))
MAX_BEAT = 1e6
_CLOSE = 1e-6  # beats


@dataclass(frozen=True, kw_only=True)
class Tone:
    """A note to sing: where it begins and how long it lasts, in beats, and its MIDI pitch.

    The pitch may lie between the keys: 60.37 is 37 cents above C4.
    """

    start_beat: float
    beats: float
    pitch: float


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Beats of a steady tempo: beat 0 begins bar 1, `first_beat_s` after the music's start."""

    bpm: float
    meter: int = 4
    first_beat_s: float = 0.0

    def __post_init__(self) -> None:
        within("bpm", self.bpm, MIN_BPM, MAX_BPM)
        within("meter", self.meter, 1, 255)
        if not math.isfinite(self.first_beat_s):
            raise ParameterError(f"a first beat at {self.first_beat_s:g} s: give a time in seconds")

    @property
    def beat_s(self) -> float:
        return 60 / self.bpm

    def seconds(self, beat: float) -> float:
        """When a beat begins, in seconds from the music's start."""
        return self.first_beat_s + beat * self.beat_s

    def beat(self, seconds: float) -> float:
        """The place in beats of a time in seconds."""
        return (seconds - self.first_beat_s) / self.beat_s

    def slots(
        self, subdivision: str, first: float, last: float, *, swing: float = 0.0
    ) -> FloatArray:
        """The places in beats of a subdivision's slots from `first` to `last`, both included.

        Swing 0 .. 1 moves every second slot of eighths and sixteenths later, at 1 by a third of
        its distance: to where a triplet has it. Raises ParameterError for no known subdivision.
        """
        per_beat = lookup(SUBDIVISIONS, subdivision, "subdivision")
        within("swing", swing, 0, 1)
        k = np.arange(math.floor(first * per_beat) - 1, math.ceil(last * per_beat) + 1)
        swung = per_beat in (2, 4)
        places = (k + (k % 2) * swing * swung / 3) / per_beat
        return places[(places >= first - _CLOSE) & (places <= last + _CLOSE)]

    def weakness(self, beats: ArrayLike) -> FloatArray:
        """How far places are from a bar's first beat in weight: 0 there, 1 half way, 2 on other
        beats, 3 on half beats, 4 elsewhere."""
        at = np.asarray(beats, np.float64)

        def on(unit: float) -> NDArray[np.bool_]:
            return np.abs(at / unit - np.rint(at / unit)) * unit < 1e-3

        half = self.meter / 2 if self.meter % 2 == 0 else self.meter
        found: FloatArray = np.select(
            [on(self.meter), on(half), on(1), on(0.5)], [0.0, 1.0, 2.0, 3.0], 4.0
        )
        return found

    def from_on(self, beat: float, unit: float) -> float:
        """The first place that is a multiple of `unit` beats, at `beat` or after it."""
        return math.ceil(beat / unit - _CLOSE) * unit


@dataclass(frozen=True, kw_only=True)
class Music:
    """The music under a voice. Times are in seconds from its start, as `audio.key` gives them.

    `tonic` (0 = C .. 11 = B) is None where there is no key. `chords` and `lead` may cover only
    the first `beats` beats, which then repeat, as a loop under a voice does.
    """

    bpm: float
    meter: int = 4
    first_beat_s: float = 0.0
    tonic: int | None = None
    mode: str = "major"
    chords: tuple[Chord, ...] = ()
    lead: tuple[Note, ...] = ()
    beats: float | None = None

    def __post_init__(self) -> None:
        _ = self.grid  # refuses what is no tempo
        if self.mode not in MODES:
            raise ParameterError(f"unknown mode {self.mode!r}: known: {', '.join(MODES)}")
        if self.tonic is not None and self.tonic not in CHROMATIC:
            raise ParameterError(f"tonic {self.tonic}: give 0 (C) to 11 (B)")
        if self.beats is not None and not 0 < self.beats < MAX_BEAT:
            raise ParameterError(f"music of {self.beats:g} beats: give more than 0")

    @property
    def grid(self) -> Grid:
        return Grid(bpm=self.bpm, meter=self.meter, first_beat_s=self.first_beat_s)

    @property
    def scale(self) -> tuple[int, ...]:
        """The pitch classes of the key; all twelve where there is none."""
        if self.tonic is None:
            return CHROMATIC
        return tuple((self.tonic + step) % 12 for step in SCALES[self.mode])

    def chord(self, beat: float) -> Chord | None:
        """The chord that sounds at a place in beats."""
        within_s = self.grid.seconds(self._wrapped(beat)) + _CLOSE
        return next((c for c in self.chords if c.start_s <= within_s < c.end_s), None)

    def sung(self, beat: float) -> tuple[Tone, ...]:
        """The lead's notes from a place in beats on, once round where the music repeats."""
        found = tones(self.lead, self.grid)
        if self.beats is None:
            return tuple(tone for tone in found if tone.start_beat >= beat - _CLOSE)
        moved = [
            Tone(
                start_beat=beat + (tone.start_beat - beat + _CLOSE) % self.beats - _CLOSE,
                beats=tone.beats,
                pitch=tone.pitch,
            )
            for tone in found
        ]
        return tuple(sorted(moved, key=lambda tone: tone.start_beat))

    def _wrapped(self, beat: float) -> float:
        return beat if self.beats is None else beat % self.beats


def tones(notes: Sequence[Note], grid: Grid) -> tuple[Tone, ...]:
    """Notes with times in seconds as tones with places in beats, one voice: a note ends where the
    next begins, and of those that begin together the highest is kept."""
    ordered = sorted(notes, key=lambda note: (note.start_s, -note.pitch))
    kept: list[Note] = []
    for note in ordered:
        is_new = not kept or note.start_s - kept[-1].start_s > _CLOSE
        if is_new and note.duration_s > _CLOSE:
            kept.append(note)
    found = []
    for k, note in enumerate(kept):
        end_s = note.start_s + note.duration_s
        if k + 1 < len(kept):
            end_s = min(end_s, kept[k + 1].start_s)
        found.append(
            Tone(
                start_beat=grid.beat(note.start_s),
                beats=(end_s - note.start_s) / grid.beat_s,
                pitch=float(note.pitch),
            )
        )
    return tuple(found)
