"""Which notes sound: power at each semitone, and how much it changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from audio.onsets import RATE, FloatArray

HOP = 2048
LOWEST = 28  # MIDI note E1; 72 semitones up to D#7
# (first, last + 1, FFT length): long windows where semitones lie close.
_ZONES = ((28, 52, 16384), (52, 76, 8192), (76, 100, 4096))
_RUN = 256  # frames at a time
_FLOOR_DB = -50.0
_REACH_S = 0.25  # on either side of a moment, to tell whether the notes change there
_REGISTERS = ((0, 24), (24, 60))  # bass; chords and melody


def semitones(y: NDArray[np.float32]) -> FloatArray:
    """Power (72, frames) at each semitone from LOWEST on, of samples y (n,) at RATE.

    Frame k is centred at k * HOP. Each filter is a raised cosine from the neighbour below to the
    one above.
    """
    count, found = 1 + len(y) // HOP, []
    for low, high, n in _ZONES:
        weights = _filters(low, high, n)
        used = np.flatnonzero(weights.any(0))
        first, last = used[0], used[-1] + 1
        window = np.hanning(n + 1)[:-1]
        window /= window.sum() / 2
        padded = np.pad(y, (n // 2, n // 2 + HOP))
        frames = np.lib.stride_tricks.sliding_window_view(padded, n)[::HOP][:count]
        powers = [
            np.abs(fft.rfft(frames[i : i + _RUN] * window, axis=1)[:, first:last]) ** 2
            @ weights[:, first:last].T
            for i in range(0, count, _RUN)
        ]
        found.append(np.concatenate(powers).T)
    return np.concatenate(found)


def levels_db(powers: FloatArray) -> FloatArray:
    """Levels below the loudest, no lower than -80 dB."""
    loudest = float(powers.max(initial=0.0)) or 1.0
    found: FloatArray = 10 * np.log10(np.maximum(powers / loudest, 1e-8))
    return found


def novelty(db: FloatArray) -> FloatArray:
    """How much the notes change (2, frames), of the bass and of what is above it: 0 not at all."""
    amounts = 10 ** (np.maximum(db, _FLOOR_DB) / 40) - 10 ** (_FLOOR_DB / 40)
    reach = max(1, round(_REACH_S * RATE / HOP))
    at = np.arange(amounts.shape[1]) + reach
    found = []
    for low, high in _REGISTERS:
        padded = np.pad(amounts[low:high], ((0, 0), (reach + 1, reach)), mode="edge")
        sums = np.cumsum(padded, axis=1)
        after = (sums[:, at + reach] - sums[:, at]) / reach
        before = (sums[:, at] - sums[:, at - reach]) / reach
        change = np.linalg.norm(after - before, axis=0)
        norms = np.maximum(np.linalg.norm(after, axis=0), np.linalg.norm(before, axis=0))
        found.append(change / (norms.mean() + 1e-6))
    return np.stack(found)


def _filters(low: int, high: int, n: int) -> FloatArray:
    hz = np.arange(1, n // 2 + 1) * RATE / n
    notes = np.concatenate([[-100.0], 69 + 12 * np.log2(hz / 440)])
    away = np.abs(notes - np.arange(low, high)[:, None])
    return np.where(away < 1, np.cos(np.pi / 2 * away) ** 2, 0.0)
