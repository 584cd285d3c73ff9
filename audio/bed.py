"""A loop laid out as long as it is needed, in whole bars: the bed under a voice."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from audio.errors import ParameterError
from audio.loops import as_circle
from audio.mastering import Power, PowerMeter, to_lufs
from audio.types import Clip, Loop, Samples, Tempo

MAX_BARS = 10_000
_EDGE_S = 0.005  # a loop begins in the middle of its own tails: risen out of silence


@dataclass(frozen=True, kw_only=True, eq=False)
class Bed:
    """A loop repeated over `bars` bars; any block of it can be asked for.

    Repeat k begins at sample round(k * length), whatever the length of one rounds to: the beat
    stays on its grid for hours. It fades in and out within its bars.
    """

    loop: Loop
    bars: int
    fade_in_s: float = _EDGE_S
    fade_out_s: float = _EDGE_S

    def __post_init__(self) -> None:
        refuse_short(self.loop.tempo)
        if not 1 <= self.bars <= MAX_BARS:
            raise ParameterError(f"a bed of {self.bars} bars: give 1 to {MAX_BARS}")
        seconds = self.n / self.rate
        if not (self.fade_in_s >= 0 and self.fade_out_s >= 0) or (
            self.fade_in_s + self.fade_out_s > seconds
        ):
            raise ParameterError(
                f"fades of {self.fade_in_s:g} s and {self.fade_out_s:g} s on a bed of "
                f"{seconds:.3f} s: give 0 or more, and no more than it lasts"
            )

    @property
    def rate(self) -> int:
        return self.loop.clip.rate

    @property
    def channels(self) -> int:
        return self.loop.clip.channels

    @property
    def n(self) -> int:
        """Its length in samples: that of its bars."""
        tempo = self.loop.tempo
        return replace(tempo, beats=self.bars * tempo.meter).samples(self.rate)

    def block(self, start: int, n: int) -> Samples:
        """`n` samples from `start` on, (channels, n)."""
        found = np.empty((self.channels, n), np.float32)
        exact, at = self.loop.tempo.exact(self.rate), start
        k = _repeat_at(exact, start)
        while at < start + n:
            first, last = round(k * exact), round((k + 1) * exact)
            until = min(last, start + n)
            turn = self._turns[last - first]
            found[:, at - start : until - start] = turn[:, at - first : until - first]
            at, k = until, k + 1
        return found * self._fades(start, n)

    def lufs(self, start_s: float, end_s: float) -> float:
        """How loud the loop is over a stretch of the bed, before its fades."""
        first, last = (self._energy_until(s * self.rate) for s in (start_s, end_s))
        return to_lufs((last - first) / ((end_s - start_s) * self.rate))

    def _energy_until(self, sample: float) -> float:
        repeats, rest = divmod(sample, float(self.loop.tempo.exact(self.rate)))
        n = self.loop.clip.n
        before, here, after = self._power.until(np.array([n, n + rest, 2.0 * n]))
        return float(repeats * (after - before) + here - before)

    @cached_property
    def _power(self) -> Power:
        """Of two repeats: the second is weighted as all are that follow another."""
        meter = PowerMeter(rate=self.rate, channels=self.channels)
        for _ in range(2):
            meter.add(self.loop.clip.samples)
        return meter.power()

    @cached_property
    def _turns(self) -> dict[int, Samples]:
        """The circle with either number of samples that its repeats have."""
        least = int(self.loop.tempo.exact(self.rate))
        return {n: as_circle(self.loop.clip.samples, n) for n in (least, least + 1)}

    def _fades(self, start: int, n: int) -> NDArray[np.float32]:
        rise, fall = round(self.fade_in_s * self.rate), round(self.fade_out_s * self.rate)
        if start >= rise and start + n <= self.n - fall:
            return np.ones(1, np.float32)
        at = np.arange(start, start + n)
        level = np.minimum(at / max(rise, 1), (self.n - at) / max(fall, 1)).clip(0, 1)
        return (0.5 - 0.5 * np.cos(np.pi * level)).astype(np.float32)


def laid_out(
    loop: Loop,
    *,
    voice_s: float,
    intro_bars: int = 2,
    outro_bars: int = 2,
    fade_in_s: float = _EDGE_S,
    fade_out_s: float | None = None,
) -> Bed:
    """The bed for a voice of `voice_s` seconds that begins with the bar after the intro.

    It ends on a bar, `outro_bars` after the one that the voice ends in, and fades over the last
    of them where `fade_out_s` says nothing else.
    """
    refuse_short(loop.tempo)
    if not (0 <= voice_s < np.inf and intro_bars >= 0 and outro_bars >= 0):
        raise ParameterError(
            f"{voice_s:g} s of voice with {intro_bars} bars before and {outro_bars} after it: "
            "give 0 or more of each"
        )
    bar_s = bar_seconds(loop.tempo)
    # A voice that ends with its bar, but for rounding, needs no other one.
    bars = max(1, intro_bars + math.ceil(voice_s / bar_s - 1e-6) + outro_bars)
    if fade_out_s is None:
        fade_out_s = min(1, outro_bars) * (bar_s - fade_in_s) or _EDGE_S
    return Bed(loop=loop, bars=bars, fade_in_s=fade_in_s, fade_out_s=fade_out_s)


def matched(loop: Loop, *, rate: int, channels: int) -> Loop:
    """The loop at another rate and in another number of channels, 1 or 2, its circle closed."""
    samples = as_circle(loop.clip.samples, loop.tempo.samples(rate))
    return replace(loop, clip=Clip(samples=in_channels(samples, channels), rate=rate))


def in_channels(samples: Samples, channels: int) -> Samples:
    """Samples (any, n) as (channels, n): one channel put into two alike, several into their mean.

    Raises ParameterError for other than 1 or 2 channels to be made.
    """
    if channels not in (1, 2):
        raise ParameterError(f"{channels} channels: give 1 or 2")
    if len(samples) == channels:
        return samples
    return np.repeat(samples.mean(0, keepdims=True, dtype=np.float32), channels, axis=0)


def bar_seconds(tempo: Tempo) -> float:
    """How long a bar is."""
    return tempo.duration_s * tempo.meter / tempo.beats


def refuse_short(tempo: Tempo) -> None:
    """Raises ParameterError for a loop that is shorter than a bar."""
    if tempo.beats < tempo.meter:
        raise ParameterError(
            f"a loop of {tempo.beats} of {tempo.meter} beats is shorter than a bar: give one of a "
            "bar or more"
        )


def _repeat_at(exact: Fraction, sample: int) -> int:
    """The number of the repeat that a sample lies in."""
    k = int(sample / exact)
    return k + 1 if round((k + 1) * exact) <= sample else k
