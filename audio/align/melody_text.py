"""Melodies as text: `C4 1/4 D4 1/8 - 1/8 F#4+37 3/8`."""

from __future__ import annotations

import re
from fractions import Fraction

from audio.align.music import Tone
from audio.errors import ParameterError

BEATS_TO_A_WHOLE = 4
RESTS = ("-", "r")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NAME = re.compile(r"([A-Ga-g])(#|b)?(-?\d)([+-]\d+(?:\.\d+)?)?")
_LENGTH = re.compile(r"(\d{1,3})(?:/(\d{1,3}))?(t?)(\.?)")
_LONGEST = 64  # whole notes
_HOW = "give notes and lengths in turn, as in 'C4 1/4 D4 1/8 - 1/8'"


def parsed(text: str) -> tuple[Tone, ...]:
    """The tones that a text names, from beat 0 on.

    A note is a letter, # or b, an octave (C4 is the middle C) and, where wanted, cents: A3-20.
    A length is a share of a whole note, with t for triplets and a dot for half as much again.
    Rests are - or r. Commas and bar lines are passed over.
    Raises ParameterError for anything else, and for a text without a note.
    """
    words = re.sub(r"[,|]", " ", text).split()
    if len(words) % 2:
        raise ParameterError(f"{words[-1]!r} stands without a partner: {_HOW}")
    found: list[Tone] = []
    at = Fraction(0)
    for name, length in zip(words[::2], words[1::2], strict=True):
        beats = _beats(length)
        if name not in RESTS:
            found.append(Tone(start_beat=float(at), beats=float(beats), pitch=_pitch(name)))
        at += beats
    if not found:
        raise ParameterError(f"a melody without a note: {_HOW}")
    return tuple(found)


def _pitch(name: str) -> float:
    match = _NAME.fullmatch(name)
    if match is None:
        raise ParameterError(f"{name!r} is no note: give one such as C4, F#3, Bb4 or A3+20, or -")
    letter, sign, octave, cents = match.groups()
    semitones = _STEPS[letter.upper()] + {"#": 1, "b": -1, None: 0}[sign]
    pitch = 12 * (int(octave) + 1) + semitones + float(cents or 0) / 100
    if not 0 <= pitch <= 127:
        raise ParameterError(f"{name!r} is MIDI pitch {pitch:g}: give C-1 to G9")
    return pitch


def _beats(length: str) -> Fraction:
    match = _LENGTH.fullmatch(length)
    over, under = (match[1], match[2] or "1") if match else ("0", "1")
    if match is None or int(over) == 0 or int(under) == 0:
        raise ParameterError(f"{length!r} is no length: give one such as 1/4, 1/8t or 3/8")
    whole = Fraction(int(over), int(under))
    if whole > _LONGEST:
        raise ParameterError(f"{length!r} is too long: give at most {_LONGEST} whole notes")
    if match[3]:
        whole *= Fraction(2, 3)
    if match[4]:
        whole *= Fraction(3, 2)
    return whole * BEATS_TO_A_WHOLE
