"""Short-time Fourier transform over a layout of frames, linear or circular.

Frame k is centred on sample round(k * hop), where the hop is a fraction: on a beat grid N samples
and T frames have hop = N / T exactly, so neither length nor tempo is ever rounded. Linear layouts
reflect the signal at its edges, circular ones wrap it.

The window is placed at the start of the zero-padded FFT frame; against a centred frame this only
turns phases by a linear ramp, and the magnitudes are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from audio.errors import ParameterError
from audio.types import BeatFrames, SpectrogramParams, Tempo

MIN_BEAT_FFT = 4096  # at 128 mels from 20 Hz the narrowest band then holds three bins
MIN_WORK_FFT = 2048  # the same bands at a lower rate, about a bin to the narrowest
RUN = 64  # frames at a time where only magnitudes are wanted
BAND_MARGIN = 1.01  # working rate over the least that holds the highest band


@dataclass(frozen=True, kw_only=True)
class StftParams:
    """Where the frames lie: all lengths in samples, `hop` as an exact fraction."""

    n_samples: int
    frames: int
    window: int
    n_fft: int
    circular: bool
    hop: Fraction

    def __post_init__(self) -> None:
        if max(self.margins) >= self.n_samples:
            raise ParameterError(
                f"{self.n_samples} samples are too short for a window of {self.window}: "
                "give a longer sound"
            )

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1

    def centre(self, k: int) -> int:
        """The sample on which frame k is centred: round(k * hop), halves up."""
        p, q = self.hop.numerator, self.hop.denominator
        return (2 * k * p + q) // (2 * q)

    @property
    def margins(self) -> tuple[int, int]:
        """Samples by which frames reach out before the first sample and after the last."""
        before = self.window // 2
        last = self.centre(self.frames - 1) - before + self.window
        return before, max(0, last - self.n_samples)


def layout(
    params: SpectrogramParams,
    *,
    tempo: Tempo | None = None,
    n_samples: int | None = None,
    frames: int | None = None,
    circular: bool = False,
) -> StftParams:
    """The frames for a musical length, a length in samples, or a picture `frames` wide.

    Beat grids need `tempo`. On time grids the hop is fixed when linear; of a circle or a musical
    length the frames, as many as are asked or as come nearest to that hop, are spread evenly.
    """
    if isinstance(params.frames, BeatFrames):
        return _beat_layout(params, params.frames, tempo, circular)
    grid, rate = params.frames, params.rate
    hop = round(grid.hop_ms * rate / 1000)
    if tempo is not None:
        n_samples = tempo.samples(rate)
    if n_samples is None:
        if frames is None:
            raise ParameterError("a time grid needs a length: give tempo, n_samples or frames")
        n_samples = frames * hop if circular else max(1, frames - 1) * hop
    window = round(grid.window_ms * rate / 1000)
    step = Fraction(hop)
    if circular or tempo is not None:
        frames = max(1, round(n_samples / hop)) if frames is None else frames
        step = Fraction(n_samples, frames)
        if not 1 <= step <= window / 2:
            raise ParameterError(
                f"{frames} frames over {n_samples} samples: give a width near {n_samples / hop:.0f}"
            )
    return StftParams(
        n_samples=n_samples,
        frames=frames or 1 + n_samples // hop,
        window=window,
        n_fft=round(grid.padded_ms * rate / 1000),
        circular=circular,
        hop=step,
    )


def _beat_layout(
    params: SpectrogramParams, grid: BeatFrames, tempo: Tempo | None, circular: bool
) -> StftParams:
    if tempo is None:
        raise ParameterError("a beat grid needs a tempo: give bpm and beats")
    n_samples, frames = tempo.samples(params.rate), tempo.beats * grid.per_beat
    window = round(grid.window_hops * n_samples / frames)
    return StftParams(
        n_samples=n_samples,
        frames=frames,
        window=window,
        n_fft=fast_length(max(window, MIN_BEAT_FFT)),
        circular=circular,
        hop=Fraction(n_samples, frames),
    )


def frame_skip(p: StftParams, overlap: int) -> int:
    """How many hops apart frames may lie so that each sample is still in `overlap` of them."""
    skip = max(1, int(p.window / (overlap * p.hop)))
    while p.circular and p.frames % skip:
        skip -= 1
    return skip


def cheaper(p: StftParams, *, top_hz: float, skip: int, padding: float) -> StftParams:
    """The same time in about the fewest samples that hold `top_hz` (a fraction of the rate).

    Only every `skip`-th frame is kept, and n_fft is at least `padding` windows, or as many times
    MIN_WORK_FFT. All hops are equal, whatever those of `p`: the number of samples is free, as
    `resample` goes back exactly.
    """
    frames, hop = -(-p.frames // skip), p.hop * skip
    even = math.ceil(hop * min(1.0, BAND_MARGIN * 2.0 * top_hz))
    ratio = even / hop
    window = round(p.window * ratio)
    n_samples = frames * even if p.circular else round(p.n_samples * ratio)
    return StftParams(
        n_samples=n_samples,
        frames=frames,
        window=window,
        n_fft=fast_length(math.ceil(max(window, MIN_WORK_FFT) * padding)),
        circular=p.circular,
        hop=Fraction(even),
    )


def fast_length(n: int) -> int:
    """The smallest even length >= n whose prime factors are 2, 3 and 5."""
    m = n + n % 2
    while True:
        rest = m
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return m
        m += 2


def stft(x: Tensor, p: StftParams) -> Tensor:
    """Complex spectrum (C, bins, frames) of samples x (C, n_samples)."""
    return Transform(p, x.shape[0]).forward(x).transpose(-1, -2)


def spectra(x: Tensor, p: StftParams) -> Iterator[Tensor]:
    """`stft` in runs of frames, (C, bins, some): a long sound needs no more memory than a short."""
    extended = torch.zeros(x.shape[0], extent(p))
    extend(x, p, extended)
    for first in range(0, p.frames, RUN):
        frames = torch.zeros(x.shape[0], min(RUN, p.frames - first), p.n_fft)
        cut(extended, p, frames[..., : p.window], first=first)
        yield torch.fft.rfft(frames).transpose(-1, -2)


def istft(spectrum: Tensor, p: StftParams) -> Tensor:
    """Samples (C, n_samples) by weighted overlap-add: the least-squares inverse of `stft`.

    Griffin and Lim 1984, eq. 6. Where no window reaches, the sound is zero.
    """
    return Transform(p, spectrum.shape[0]).backward(spectrum.transpose(-1, -2))


class Transform:
    """The two transforms of one layout with their buffers, for many passes over one signal.

    Spectra are frames first here, (C, frames, bins): each FFT reads and writes whole rows. Fresh
    memory for every pass costs more than the arithmetic, so results live in buffers: `forward`
    writes into `out` where given, and `backward` spoils nothing of its input.
    """

    def __init__(self, p: StftParams, channels: int) -> None:
        self.p = p
        self._window = hann(p.window)
        self._extended = torch.zeros(channels, extent(p))
        self._frames = torch.zeros(channels, p.frames, p.n_fft)  # zeros past the window stay
        self._sound = torch.empty(channels, p.frames, p.n_fft)
        self._weight = inverse_weight(p)

    def forward(self, x: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Complex (C, frames, bins) of x (C, n_samples)."""
        extend(x, self.p, self._extended)
        cut(self._extended, self.p, self._frames[..., : self.p.window])
        spectrum: Tensor = torch.fft.rfft(self._frames, out=out)
        return spectrum

    def backward(self, spectrum: Tensor) -> Tensor:
        """Samples (C, n_samples) of a complex (C, frames, bins); the view of a buffer."""
        torch.fft.irfft(spectrum, n=self.p.n_fft, out=self._sound)
        windowed = self._sound[..., : self.p.window].mul_(self._window)
        lay(windowed, self.p, self._extended)
        return fold(self._extended, self.p).mul_(self._weight)


def extent(p: StftParams) -> int:
    """Samples of the signal with its margins, and room for whole hops where hops are equal."""
    before, after = p.margins
    length = before + p.n_samples + after
    if p.hop.denominator == 1:
        hop = int(p.hop)
        length = max(length, (p.frames - 1 - (-p.window // hop)) * hop)
    return length


def extend(x: Tensor, p: StftParams, out: Tensor) -> None:
    """x (C, n_samples) into the middle of `out`, its margins wrapped or reflected."""
    before, after = p.margins
    n = p.n_samples
    end = before + n + after
    out[:, before : before + n] = x
    if p.circular:
        out[:, :before] = x[:, n - before :]
        out[:, before + n : end] = x[:, :after]
    else:
        out[:, :before] = x[:, 1 : before + 1].flip(-1)
        out[:, before + n : end] = x[:, n - 1 - after : n - 1].flip(-1)


def cut(extended: Tensor, p: StftParams, out: Tensor, *, first: int = 0) -> None:
    """Windowed frames from the `first` on of an extended signal into `out` (C, some, window)."""
    window, count = hann(p.window), out.shape[1]
    if p.hop.denominator == 1:
        hops = extended.unfold(-1, p.window, int(p.hop))[:, first : first + count]
        torch.mul(hops, window, out=out)
        return
    source, target, factor = extended.numpy(), out.numpy(), window.numpy()
    for k in range(count):  # numpy slices: far faster here than a gather
        start = p.centre(first + k)
        np.multiply(source[:, start : start + p.window], factor, out=target[:, k])


def lay(frames: Tensor, p: StftParams, extended: Tensor) -> None:
    """Overlap-add frames (C, frames, window) into `extended`, overwriting it."""
    extended.zero_()
    if p.hop.denominator == 1:  # one addition for all frames, hop by hop of the window
        hop, channels = int(p.hop), frames.shape[0]
        rows = extended[:, : extended.shape[1] // hop * hop].view(channels, -1, hop)
        for j, start in enumerate(range(0, p.window, hop)):
            piece = frames[..., start : start + hop]
            rows[:, j : j + p.frames, : piece.shape[-1]] += piece
        return
    target, source = extended.numpy(), frames.numpy()
    for k in range(p.frames):
        start = p.centre(k)
        target[:, start : start + p.window] += source[:, k]


def fold(extended: Tensor, p: StftParams) -> Tensor:
    """The signal (C, n_samples) inside `extended`: margins are added in where the layout wraps."""
    before, after = p.margins
    n = p.n_samples
    core = extended[:, before : before + n]
    if p.circular:
        core[:, n - before :] += extended[:, :before]
        core[:, :after] += extended[:, before + n : before + n + after]
    return core


@lru_cache(maxsize=32)
def hann(window: int) -> Tensor:
    """The periodic Hann window."""
    return torch.hann_window(window, dtype=torch.float32)


@lru_cache(maxsize=16)
def inverse_weight(p: StftParams) -> Tensor:
    """1 / sum of squared windows at each sample (n_samples,); 0 where no window reaches."""
    total = torch.zeros(1, extent(p))
    lay(hann(p.window).square().expand(1, p.frames, p.window), p, total)
    weight = fold(total, p)[0]
    floor = 1e-4 * float(weight.max())
    return torch.where(weight > floor, 1.0 / weight.clamp_min(floor), 0.0)


def resample(x: Tensor, n: int, *, circular: bool) -> Tensor:
    """x (C, m) at n samples over the same time, by its Fourier series; exact when band-limited.

    Linear signals are mirrored first, so that no jump at their ends rings into them.
    """
    m = x.shape[-1]
    if m == n:
        return x
    if not circular:
        return resample(torch.cat([x, x.flip(-1)], -1), 2 * n, circular=True)[..., :n]
    found: Tensor = torch.fft.irfft(torch.fft.rfft(x), n=n)
    return found.mul_(n / m)
