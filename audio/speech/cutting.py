"""One recording of many sentences, as a speech for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from audio.errors import ParameterError
from audio.speech.recorded import NAME as RECORDED
from audio.speech.types import Speech, Word

__all__ = ["RECORDED", "cut"]


def cut(speech: Speech, texts: Sequence[str]) -> tuple[Speech, ...]:
    """The speech of each text, in order; its sound ends half way to the next one's.

    Raises ParameterError where a text's words are not in the speech.
    """
    shared: list[list[Word]] = [[] for _ in texts]
    which, at = 0, 0
    for word in speech.words:
        found = texts[which].find(word.text, at)
        while found < 0 and which + 1 < len(texts):
            which, at = which + 1, 0
            found = texts[which].find(word.text)
        shared[which].append(word)
        at = max(found, at) + len(word.text)
    for text, words in zip(texts, shared, strict=True):
        if not words:
            raise ParameterError(f"nothing of '{text[:60]}' is in the recording: leave it out")
    starts = [0.0]
    starts += [
        (before[-1].end_s + after[0].start_s) / 2
        for before, after in zip(shared[:-1], shared[1:], strict=True)
    ]
    ends = [*starts[1:], speech.clip.duration_s]
    return tuple(
        _piece(speech, text, words, start, end)
        for text, words, start, end in zip(texts, shared, starts, ends, strict=True)
    )


def _piece(speech: Speech, text: str, words: list[Word], start_s: float, end_s: float) -> Speech:
    rate = speech.clip.rate
    first = round(start_s * rate)
    samples = np.ascontiguousarray(speech.clip.samples[:, first : round(end_s * rate)])
    clip = replace(speech.clip, samples=samples)

    def within(t: float) -> float:
        return min(max(0.0, t - first / rate), clip.duration_s)

    moved = tuple(
        replace(
            word,
            start_s=within(word.start_s),
            end_s=within(word.end_s),
            phones=tuple(
                replace(p, start_s=within(p.start_s), end_s=within(p.end_s)) for p in word.phones
            ),
        )
        for word in words
    )
    return replace(speech, text=text, clip=clip, words=moved)
