"""Loops as circles: how well the end meets the start, repeating, turning to another beat."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample

from audio.errors import ParameterError
from audio.types import Clip, Loop, Samples

SEAM_WINDOW_S = 0.023  # about what the ear takes for one moment; 1024 samples at 44.1 kHz
MIN_WINDOWS = 16


@dataclass(frozen=True, kw_only=True)
class Seam:
    """What happens where the end meets the start, against what happens inside.

    `jump` is |y[0] - y[N-1]| over the rms of all differences between neighbours, in the worst
    channel: about 1 where the seam is a step like any other, 0 for silence. `flux` is the rise of
    the spectrum at the seam, `inside` the rises at all other frames, sorted.
    """

    jump: float
    flux: float
    inside: NDArray[np.float64]

    @property
    def percentile(self) -> float:
        """The share of inside rises, in percent, that the seam's exceeds; 0 for silence."""
        return 100.0 * float(np.searchsorted(self.inside, self.flux)) / len(self.inside)


def seam(clip: Clip) -> Seam:
    """The seam of a clip that is to be repeated.

    Spectral flux (Bello et al. 2005, eq. 5) over half-overlapping Hann frames laid round the
    circle, one centred on the seam: the frame before it ends where the seam is, so that all of a
    click counts. Raises ParameterError for a clip of fewer than 16 windows' halves.
    """
    window = 2 * round(SEAM_WINDOW_S * clip.rate / 2)
    frames = 2 * clip.n // window
    if frames < MIN_WINDOWS:
        least = MIN_WINDOWS * window // 2
        raise ParameterError(f"a clip of {clip.n} samples: a seam is measured from {least} on")
    flux = _flux(clip, window, frames)
    return Seam(jump=_jump(clip), flux=float(flux[0]), inside=np.sort(flux[1:]))


def repeat(clip: Clip, times: int) -> Clip:
    """The clip `times` times on end, times * n samples: repeat k starts at exactly k * n."""
    if times < 1:
        raise ParameterError(f"{times} repeats: give at least 1")
    return replace(clip, samples=np.tile(clip.samples, (1, times)))


def as_circle(samples: Samples, n: int) -> Samples:
    """A circle of samples (channels, any) as n of them, by its Fourier series."""
    if samples.shape[1] == n:
        return samples
    return np.asarray(resample(samples, n, axis=1), np.float32)


def rotate(loop: Loop, beats: float) -> Loop:
    """The same circle, starting `beats` beats later (earlier where negative)."""
    if not math.isfinite(beats):
        raise ParameterError(f"{beats} beats: give a number to turn by")
    shift = round(loop.tempo.exact(loop.clip.rate) / loop.tempo.beats * Fraction(str(beats)))
    samples = np.roll(loop.clip.samples, -shift, axis=1)
    return replace(loop, clip=replace(loop.clip, samples=samples))


def _jump(clip: Clip) -> float:
    y = clip.samples.astype(np.float64)
    rms = np.sqrt(np.mean(np.diff(y, axis=1) ** 2, axis=1))
    steps = np.abs(y[:, 0] - y[:, -1])
    # A constant channel has no jump however it is measured: its step is 0 as well.
    return float(np.max(steps / np.where(rms > 0, rms, 1.0)))


def _flux(clip: Clip, window: int, frames: int) -> NDArray[np.float64]:
    """The rise from each frame (of the circle) to the next, summed over bins and channels."""
    centres = np.rint(np.arange(frames) * (clip.n / frames)).astype(np.int64)
    at = (centres[:, None] - window // 2 + np.arange(window)) % clip.n
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    levels = np.abs(np.fft.rfft(clip.samples[:, at] * hann))
    rises = np.maximum(levels - np.roll(levels, 1, axis=1), 0.0)
    return np.asarray(rises.sum(axis=(0, 2)), dtype=np.float64)
