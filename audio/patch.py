"""A changed region of a spectrogram, rendered into the sound that is there.

Only the difference is made and added: the sound keeps every sample that lies further from the
region than one window in time, and every frequency further than a third of an octave.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import firwin, oaconvolve
from torch import Tensor

from audio.errors import ParameterError
from audio.mel import Bands, band_edges
from audio.phase import QUALITIES, TINY, Quality
from audio.stft import StftParams, hann, layout
from audio.types import Clip, Samples, Spectrogram

GUARD = 2.0 ** (1.0 / 3.0)  # between a region's edge and what must not change
KAISER_BETA = 7.0  # side lobes 70 dB down


@dataclass(frozen=True, kw_only=True)
class Region:
    """Frames [first, last) and mel bands [low_band, high_band)."""

    first: int
    last: int
    low_band: int
    high_band: int


def patched(
    clip: Clip,
    before: Spectrogram,
    after: Spectrogram,
    region: Region,
    *,
    quality: str = "fast",
    seed: int = 0,
) -> Clip:
    """The clip with its spectrogram `before` made `after` within the region.

    Inside, magnitudes aim at `after`, their phases found by fast Griffin-Lim with all that lies
    outside held as it is. A clip whose region shows the same comes back as it is.
    Raises ParameterError for a region without frames or bands, or a clip of another length.
    """
    p = layout(before.params, tempo=before.tempo, frames=before.frames, circular=before.circular)
    _refuse(clip, before, after, region, p)
    box = (slice(None), slice(region.low_band, region.high_band), slice(region.first, region.last))
    if np.array_equal(before.magnitudes[box], after.magnitudes[box]):
        return clip
    with torch.inference_mode():
        local = _Local(clip.samples, p, region)
        found = _change(local, after, region, p, QUALITIES[quality], seed)
    change = _limited(found, before, region, clip.rate, p.window)
    samples = clip.samples.copy()
    at = local.first + np.arange(-(p.window // 2), change.shape[1] - p.window // 2)
    inside = np.ones(len(at), bool) if p.circular else (at >= 0) & (at < clip.n)
    samples[:, at[inside] % clip.n] += change[:, inside]
    return replace(clip, samples=samples)


def _refuse(
    clip: Clip, before: Spectrogram, after: Spectrogram, region: Region, p: StftParams
) -> None:
    if before.magnitudes.shape != after.magnitudes.shape or clip.n != p.n_samples:
        raise ParameterError(
            f"a clip of {clip.n} samples, pictures of {before.frames} and {after.frames} frames: "
            f"give what belongs together, {p.n_samples} samples"
        )
    if clip.channels != before.params.channels:
        raise ParameterError(f"a clip of {clip.channels} channels: give as many as the pictures'")
    in_time = 0 <= region.first < region.last <= before.frames
    if not (in_time and 0 <= region.low_band < region.high_band <= before.params.n_mels):
        raise ParameterError(
            f"frames {region.first} to {region.last} and bands {region.low_band} to "
            f"{region.high_band}: give some of {before.frames} and {before.params.n_mels}"
        )


class _Local:
    """The sound around a region, and its frames there: the transform of those frames alone.

    `first` is where the buffer begins in the clip; it may lie before it, or wrap.
    """

    def __init__(self, samples: Samples, p: StftParams, region: Region) -> None:
        half, n = p.window // 2, p.n_samples
        centres = [p.centre(k) for k in range(region.first, region.last)]
        self.first = centres[0] - half
        self.p, self.starts = p, [c - half - self.first for c in centres]
        self.length = self.starts[-1] + p.window
        at = np.arange(self.first, self.first + self.length)
        if p.circular:
            cut = samples[:, at % n]
        else:
            cut = np.where((at >= 0) & (at < n), samples[:, at.clip(0, n - 1)], 0.0)
        self.x = torch.from_numpy(np.ascontiguousarray(cut, dtype=np.float32))
        self.window = hann(p.window)
        self._inverse = self._inverse_weight(region)

    def forward(self, x: Tensor) -> Tensor:
        """Complex (C, frames, bins) of x (C, length)."""
        frames = torch.zeros(x.shape[0], len(self.starts), self.p.n_fft)
        for k, start in enumerate(self.starts):
            piece = x[:, start : start + self.p.window]
            torch.mul(piece, self.window, out=frames[:, k, : self.p.window])
        spectrum: Tensor = torch.fft.rfft(frames)
        return spectrum

    def backward(self, spectrum: Tensor) -> Tensor:
        """The share (C, length) that these frames have in a signal of all frames."""
        frames = torch.fft.irfft(spectrum, n=self.p.n_fft)[..., : self.p.window] * self.window
        x = torch.zeros(spectrum.shape[0], self.length)
        for k, start in enumerate(self.starts):
            x[:, start : start + self.p.window] += frames[:, k]
        return x * self._inverse

    def _inverse_weight(self, region: Region) -> Tensor:
        """1 / sum of squared windows, of those frames too that only reach in here."""
        around = ceil(self.p.window / self.p.hop)
        total, square = torch.zeros(self.length), self.window.square()
        for k in range(region.first - around, region.last + around):
            start = self.p.centre(k) - self.p.window // 2 - self.first
            low, high = max(0, start), min(self.length, start + self.p.window)
            if low < high:
                total[low:high] += square[low - start : high - start]
        return 1.0 / total.clamp_min(1e-4 * float(total.max()))


def _change(
    local: _Local, after: Spectrogram, region: Region, p: StftParams, rung: Quality, seed: int
) -> Tensor:
    """What is to be added (C, length), so that the region's magnitudes are `after`'s."""
    bands = Bands(after.params, p, p)
    mel = torch.from_numpy(after.magnitudes[:, :, region.first : region.last])
    mel = mel.transpose(-1, -2).contiguous()
    target, inside = bands.target(mel), _bins(after, region, p)
    was = local.forward(local.x)
    aim = bands.linear(mel)
    rng = torch.Generator().manual_seed(seed)
    turn = torch.rand(aim.shape[1:], generator=rng).mul_(0.5 * torch.pi)
    now = torch.where(inside, torch.polar(aim, turn.expand_as(aim)), was)
    before = now
    change = local.backward(now - was)
    for i in range(rung.n_iter):
        now = local.forward(local.x + change)
        led = now + rung.momentum / (1.0 + rung.momentum) * (now - before) if i else now
        if i in rung.refine:
            aim = bands.nearer(led.abs().square(), target)
        before = now
        imposed = led * (aim / (led.abs() + TINY**0.5))
        change = local.backward(torch.where(inside, imposed - was, 0.0))
    return change


def _bins(after: Spectrogram, region: Region, p: StftParams) -> Tensor:
    """Which bins (bins,) the region's bands cover; open at the ends of the scale."""
    low_hz, high_hz = band_edges(after.params, region.low_band, region.high_band)
    hz = torch.arange(p.bins) * (after.params.rate / p.n_fft)
    return (hz >= low_hz) & (hz < high_hz)


def _limited(
    change: Tensor, before: Spectrogram, region: Region, rate: int, window: int
) -> NDArray[np.float32]:
    """The change without what leaks past the guard, half a window longer on both sides.

    The windows' own side lobes reach further than their region; a linear-phase filter as long as
    the window, its slopes within the guard, takes them away.
    """
    low_hz, high_hz = band_edges(before.params, region.low_band, region.high_band)
    half = window // 2
    padded = np.pad(change.numpy().astype(np.float64), ((0, 0), (half, half)))
    edges, nyquist = [], rate / 2
    if low_hz > 0:
        edges.append((low_hz / GUARD + low_hz) / 2)
    if high_hz * GUARD < nyquist:
        edges.append((high_hz + high_hz * GUARD) / 2)
    if not edges:
        return padded.astype(np.float32)
    taps = firwin(
        2 * half + 1, edges, window=("kaiser", KAISER_BETA), pass_zero=low_hz <= 0, fs=rate
    )
    filtered = oaconvolve(padded, taps[None], mode="same", axes=1)
    return np.asarray(filtered, dtype=np.float32)
