"""How a bed makes way for a voice whose phrases are known beforehand: by a gain, and by a filter.

Where a compressor hears the voice and follows it, this looks ahead: the bed is at full level until
shortly before a phrase, and down when its first phone sounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import sosfilt

from audio.errors import ParameterError
from audio.speech.types import Word
from audio.types import Loop, Samples

ROOM_HZ = 2000.0  # the middle of 1 to 4 kHz, where consonants are told apart
ROOM_Q = 2 / 3  # two octaves wide
PAUSE_S = 0.5
MIN_S = 0.001  # what is shorter clicks
_RINGS_S = 0.1  # longer than the filter rings


@dataclass(frozen=True, kw_only=True)
class Ducking:
    """When the bed falls and rises, in seconds.

    It begins to fall `look_ahead_s` before a phrase, is down `attack_s` later, stays there
    `hold_s` beyond the phrase and is back after another `release_s`.
    """

    look_ahead_s: float = 0.1
    attack_s: float = 0.08
    hold_s: float = 0.3
    release_s: float = 0.6

    def __post_init__(self) -> None:
        if not (
            MIN_S <= self.attack_s <= self.look_ahead_s <= 10
            and 0 <= self.hold_s <= 60
            and MIN_S <= self.release_s <= 60
        ):
            raise ParameterError(
                f"ducking with {self.look_ahead_s:g} s of look-ahead, attack {self.attack_s:g}, "
                f"hold {self.hold_s:g}, release {self.release_s:g}: the look-ahead goes to 10 s, "
                "the attack lies within it, hold and release go to 60 s, attack and release begin "
                f"at {MIN_S:g} s"
            )


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """A stretch that is spoken without a rest: from its first phone to the end of its last."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.start_s < self.end_s < np.inf:
            raise ParameterError(
                f"a phrase from {self.start_s:g} s to {self.end_s:g} s: it must start at 0 or "
                "later and end after that"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """The bed's gain over time, at any sample asked for; in arrays, one number for each phrase.

    From sample `falls` on it falls to -`depths_db`, is there from `down` to `until`, and is back
    at 0 dB from `back` on, each time along a half cosine in dB. The deepest of phrases counts.
    """

    falls: NDArray[np.int64]
    down: NDArray[np.int64]
    until: NDArray[np.int64]
    back: NDArray[np.int64]
    depths_db: NDArray[np.float32]

    def at(self, start: int, n: int) -> tuple[Samples, Samples]:
        """The gain of `n` samples from `start` on, and how far the way down that is, 0 to 1.

        Exactly 1 and 0 away from phrases. How far does not ask how deep: it is 1 in every phrase.
        """
        depth_db, share = np.zeros(n, np.float32), np.zeros(n, np.float32)
        for i in np.flatnonzero((self.falls < start + n) & (self.back > start)):
            first = max(start, self.falls[i])
            way = self._way(i, first, min(start + n, self.back[i]))
            inside = slice(first - start, first - start + len(way))
            np.maximum(share[inside], way, out=share[inside])
            np.maximum(depth_db[inside], way * self.depths_db[i], out=depth_db[inside])
        return np.exp(depth_db * np.float32(-np.log(10) / 20)), share

    def _way(self, i: np.intp, first: int, last: int) -> Samples:
        """How far down for the sake of one phrase."""
        way = np.ones(last - first, np.float32)
        for above, below in ((self.falls[i], self.down[i]), (self.back[i], self.until[i])):
            low, high = max(first, min(above, below)), min(last, max(above, below))
            if low < high:
                turn = np.pi * (np.arange(low, high) - above) / (below - above)
                way[low - first : high - first] = 0.5 - 0.5 * np.cos(turn)
        return way


def curve(phrases: Sequence[Phrase], depths_db: ArrayLike, *, rate: int, ducking: Ducking) -> Curve:
    """The curve that stands `depths_db[i]` (>= 0) down while phrase i is spoken.

    Between phrases so near that the bed would fall again before it is back, it stays down.
    """
    starts, ends = np.array([(p.start_s, p.end_s) for p in phrases]).reshape(-1, 2).T
    falls = np.ceil((starts - ducking.look_ahead_s) * rate).astype(np.int64)
    down = np.floor((starts - ducking.look_ahead_s + ducking.attack_s) * rate).astype(np.int64)
    until = np.ceil((ends + ducking.hold_s) * rate).astype(np.int64)
    release = max(1, round(ducking.release_s * rate))
    order = np.argsort(starts, kind="stable")
    following = np.searchsorted(starts[order], ends)
    for i in np.flatnonzero(following < len(starts)):
        after = order[following[i]]
        if falls[after] < until[i] + release:
            until[i] = max(until[i], down[after])
    return Curve(
        falls=falls,
        down=np.maximum(down, falls + 1),
        until=until,
        back=until + release,
        depths_db=np.asarray(depths_db, np.float32),
    )


def phrases(words: Iterable[Word], *, pause_s: float = PAUSE_S) -> tuple[Phrase, ...]:
    """The phrases of words that rise in time: parted where none is said for `pause_s`."""
    said = sorted(words, key=lambda word: word.start_s)
    if not said:
        return ()
    ends = np.maximum.accumulate([word.end_s for word in said])
    breaks = [
        i + 1
        for i, (end, word) in enumerate(zip(ends[:-1], said[1:], strict=True))
        if word.start_s - end >= pause_s
    ]
    return tuple(
        Phrase(start_s=said[first].start_s, end_s=float(ends[last - 1]))
        for first, last in pairwise([0, *breaks, len(said)])
    )


def with_room(loop: Loop, gain_db: float) -> Loop:
    """The loop with a dip of `gain_db` (below 0) round 2 kHz, as it sounds while it repeats.

    R. Bristow-Johnson, Cookbook formulae for audio EQ biquad filter coefficients, peaking EQ.
    """
    rate = loop.clip.rate
    amplitude, w0 = 10 ** (gain_db / 40), 2 * np.pi * min(ROOM_HZ / rate, 0.45)
    alpha = np.sin(w0) / (2 * ROOM_Q)
    b = np.array([1 + alpha * amplitude, -2 * np.cos(w0), 1 - alpha * amplitude])
    a = np.array([1 + alpha / amplitude, -2 * np.cos(w0), 1 - alpha / amplitude])
    n, before = loop.clip.n, round(_RINGS_S * rate)
    ring = np.pad(loop.clip.samples, ((0, 0), (before, 0)), mode="wrap")
    found = sosfilt(np.concatenate([b, a])[None] / a[0], ring)[:, -n:]
    return replace(loop, clip=replace(loop.clip, samples=found.astype(np.float32)))
