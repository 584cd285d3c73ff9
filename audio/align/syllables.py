"""Syllables of speech, and where each is felt to fall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from audio.errors import ParameterError
from audio.speech.phones import is_nucleus, sonority
from audio.speech.types import Phone, Speech

# A syllable is felt where its energy rises fastest, near the vowel's onset (Morton, Marcus and
# Frankish 1976; Rathcke et al. 2024). Seconds from the vowel's onset as the engine tells it to the
# fastest rise between 300 and 3000 Hz: medians of espeak's voices (bench/speech_align.py).
OFFSETS_S = {"en": -0.0105, "de": 0.002}
OTHER_OFFSET_S = -0.004
MAX_OFFSET_S = 0.1
# Of a word whose phones are not known: where its vowel begins.
_ONSET_SHARE, _ONSET_S = 0.3, 0.06


@dataclass(frozen=True, kw_only=True)
class Syllable:
    """A syllable between two times of the speech, in seconds, and the vowel that carries it.

    `anchor_s` is where it is felt to fall, never before it begins; `stress` is 2, 1 or 0; `word`
    counts from 0.
    """

    start_s: float
    vowel_s: float
    vowel_end_s: float
    end_s: float
    anchor_s: float
    stress: int
    word: int


def syllables(speech: Speech, *, offset_s: float | None = None) -> tuple[Syllable, ...]:
    """The syllables of speech, in order.

    `offset_s` is where a syllable is felt from its vowel's onset, by default the language's.
    Raises ParameterError for speech without words, and for an offset beyond 0.1 s.
    """
    if not any(word.end_s > word.start_s for word in speech.words):
        raise ParameterError("speech without words: there is nothing to place, give a text")
    if offset_s is None:
        language = speech.voice.language.partition("-")[0].lower()
        offset_s = OFFSETS_S.get(language, OTHER_OFFSET_S)
    if not (math.isfinite(offset_s) and abs(offset_s) <= MAX_OFFSET_S):
        raise ParameterError(
            f"an anchor {offset_s:g} s from the vowel: give -{MAX_OFFSET_S:g} to {MAX_OFFSET_S:g}"
        )
    found: list[Syllable] = []
    for index, word in enumerate(speech.words):
        if word.end_s <= word.start_s:
            continue
        for phones, nucleus in _split(word.phones or _whole(word.start_s, word.end_s)):
            found.append(
                Syllable(
                    start_s=phones[0].start_s,
                    vowel_s=nucleus.start_s,
                    vowel_end_s=nucleus.end_s,
                    end_s=phones[-1].end_s,
                    anchor_s=max(nucleus.start_s + offset_s, phones[0].start_s),
                    stress=max(phone.stress for phone in phones),
                    word=index,
                )
            )
    return tuple(found)


def _split(phones: Sequence[Phone]) -> list[tuple[Sequence[Phone], Phone]]:
    """A word's phones by syllables, each with its nucleus; the longest phone where none is one."""
    nuclei = [k for k, phone in enumerate(phones) if is_nucleus(phone.symbol)]
    if not nuclei:
        nuclei = [max(range(len(phones)), key=lambda k: phones[k].end_s - phones[k].start_s)]
    starts = [0]
    for before, here in zip(nuclei[:-1], nuclei[1:], strict=True):
        starts.append(_onset(phones, before + 1, here))
    ends = [*starts[1:], len(phones)]
    return [(phones[a:b], phones[k]) for a, b, k in zip(starts, ends, nuclei, strict=True)]


def _onset(phones: Sequence[Phone], first: int, nucleus: int) -> int:
    """Where a syllable begins among the consonants before its nucleus: while sonority falls
    away from it, the longest onset of rising sonority (Selkirk 1984)."""
    start = nucleus
    while start > first:
        before, here = sonority(phones[start - 1].symbol), sonority(phones[start].symbol)
        if before >= here:
            break
        start -= 1
    return start


def _whole(start_s: float, end_s: float) -> tuple[Phone, ...]:
    """Two phones for a word of which only the times are known: an onset and a vowel."""
    vowel_s = start_s + min(_ONSET_S, _ONSET_SHARE * (end_s - start_s))
    return (
        Phone(symbol="ʔ", start_s=start_s, end_s=vowel_s),
        Phone(symbol="a", start_s=vowel_s, end_s=end_s, stress=2),
    )
