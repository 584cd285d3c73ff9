"""Phones as the tokens of a network that reads IPA, and tokens' lengths as the phones' times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio.errors import ParameterError
from audio.speech import phones
from audio.speech.types import Speech, Word

BETWEEN = -1  # the owner of a token that belongs to no phone: blanks, punctuation
_PUNCTUATION = "!,.:;?"
_MAX_PHONE_S = 10.0

Owners = NDArray[np.int64]
Frames = NDArray[np.int64]


def spelled(speech: Speech) -> list[tuple[str, int]]:
    """A speech in IPA, letter by letter, each with the number of its phone or BETWEEN.

    Words are parted by blanks, and punctuation stands as it does in the text.
    """
    found: list[tuple[str, int]] = []
    at = number = 0
    for word in speech.words:
        start = max(at, speech.text.find(word.text, at))
        found += [(letter, BETWEEN) for letter in _gap(speech.text[at:start], first=not found)]
        at = start + len(word.text)
        for phone in word.phones:
            letters = phones.MARKS.get(phone.stress, "") + phone.symbol
            found += [(letter, number) for letter in letters]
            number += 1
    return found + [(letter, BETWEEN) for letter in _gap(speech.text[at:], first=True)]


def owners(speech: Speech, tokenizer: Any) -> Owners:
    """The phone of each token that a Coqui tokenizer makes of a spelled speech.

    A blank between tokens belongs to the one before it.
    """
    found = []
    for letter, owner in spelled(speech):
        try:
            tokenizer.characters.char_to_id(letter)
        except KeyError:  # the model was never taught it
            continue
        found.append(owner)
    if tokenizer.add_blank:
        found = [BETWEEN, *(owner for owner in found for _ in range(2))]
    if tokenizer.use_eos_bos:
        found = [BETWEEN, *found, BETWEEN]
    return np.array(found, np.int64)


def stretched(
    owned: Owners, frames: Frames, durations_s: Sequence[float], frame_s: float
) -> Frames:
    """Frames for each token such that the phones that have one last as wished, the rest as it did.

    Every boundary is within half a frame of where the wishes put it, but no phone is without a
    frame. Raises ParameterError for another number of durations than of phones, and for those
    outside 0 to 10 s.
    """
    spoken = np.unique(owned[owned != BETWEEN]).tolist()
    if len(durations_s) != len(spoken):
        raise ParameterError(
            f"{len(durations_s)} durations for {len(spoken)} phones: give one for each"
        )
    for duration_s in durations_s:
        if not 0 < duration_s <= _MAX_PHONE_S:
            raise ParameterError(
                f"a phone of {duration_s:g} s: give more than 0 and at most {_MAX_PHONE_S:g}"
            )
    lengths = dict(zip(spoken, durations_s, strict=True))
    found = frames.copy()
    wished, given = 0.0, 0  # frames so far
    for owner, group in groupby(range(len(owned)), key=lambda i: int(owned[i])):
        run = list(group)
        if owner == BETWEEN:
            wished += float(frames[run].sum())
        else:
            wished += lengths[owner] / frame_s
            length = max(round(wished) - given, 1)
            shares = np.cumsum(np.maximum(frames[run], 1)) / np.maximum(frames[run], 1).sum()
            found[run] = np.diff(np.round(shares * length).astype(np.int64), prepend=0)
        given += int(found[run].sum())
    return found


def words(speech: Speech, owned: Owners, frames: Frames, duration_s: float) -> tuple[Word, ...]:
    """The words of a speech at the times of its tokens; phones that have no token are left out."""
    ends = np.cumsum(frames) * (duration_s / frames.sum())
    starts = np.concatenate([[0.0], ends[:-1]])
    times = {
        owner: (float(starts[run[0]]), float(ends[run[-1]]))
        for owner in range(int(owned.max(initial=BETWEEN)) + 1)
        if len(run := np.flatnonzero(owned == owner))
    }
    found, number = [], 0
    for word in speech.words:
        said = [
            replace(phone, start_s=times[i][0], end_s=times[i][1])
            for i, phone in enumerate(word.phones, number)
            if i in times
        ]
        number += len(word.phones)
        if said:
            found.append(
                Word(
                    text=word.text,
                    start_s=said[0].start_s,
                    end_s=said[-1].end_s,
                    phones=tuple(said),
                )
            )
    return tuple(found)


def _gap(between: str, *, first: bool) -> str:
    """What stands between two words, as a network has learnt to read it."""
    marks = "".join(letter for letter in between if letter in _PUNCTUATION)
    return marks if first else marks + " "
