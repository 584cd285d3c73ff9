"""The nouns of speech: voices, phones, words and what was said with their times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from audio.types import Clip

# How times came to be: told by the engine, found by alignment, or shared out by rule.
Timing = Literal["exact", "aligned", "estimated"]


@dataclass(frozen=True, kw_only=True)
class Voice:
    """A voice that an engine speaks with.

    `id` is what a request names, unique within its engine; `language` is a BCP 47 tag such as
    'en-US' or 'de'; `licence` is shown wherever the voice is offered.
    """

    id: str
    engine: str
    name: str
    language: str
    licence: str


@dataclass(frozen=True, kw_only=True)
class Phone:
    """One sound of speech between two times: IPA, and the stress of its syllable.

    `stress` is 2 for primary, 1 for secondary, 0 for none, and stands on the vowel.
    """

    symbol: str
    start_s: float
    end_s: float
    stress: int = 0


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word as it stands in the text, when it is said, and its phones in order."""

    text: str
    start_s: float
    end_s: float
    phones: tuple[Phone, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Speech:
    """What was said: a mono clip and its words, rising in time and within the clip."""

    text: str
    clip: Clip
    words: tuple[Word, ...]
    voice: Voice
    timing: Timing = "exact"

    @property
    def phones(self) -> tuple[Phone, ...]:
        """All phones in order."""
        return tuple(phone for word in self.words for phone in word.phones)


class SpeechEngine(Protocol):
    """Something that speaks. Engines are made by functions and hold what they have loaded."""

    def voices(self) -> Sequence[Voice]:
        """The voices that can speak here and now."""
        ...

    def speak(self, text: str, voice: Voice) -> Speech:
        """The text, said by the voice.

        Raises ParameterError for a text with nothing to say, MachineError where the engine fails.
        """
        ...
