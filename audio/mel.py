"""Mel bands: triangular HTK filters, and their inverse by one precomputed regularised matrix.

On time frames magnitudes are summed as Riffusion sums them. On beat frames powers are summed, and
scaled so that neither a tone nor a noise changes its level when the tempo, and with it the window,
changes: the window's sum sets a tone's peak to its amplitude, and a factor of window / n_fft makes
the sum over bins independent of zero-padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor

from audio.stft import StftParams, hann
from audio.types import BeatFrames, SpectrogramParams

INT16 = 32768.0  # Riffusion's magnitudes are those of 16 bit samples
RIDGE = 1e-3  # of the filter bank's largest squared singular value
BLOCK_BINS = 64  # a band reaches few bins: multiplying by runs of bins skips the zeros

_Key = tuple[int, int, float, float]


def hz_to_mel(hz: Tensor) -> Tensor:
    """HTK mels."""
    return 2595.0 * torch.log10(1.0 + hz / 700.0)


def mel_to_hz(mel: Tensor) -> Tensor:
    """Hz of HTK mels."""
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


def filters(params: SpectrogramParams, n_fft: int) -> Tensor:
    """Triangular filters (n_mels, bins), peak 1, no area normalisation (torchaudio norm=None)."""
    return _bank(_key(params), n_fft)


def bands_between(params: SpectrogramParams, low_hz: float, high_hz: float) -> tuple[int, int]:
    """The bands [first, last) whose middles lie in low_hz .. high_hz."""
    corners = _corners(params.n_mels, params.min_hz, params.max_hz)
    first, last = torch.searchsorted(corners[1:-1], torch.tensor([low_hz, high_hz]))
    return int(first), int(last)


def band_edges(params: SpectrogramParams, first: int, last: int) -> tuple[float, float]:
    """Hz between the middles of bands [first, last) and their neighbours': 0 and half the rate at
    the ends of the scale."""
    corners = _corners(params.n_mels, params.min_hz, params.max_hz)
    low_hz = float(corners[first : first + 2].mean()) if first > 0 else 0.0
    high_hz = float(corners[last : last + 2].mean()) if last < params.n_mels else params.rate / 2
    return low_hz, high_hz


def _corners(n_mels: int, min_hz: float, max_hz: float) -> Tensor:
    """Hz (n_mels + 2,): band m rises from corner m to m + 1 and falls to m + 2."""
    ends = hz_to_mel(torch.tensor([min_hz, max_hz], dtype=torch.float64)).tolist()
    return mel_to_hz(torch.linspace(ends[0], ends[1], n_mels + 2, dtype=torch.float64))


def to_mel(magnitudes: Tensor, params: SpectrogramParams, p: StftParams) -> Tensor:
    """Mel magnitudes (C, n_mels, frames) of linear ones (C, bins, frames)."""
    top = min(p.bins, int(params.max_hz * p.n_fft / params.rate) + 2)  # no filter reaches higher
    bank, used = filters(params, p.n_fft)[:, :top], magnitudes[:, :top]
    if isinstance(params.frames, BeatFrames):
        return (bank @ used.square()).sqrt_().mul_(gain(params, p))
    return (bank @ used).mul_(gain(params, p))


def from_mel(mel: Tensor, params: SpectrogramParams, p: StftParams) -> Tensor:
    """Linear magnitudes (C, bins, frames) >= 0 whose mel is near `mel`; 0 above max_hz."""
    return Bands(params, p, p).linear(mel.transpose(-1, -2)).transpose(-1, -2)


def gain(params: SpectrogramParams, p: StftParams) -> float:
    """What a mel sum of a transform of samples in [-1, 1] is multiplied by."""
    if not isinstance(params.frames, BeatFrames):
        return INT16
    return float(2.0 / float(hann(p.window).sum()) * (p.window / p.n_fft) ** 0.5)


class Bands:
    """The mel bands of the analysis layout `p`, seen from a cheaper layout `work`.

    `work` may have fewer samples over the same time and another n_fft; its bins are then taken as
    samples of the analysis' finer spectrum. Everything is frames first: (C, frames, ...).
    """

    def __init__(self, params: SpectrogramParams, p: StftParams, work: StftParams) -> None:
        step = Fraction(p.n_fft * work.n_samples, p.n_samples * work.n_fft)
        self.inverse, self.blocks = _seen_from(_key(params), p.n_fft, work.bins, float(step))
        self.work = work
        self.powers = isinstance(params.frames, BeatFrames)
        self.gain = gain(params, p) * p.n_samples / work.n_samples

    def target(self, mel: Tensor) -> Tensor:
        """What the sums over the bins of `work` should be, from mel magnitudes."""
        scaled = mel / self.gain
        return scaled.square() if self.powers else scaled

    def linear(self, mel: Tensor) -> Tensor:
        """Magnitudes (C, frames, bins) from mel (C, frames, n_mels) by the regularised inverse."""
        linear = (self.target(mel) @ self.inverse).clamp_min_(0.0)
        return linear.sqrt_() if self.powers else linear

    def nearer(self, power: Tensor, target: Tensor) -> Tensor:
        """Magnitudes (C, frames, bins) whose mel is nearer to `target` than that of `power`.

        One multiplicative step (Lee and Seung 1999, the divergence form): each bin follows the
        ratios of the bands that it lies in, and keeps its share of them.
        """
        held = power if self.powers else power.sqrt()
        sums = torch.zeros_like(target)
        for block in self.blocks:
            sums[..., block.mels] += held[..., block.bins] @ block.gather
        ratio = target.div(sums.clamp_min_(1e-12)).clamp_max_(1e6)
        moved = torch.zeros_like(held)
        for block in self.blocks:
            torch.mul(
                held[..., block.bins],
                ratio[..., block.mels] @ block.spread,
                out=moved[..., block.bins],
            )
        return moved.sqrt_() if self.powers else moved


@dataclass(frozen=True, kw_only=True)
class Block:
    """A run of bins and the few bands that reach it; the matrices between them."""

    bins: slice
    mels: slice
    gather: Tensor  # (bins, mels): the filters
    spread: Tensor  # (mels, bins): the filters, their sum over bands made 1


@lru_cache(maxsize=16)
def _seen_from(key: _Key, n_fft: int, bins: int, step: float) -> tuple[Tensor, tuple[Block, ...]]:
    """Inverse (n_mels, bins) and blocks for work bins `step` fine bins apart."""
    bank = coarser(_bank(key, n_fft), bins, step)
    inverse = sample_rows(_inverse(key, n_fft), bins, step).T.contiguous()
    reach = bank.sum(0).clamp_min(1e-3)
    blocks = []
    for first in range(0, bins, BLOCK_BINS):
        run = slice(first, min(bins, first + BLOCK_BINS))
        touched = bank[:, run].any(1).nonzero()
        if len(touched):
            mels = slice(int(touched[0]), int(touched[-1]) + 1)
            part = bank[mels, run]
            blocks.append(
                Block(bins=run, mels=mels, gather=part.T.contiguous(), spread=part / reach[run])
            )
    return inverse, tuple(blocks)


def coarser(bank: Tensor, bins: int, step: float) -> Tensor:
    """The filters (n_mels, bins) whose sums are those of `bank` over lines between the bins."""
    place = torch.arange(bank.shape[1], dtype=torch.float64) / step
    low = place.floor().long().clamp_max(bins - 2)
    share = (place - low).clamp(0.0, 1.0).to(torch.float32)
    out = torch.zeros(bank.shape[0], bins)
    return out.index_add_(1, low, bank * (1.0 - share)).index_add_(1, low + 1, bank * share)


def sample_rows(matrix: Tensor, rows: int, step: float) -> Tensor:
    """`rows` rows of a matrix (fine, n), `step` of its own rows apart, on lines between them."""
    place = (torch.arange(rows, dtype=torch.float64) * step).clamp_max(matrix.shape[0] - 1)
    low = place.floor().long().clamp_max(matrix.shape[0] - 2)
    share = (place - low).to(torch.float32)[:, None]
    return torch.lerp(matrix[low], matrix[low + 1], share)


def _key(params: SpectrogramParams) -> _Key:
    return params.rate, params.n_mels, float(params.min_hz), float(params.max_hz)


@lru_cache(maxsize=16)
def _bank(key: _Key, n_fft: int) -> Tensor:
    rate, n_mels, min_hz, max_hz = key
    bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * (rate / n_fft)
    edges = _corners(n_mels, min_hz, max_hz)
    low, peak, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rise, fall = (bins - low) / (peak - low), (high - bins) / (high - peak)
    return torch.minimum(rise, fall).clamp_min(0.0).to(torch.float32)


@lru_cache(maxsize=16)
def _inverse(key: _Key, n_fft: int) -> Tensor:
    """Tikhonov-regularised inverse (bins, n_mels): bank^T (bank bank^T + ridge)^-1.

    Without the ridge some banks make it diverge (an empty or nearly dependent filter).
    """
    bank = _bank(key, n_fft).to(torch.float64)
    gram = bank @ bank.T
    gram.diagonal().add_(RIDGE * torch.linalg.matrix_norm(gram, 2))
    inverse: Tensor = torch.linalg.solve(gram, bank).T
    return inverse.contiguous().to(torch.float32)
