"""What begins when: the rise of level in five bands, many times a second."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

FloatArray = NDArray[np.float64]

RATE = 44100  # that all hearing is done at
HOP, WINDOW = 256, 2048
EDGES_HZ = (30.0, 150.0, 400.0, 1600.0, 6000.0, 16000.0)
_PARTS = 6  # of each band, in whose levels a rise is looked for
_LAG = 2  # frames over which it is measured
_FLOOR_DB = -70.0
_RUN = 1024  # frames at a time


def rises(y: NDArray[np.float32]) -> FloatArray:
    """The rise of level in dB (bands, frames) of samples y (n,) at RATE; frame k is at k * HOP.

    Levels count from 70 dB below the loudest on, so that noise that nobody hears does not rise.
    """
    powers, owners = _levels(y)
    loudest = float(powers.max(initial=0.0)) or 1.0
    levels = 10 * np.log10(np.maximum(powers / loudest, 10 ** (_FLOOR_DB / 10)))
    risen = np.zeros_like(levels)
    risen[:, _LAG:] = np.maximum(levels[:, _LAG:] - levels[:, :-_LAG], 0)
    return np.stack([risen[owners == band].mean(0) for band in range(len(EDGES_HZ) - 1)])


def folded(curves: FloatArray, frame_rate: float, frequency: float, *, bins: int) -> FloatArray:
    """Curves (c, frames) laid over one another with a period: their means at `bins` places of it.

    A frame between two places counts for both.
    """
    place = np.arange(curves.shape[1]) / frame_rate * frequency % 1.0 * bins
    low = np.floor(place).astype(int)
    share = place - low
    low, high = low % bins, (low + 1) % bins
    times = np.bincount(low, 1 - share, bins) + np.bincount(high, share, bins)
    total = [
        np.bincount(low, c * (1 - share), bins) + np.bincount(high, c * share, bins) for c in curves
    ]
    found: FloatArray = np.stack(total) / np.maximum(times, 1e-3)
    return found


def _levels(y: NDArray[np.float32]) -> tuple[FloatArray, NDArray[np.int64]]:
    """Powers (parts, frames) in narrow parts of the bands, and which band each part is of."""
    weights, owners = _filters()
    padded = np.pad(y, (WINDOW // 2, WINDOW // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    window = np.hanning(WINDOW + 1)[:-1]
    found = [
        np.abs(fft.rfft(frames[i : i + _RUN] * window, axis=1)) ** 2 @ weights.T
        for i in range(0, len(frames), _RUN)
    ]
    return np.concatenate(found).T, owners


def _filters() -> tuple[FloatArray, NDArray[np.int64]]:
    hz = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    rows, owners = [], []
    for band, (low_hz, high_hz) in enumerate(zip(EDGES_HZ[:-1], EDGES_HZ[1:], strict=True)):
        edges = np.geomspace(low_hz, high_hz, _PARTS + 1)
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            inside = ((hz >= low) & (hz < high)).astype(float)
            if inside.any():
                rows.append(inside / inside.sum())
                owners.append(band)
    return np.array(rows), np.array(owners)
