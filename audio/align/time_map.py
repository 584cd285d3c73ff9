"""Where each moment of a sound goes in time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from audio.align.music import FloatArray
from audio.errors import ParameterError

LEAST_S = 1e-4  # what is closer is one


@dataclass(frozen=True, kw_only=True, eq=False)
class TimeMap:
    """Knots in seconds, straight lines between them: `source_s` never falls, `target_s` rises.

    A source time that stands twice is a pause: silence between its two targets.
    """

    source_s: FloatArray
    target_s: FloatArray

    def __post_init__(self) -> None:
        source, target = self.source_s, self.target_s
        if source.ndim != 1 or source.shape != target.shape or len(source) < 2:
            raise ParameterError(
                f"knots of shapes {source.shape} and {target.shape}: give two or more, as many "
                "targets as sources"
            )
        if not (np.isfinite(source).all() and np.isfinite(target).all()):
            raise ParameterError("knots that are no numbers: give seconds")
        if (np.diff(source) < 0).any() or (np.diff(target) <= 0).any():
            raise ParameterError("a time map that runs backwards: give sources and targets rising")

    @staticmethod
    def of(source_s: ArrayLike, target_s: ArrayLike) -> TimeMap:
        """A map of knots, those left out that are as good as on the one before."""
        source, target = np.asarray(source_s, np.float64), np.asarray(target_s, np.float64)
        kept = [0]
        for k in range(1, len(source)):
            step = source[k] - source[kept[-1]]
            is_pause = step == 0 and target[k] - target[kept[-1]] >= LEAST_S
            if step >= LEAST_S or is_pause:
                kept.append(k)
        return TimeMap(source_s=source[kept], target_s=target[kept])

    @property
    def pauses(self) -> tuple[int, ...]:
        """The knots at which a pause begins."""
        return tuple(int(k) for k in np.flatnonzero(np.diff(self.source_s) == 0))

    @property
    def ratios(self) -> FloatArray:
        """Target seconds to a source second between knots, pauses left out."""
        source, target = np.diff(self.source_s), np.diff(self.target_s)
        found: FloatArray = target[source > 0] / source[source > 0]
        return found

    def after(self, source_s: ArrayLike) -> FloatArray:
        """Where what begins at source times begins: behind a pause that stands there."""
        return self._at(source_s, "right")

    def before(self, source_s: ArrayLike) -> FloatArray:
        """Where what ends at source times ends: before a pause that stands there."""
        return self._at(source_s, "left")

    def source(self, target_s: ArrayLike) -> FloatArray:
        """Which source times come at target times."""
        found: FloatArray = np.interp(
            np.asarray(target_s, np.float64), self.target_s, self.source_s
        )
        return found

    def ratio(self, source_s: ArrayLike) -> FloatArray:
        """Target seconds to a source second at source times, pauses left out."""
        ends = self.source_s[1:][np.diff(self.source_s) > 0]
        k = np.searchsorted(ends, np.asarray(source_s, np.float64), "right")
        found: FloatArray = self.ratios[np.minimum(k, len(ends) - 1)]
        return found

    def shifted(self, seconds: float) -> TimeMap:
        """The same, later by so much."""
        return replace(self, target_s=self.target_s + seconds)

    def towards(self, start_s: float, strength: float) -> TimeMap:
        """This map at `strength` 0 .. 1, 0 being the source as it was from `start_s` on."""
        natural = self.source_s - self.source_s[0] + start_s
        return TimeMap.of(self.source_s, (1 - strength) * natural + strength * self.target_s)

    def spans(self) -> tuple[tuple[int, int], ...]:
        """First and last knots of what sounds without a pause."""
        edges = [0, *(k + 1 for k in self.pauses), len(self.source_s)]
        return tuple((first, last - 1) for first, last in pairwise(edges))

    def _at(self, source_s: ArrayLike, side: str) -> FloatArray:
        t = np.asarray(source_s, np.float64)
        found = np.searchsorted(self.source_s, t, "right" if side == "right" else "left") - 1
        k = np.clip(found, 0, len(self.source_s) - 2)
        s0, s1 = self.source_s[k], self.source_s[k + 1]
        t0, t1 = self.target_s[k], self.target_s[k + 1]
        share = np.where(s1 > s0, (t - s0) / np.where(s1 > s0, s1 - s0, 1.0), 1.0)
        moved: FloatArray = t0 + share * (t1 - t0)
        return moved
