"""Speech in pieces that give way: how long each becomes when their sum is given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audio.align.music import FloatArray
from audio.align.time_map import LEAST_S
from audio.speech.phones import is_nucleus
from audio.speech.types import Speech

PAUSE_S = 0.08  # a shorter silence is a closure and belongs to its consonant
SHORTEST_S = 0.015  # no phone is made shorter
LEAD_S, TAIL_S = 0.02, 0.06  # of the clip, before the first phone and after the last
VOWEL, CONSONANT, SILENCE = 0, 1, 2
RATIOS = (1e-2, 1e3)  # the least and the most by which anything is stretched
_STEPS = 28  # of bisection over them


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A phone or a silence between two times, its kind, and its word; None between words."""

    start_s: float
    end_s: float
    kind: int
    word: int | None


@dataclass(frozen=True, kw_only=True)
class Give:
    """How a kind of piece gives way: ratio = common ratio ** `give`, within `low` and `high`."""

    give: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """Neighbouring pieces: `edges_s` (n + 1,), and for each its kind and how it gives way."""

    edges_s: FloatArray
    kind: NDArray[np.int64]
    give: FloatArray
    low: FloatArray
    high: FloatArray

    @property
    def lengths_s(self) -> FloatArray:
        return np.diff(self.edges_s)

    @property
    def spoken_s(self) -> float:
        """How long the pieces are together as they are spoken."""
        return float(self.edges_s[-1] - self.edges_s[0])

    @property
    def shortest_s(self) -> float:
        return float((self.lengths_s * self.low).sum())

    @property
    def longest_s(self) -> float:
        return float((self.lengths_s * self.high).sum())

    def between(self, start_s: float, end_s: float) -> Pieces:
        """The pieces from one edge to another."""
        a, b = (int(np.abs(self.edges_s - t).argmin()) for t in (start_s, end_s))
        return Pieces(
            edges_s=self.edges_s[a : b + 1],
            kind=self.kind[a:b],
            give=self.give[a:b],
            low=self.low[a:b],
            high=self.high[a:b],
        )

    def laid(self, totals_s: FloatArray) -> FloatArray:
        """How long each piece is (totals, n) where all together are as long as each total.

        Totals outside what the pieces allow are met as far as they go.
        """
        lengths = self.lengths_s
        low, high = (np.full(len(totals_s), np.log(ratio)) for ratio in RATIOS)
        for _ in range(_STEPS):
            middle = (low + high) / 2
            is_short = self._at(middle, lengths).sum(1) < totals_s
            low, high = np.where(is_short, middle, low), np.where(is_short, high, middle)
        found: FloatArray = self._at((low + high) / 2, lengths)
        # What is left by the bisection goes where there is room.
        missing = np.clip(totals_s, self.shortest_s, self.longest_s) - found.sum(1)
        is_free = (found > lengths * self.low) & (found < lengths * self.high)
        share = found * is_free
        total = share.sum(1, keepdims=True)
        found += np.where(total > 0, share / np.maximum(total, 1e-12), 0.0) * missing[:, None]
        return found

    def knots(
        self, start_s: float, end_s: float, *, voiced_s: float, door_s: float | None
    ) -> list[tuple[float, float]]:
        """Source and target times of the edges, from one target to another: the sound takes
        `voiced_s` of it, and what it leaves is a pause at the source time `door_s`."""
        places = start_s + np.concatenate([[0.0], np.cumsum(self.laid(np.array([voiced_s]))[0])])
        rest_s = end_s - float(places[-1])
        found = []
        for s, t in zip(self.edges_s.tolist(), places.tolist(), strict=True):
            if door_s is not None and s >= door_s - 1e-9:
                if abs(s - door_s) < 1e-9:
                    found.append((s, t))
                t += rest_s
            found.append((s, t))
        return found

    def _at(self, log_ratio: FloatArray, lengths: FloatArray) -> FloatArray:
        ratios = np.exp(np.multiply.outer(log_ratio, self.give))
        found: FloatArray = lengths * np.minimum(np.maximum(ratios, self.low), self.high)
        return found


def segments(speech: Speech) -> tuple[Segment, ...]:
    """Phones and silences of speech in order, without gaps, a little of the clip at both ends.

    A word without phones is one vowel. Phones that overlap begin where the one before ends.
    """
    spoken = [
        (start, end, VOWEL if is_nucleus(symbol) else CONSONANT, index)
        for index, word in enumerate(speech.words)
        for start, end, symbol in (
            [(p.start_s, p.end_s, p.symbol) for p in word.phones]
            or [(word.start_s, word.end_s, "a")]
        )
    ]
    spoken = [part for part in spoken if part[1] - part[0] >= LEAST_S]
    at = max(0.0, spoken[0][0] - LEAD_S)
    found: list[Segment] = []
    for start, end, kind, index in spoken:
        if start - at >= LEAST_S:
            is_pause = start - at >= PAUSE_S or not found
            found.append(
                Segment(
                    start_s=at,
                    end_s=start,
                    kind=SILENCE if is_pause else CONSONANT,
                    word=None if is_pause else index,
                )
            )
            at = start
        if end - at >= LEAST_S:
            found.append(Segment(start_s=at, end_s=end, kind=kind, word=index))
            at = end
    end_s = min(speech.clip.duration_s, at + TAIL_S)
    if end_s - at >= LEAST_S:
        found.append(Segment(start_s=at, end_s=end_s, kind=SILENCE, word=None))
    return tuple(found)


def pieces(
    parts: Iterable[Segment],
    gives: dict[int, Give],
    *,
    kept: Iterable[tuple[float, float]] = (),
    edges_s: Iterable[float] = (),
) -> Pieces:
    """Segments as pieces by how their kinds give way, cut at further edges as well.

    Stretches of time in `kept` stay as long as they are. No phone becomes shorter than 15 ms.
    """
    parts = tuple(parts)
    zones = tuple(kept)
    cuts = {t for part in parts for t in (part.start_s, part.end_s)}
    cuts |= {t for zone in zones for t in zone} | set(edges_s)
    first, last = parts[0].start_s, parts[-1].end_s
    edges = [first]
    for t in sorted(cuts):
        if first <= t <= last and t - edges[-1] > 1e-9:
            edges.append(t)
    middles = (np.array(edges[:-1]) + np.array(edges[1:])) / 2
    owners = np.searchsorted([part.end_s for part in parts], middles)
    begins, ends = (np.sort([zone[k] for zone in zones]) for k in (0, 1))
    is_kept = np.searchsorted(begins, middles) > np.searchsorted(ends, middles)
    rows = []
    for owner, fixed in zip(owners, is_kept, strict=True):
        part = parts[int(owner)]
        rule = Give(give=0.0, low=1.0, high=1.0) if fixed else gives[part.kind]
        least = SHORTEST_S / (part.end_s - part.start_s) if part.kind != SILENCE else 0.0
        rows.append((part.kind, rule.give, max(rule.low, min(least, 1.0)), rule.high))
    kind, give, low_, high = (np.array(column) for column in zip(*rows, strict=True))
    return Pieces(
        edges_s=np.array(edges),
        kind=kind.astype(np.int64),
        give=give.astype(np.float64),
        low=low_.astype(np.float64),
        high=high.astype(np.float64),
    )
