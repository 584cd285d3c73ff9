"""Keys, scales, chord progressions and melodies with musical sense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = {"C#": "Db", "D#": "Eb", "F#": "Gb", "G#": "Ab", "A#": "Bb"}
SCALES = {"minor": (0, 2, 3, 5, 7, 8, 10), "major": (0, 2, 4, 5, 7, 9, 11)}
# Each begins on the tonic, so that a loop states its key; degrees count from 0 (0 = I or i).
PROGRESSIONS = {
    "minor": ((0,), (0, 5), (0, 3), (0, 6), (0, 5, 2, 6), (0, 3, 5, 4), (0, 6, 5, 6), (0, 2, 3, 5)),
    "major": ((0,), (0, 3), (0, 4), (0, 5), (0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 0, 4), (0, 2, 3, 4)),
}


@dataclass(frozen=True, kw_only=True)
class Key:
    """A tonic pitch class (0 = C ... 11 = B) and a mode, 'minor' or 'major'."""

    root: int
    mode: str

    def __str__(self) -> str:
        return f"{PITCHES[self.root]} {self.mode}"

    def degree(self, index: int) -> int:
        """Semitones above the tonic of a scale degree; 7 is the octave, -1 the seventh below."""
        octave, step = divmod(index, 7)
        return 12 * octave + SCALES[self.mode][step]


def chord_pitches(key: Key, degree: int, *, seventh: bool) -> tuple[int, ...]:
    """Semitones above the tonic of the triad (or seventh chord) on a scale degree."""
    steps = (0, 2, 4, 6) if seventh else (0, 2, 4)
    return tuple(key.degree(degree + s) for s in steps)


def voicing(key: Key, degree: int, *, seventh: bool, low: int) -> tuple[int, ...]:
    """MIDI notes of a chord in close position within the octave that begins at MIDI note `low`."""
    return tuple(
        sorted(low + (key.root + p - low) % 12 for p in chord_pitches(key, degree, seventh=seventh))
    )


def melody(
    key: Key,
    degrees: tuple[int, ...],
    *,
    rhythm: tuple[int, ...],
    steps: int,
    low: int,
    rng: np.random.Generator,
) -> tuple[int, ...]:
    """One MIDI note for each onset in `rhythm` (sixteenth steps): a walk on the scale over the
    chords.

    Chord notes fall on the beats, steps and small leaps between; the first note is the tonic,
    the second beat note its third, so that the mode is stated early.
    """
    home = low + (key.root - low) % 12
    notes: list[int] = []
    place = 0
    for count, step in enumerate(rhythm):
        chord = degrees[step * len(degrees) // steps]
        if count == 0:
            place = 0
        elif count == 1:
            place = 2
        elif step % 4 == 0:
            targets = [chord + d for d in (-7, -5, -3, 0, 2, 4, 7)]
            place = min(targets, key=lambda d: abs(d - place) + rng.random())
        else:
            place += int(rng.choice((-2, -1, -1, 0, 1, 1, 2)))
        place = max(-3, min(8, place))
        notes.append(home + key.degree(place))
    return tuple(notes)
