"""Loudness and true peak of sound that comes block by block, and the gain that it goes out with.

What is kept of it is one number for each millisecond, so 30 minutes are as easily held as one.
Figures are those of `audio.mix`, which has the whole of a clip at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyloudnorm
import soxr
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.signal import sosfilt

from audio import mix
from audio.errors import ParameterError
from audio.mix import Loudness
from audio.types import Samples

MAX_CHANNELS = 2
_CELLS_IN_A_S = 1000
_SILENT_LUFS = -70.0  # the meter's absolute gate
_GATE_S, _STEP_S, _RELATIVE_LU = 0.4, 0.1, 10.0  # ITU-R BS.1770-5, annex 1
_OFFSET_LU = -0.691
_RING = 2048  # samples: the resampler's filter rings on past a cut
_CLOSE_DB, _CLOSE_LU = 0.005, 0.05
_ROUNDS = 4

# Gives the same blocks of samples (channels, some) each time that it is called.
Source = Callable[[], Iterable[Samples]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Power:
    """The K-weighted energy of a sound in cells of a millisecond; the last one may be shorter."""

    energy: NDArray[np.float64]  # sums of squares over samples and channels
    rate: int
    n: int

    @cached_property
    def _sums(self) -> NDArray[np.float64]:
        return np.concatenate([[0.0], np.cumsum(self.energy)])

    @cached_property
    def _edges(self) -> NDArray[np.int64]:
        return np.minimum(np.arange(len(self.energy) + 1) * cell(self.rate), self.n)

    def until(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """The energy before each place."""
        return np.interp(samples, self._edges, self._sums)

    def lufs(self, start_s: float, end_s: float) -> float:
        """How loud a stretch is, pauses in it included; -inf for silence."""
        first, last = self.until(np.array([start_s, end_s]) * self.rate)
        return to_lufs(float(last - first) / ((end_s - start_s) * self.rate))

    @property
    def integrated(self) -> float:
        """The loudness of all of it, gated; -inf for silence."""
        blocks = round((self.n / self.rate - _GATE_S) / _STEP_S) + 1
        starts = np.floor(np.arange(blocks) * _STEP_S * self.rate + 1e-6)
        length = _GATE_S * self.rate
        power = (self.until(starts + length) - self.until(starts)) / length
        heard = power[power >= _mean_square(_SILENT_LUFS)]
        if not len(heard):
            return -np.inf
        gate_lufs = to_lufs(float(heard.mean())) - _RELATIVE_LU
        return to_lufs(float(heard[heard > _mean_square(gate_lufs)].mean()))


class PowerMeter:
    """Takes a sound block by block and gives its `Power`."""

    def __init__(self, *, rate: int, channels: int) -> None:
        shelf = pyloudnorm.IIRfilter(4.0, 1 / np.sqrt(2), 1500.0, rate, "high_shelf")
        high_pass = pyloudnorm.IIRfilter(0.0, 0.5, 38.0, rate, "high_pass")
        self._sections = np.array([np.concatenate([f.b, f.a]) for f in (shelf, high_pass)])
        self._state = np.zeros((2, channels, 2))
        self._rate, self._cells = rate, _Cells(np.add, cell(rate))

    def add(self, block: Samples) -> None:
        weighted, self._state = sosfilt(self._sections, block, zi=self._state)
        self._cells.add(np.square(weighted).sum(0))

    def power(self) -> Power:
        """Of what it was given so far."""
        energy = self._cells.values()
        return Power(energy=energy.astype(np.float64), rate=self._rate, n=self._cells.n)


class PeakMeter:
    """Takes a sound block by block and gives the true peak in each of its cells."""

    def __init__(self, *, rate: int, channels: int) -> None:
        self._rate, self._channels, self._n = rate, channels, 0
        self._cells = _Cells(np.maximum, cell(rate) * mix.OVERSAMPLING)
        self._stream = soxr.ResampleStream(
            rate, rate * mix.OVERSAMPLING, channels, dtype="float32", quality="VHQ"
        )

    def add(self, block: Samples) -> None:
        self._n += block.shape[1]
        self._resample(block)

    def peaks(self) -> NDArray[np.float32]:
        """Of the whole sound, which ends here: what rings on after it is the last cell's."""
        self._resample(np.zeros((self._channels, _RING), np.float32), last=True)
        found, cells = self._cells.values(), -(-self._n // cell(self._rate))
        return np.append(found[: cells - 1], found[cells - 1 :].max()).astype(np.float32)

    def _resample(self, block: Samples, *, last: bool = False) -> None:
        over = self._stream.resample_chunk(np.ascontiguousarray(block.T), last=last)
        self._cells.add(np.abs(np.ascontiguousarray(over.T)).max(0))


class _Cells:
    """Numbers as they come, put together cell by cell."""

    def __init__(self, together: np.ufunc, width: int) -> None:
        self._together, self.width, self.n = together, width, 0
        self._found: list[NDArray[np.floating[Any]]] = [np.zeros(0, np.float32)]
        self._rest: NDArray[np.floating[Any]] = np.zeros(0, np.float32)

    def add(self, numbers: NDArray[np.floating[Any]]) -> None:
        self.n += len(numbers)
        numbers = np.concatenate([self._rest, numbers])
        whole = len(numbers) // self.width * self.width
        cells = numbers[:whole].reshape(-1, self.width)
        self._found.append(self._together.reduce(cells, axis=1))
        self._rest = numbers[whole:]

    def values(self) -> NDArray[np.floating[Any]]:
        rest = [self._together.reduce(self._rest, keepdims=True)] if len(self._rest) else []
        return np.concatenate([*self._found, *rest])


@dataclass(frozen=True, kw_only=True, eq=False)
class Master:
    """The gain that a sound goes out with, limiter included, and how loud it is then, measured."""

    gain: float
    limiter: NDArray[np.float32]  # in the middle of each cell
    rate: int
    loudness: Loudness

    def at(self, start: int, n: int) -> NDArray[np.float32]:
        """The gain of each of `n` samples from `start` on: for the mix, and alike for its stems."""
        width = cell(self.rate)
        first = max(0, start // width - 1)
        near = self.limiter[first : (start + n) // width + 2].astype(np.float64)
        places = (np.arange(start, start + n) + 0.5) / width - 0.5
        curve = np.interp(places, np.arange(first, first + len(near)), near)
        return (self.gain * curve).astype(np.float32)


def mastered(
    sound: Source, *, rate: int, channels: int, lufs: float, true_peak_db: float = -1.0
) -> Master:
    """The gain that brings a sound to a loudness, no true peak above a limit.

    It is heard as it is and, where peaks must be held, again as it goes out, until that is right.
    They are held as in `mix.to_loudness`, by a look-ahead limiter of about 5 ms; what 18 dB of it
    do not make as loud stays quieter.
    Raises ParameterError as that does, and for more than two channels.
    """
    mix.refuse_targets(lufs, true_peak_db)
    if not 1 <= channels <= MAX_CHANNELS:
        raise ParameterError(f"{channels} channels: blocks are mastered in 1 or {MAX_CHANNELS}")
    power, peaks = _heard(sound(), rate=rate, channels=channels)
    _refuse(power, peaks)
    limit_db, aim = true_peak_db - mix.MARGIN_DB, lufs
    for _ in range(_ROUNDS):
        gain_db, is_most = _gain_db(power, peaks, lufs=aim, limit_db=limit_db)
        master = Master(
            gain=_level(gain_db),
            limiter=_limiter(peaks, gain_db, limit_db=limit_db, rate=rate),
            rate=rate,
            loudness=Loudness(
                lufs=power.integrated + gain_db, true_peak_db=_db(peaks.max()) + gain_db
            ),
        )
        if master.limiter.min() == 1:
            break
        master = _held(master, sound, channels=channels, limit_db=limit_db)
        missing = lufs - master.loudness.lufs
        if abs(missing) < _CLOSE_LU or (missing > 0 and is_most):
            break
        aim += missing
    return master


def _held(master: Master, sound: Source, *, channels: int, limit_db: float) -> Master:
    """The master as it is heard: peaks between samples move with the gain, and are turned down."""
    power, peaks = _heard(_through(master, sound()), rate=master.rate, channels=channels)
    peak_db = _db(peaks.max())
    down_db = min(0.0, limit_db - peak_db)
    loudness = Loudness(lufs=power.integrated + down_db, true_peak_db=peak_db + down_db)
    return replace(master, gain=master.gain * _level(down_db), loudness=loudness)


def cell(rate: int) -> int:
    """How many samples are a millisecond, about."""
    return max(1, rate // _CELLS_IN_A_S)


def to_lufs(mean_square: float) -> float:
    """The loudness of a K-weighted power, summed over channels."""
    return float(_OFFSET_LU + 10 * np.log10(mean_square)) if mean_square > 0 else -np.inf


def _mean_square(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET_LU) / 10))


def _heard(
    blocks: Iterable[Samples], *, rate: int, channels: int
) -> tuple[Power, NDArray[np.float32]]:
    power, peaks = PowerMeter(rate=rate, channels=channels), PeakMeter(rate=rate, channels=channels)
    for block in blocks:
        power.add(block)
        peaks.add(block)
    return power.power(), peaks.peaks()


def _through(master: Master, blocks: Iterable[Samples]) -> Iterator[Samples]:
    start = 0
    for block in blocks:
        yield block * master.at(start, block.shape[1])
        start += block.shape[1]


def _gain_db(
    power: Power, peaks: NDArray[np.float32], *, lufs: float, limit_db: float
) -> tuple[float, bool]:
    """The gain that makes it as loud with its limiter, and whether that is the most there may be.

    It is reckoned cell by cell, as if the K-weighting had no memory: within 0.02 LU where the
    limiter is gentle, 0.2 LU off at 18 dB.
    """
    least_db = lufs - power.integrated
    most_db = limit_db - _db(peaks.max()) + mix.MAX_LIMITING_DB

    def missing(gain_db: float) -> float:
        curve = _limiter(peaks, gain_db, limit_db=limit_db, rate=power.rate)
        energy = power.energy * np.square(curve * _level(gain_db), dtype=np.float64)
        return replace(power, energy=energy).integrated - lufs

    if least_db >= most_db or missing(most_db) <= 0:
        return most_db, True
    if missing(least_db) >= -_CLOSE_DB:  # nothing is limited
        return least_db, False
    return float(brentq(missing, least_db, most_db, xtol=_CLOSE_DB)), False


def _limiter(
    peaks: NDArray[np.float32], gain_db: float, *, limit_db: float, rate: int
) -> NDArray[np.float32]:
    needed = np.minimum(1.0, _level(limit_db - gain_db) / np.maximum(peaks, 1e-12))
    half = int(mix.LOOK_AHEAD_S / 2 * rate / cell(rate))
    # Between two cells' middles the gain is neither's: one cell to spare.
    return mix.limited(needed.astype(np.float32), half, spare=1).astype(np.float32)


def _refuse(power: Power, peaks: NDArray[np.float32]) -> None:
    if power.n < mix.MIN_S * power.rate:
        raise ParameterError(
            f"{power.n / power.rate * 1000:.0f} ms of sound: loudness is measured over "
            f"{mix.MIN_S:g} s and more"
        )
    if not np.isfinite(peaks).all():
        raise ParameterError("the sound holds samples that are no numbers: export it again")
    if power.integrated == -np.inf:
        raise ParameterError(
            f"the sound is all but silent: what is below {_SILENT_LUFS:g} LUFS has no loudness"
        )


def _level(gain_db: float) -> float:
    return float(10 ** (gain_db / 20))


def _db(level: float | np.floating[Any]) -> float:
    return float(20 * np.log10(max(level, 1e-12)))
