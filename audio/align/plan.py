"""What is to become of a sentence: where its sounds go, what falls where, what did not fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from audio.align.intonation import Contour
from audio.align.syllables import Syllable
from audio.align.time_map import TimeMap
from audio.speech.types import Speech, Word

# What can keep a word from its place, and how it is said.
PAUSED = "waits for the next free place"
OFF = "stands off the grid"
LATE = "comes later than its note"


@dataclass(frozen=True, kw_only=True, eq=False)
class Sentence:
    """What is to be fitted: the speech, its syllables, and its pitch as it is spoken."""

    speech: Speech
    syllables: tuple[Syllable, ...]
    contour: Contour


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """A moment of the speech that was to fall on a place in the music, all in seconds.

    `asked_s` is that place, `planned_s` where the plan puts the moment: elsewhere below full
    strength, and where it could not be had. `word` counts from 0.
    """

    word: int
    source_s: float
    asked_s: float
    planned_s: float


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """A word that could not be where it was wanted, and what became of it."""

    word: int
    text: str
    reason: str

    def __str__(self) -> str:
        return f"'{self.text}' {self.reason}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """How a sentence is moved: targets are seconds of the music, pitch goes by source times.

    `pitch` None leaves the pitch as it is spoken.
    """

    time_map: TimeMap
    pitch: Contour | None
    anchors: tuple[Anchor, ...]
    misfits: tuple[Misfit, ...] = ()

    @property
    def start_s(self) -> float:
        """When its sound begins in the music."""
        return float(self.time_map.target_s[0])

    @property
    def end_s(self) -> float:
        return float(self.time_map.target_s[-1])


def placed(speech: Speech, time_map: TimeMap) -> tuple[Word, ...]:
    """The words of a speech and their phones where a map puts them."""

    def moved(start_s: float, end_s: float) -> tuple[float, float]:
        start = float(time_map.after(start_s))
        return start, max(start, float(time_map.before(end_s)))

    words = []
    for word in speech.words:
        phones = []
        for phone in word.phones:
            start_s, end_s = moved(phone.start_s, phone.end_s)
            phones.append(replace(phone, start_s=start_s, end_s=end_s))
        start_s, end_s = moved(word.start_s, word.end_s)
        words.append(replace(word, start_s=start_s, end_s=end_s, phones=tuple(phones)))
    return tuple(words)


def anchored(time_map: TimeMap, wanted: tuple[tuple[int, float, float], ...]) -> tuple[Anchor, ...]:
    """Anchors of (word, source time, asked time), planned where a map puts them."""
    return tuple(
        Anchor(word=word, source_s=s, asked_s=asked, planned_s=float(time_map.after(s)))
        for word, s, asked in wanted
    )
