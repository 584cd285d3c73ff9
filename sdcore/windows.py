"""Windows along x, for pictures wider than those of the training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TypeAlias

import torch
from torch import Tensor

from sdcore.types import Denoiser, Window

# The denoiser for the latent columns (n,) that a window sees.
DenoiserAt: TypeAlias = Callable[[Tensor], Denoiser]
# Windows that go through the network at once: memory does not grow with the picture.
TOGETHER = 8


def places(total: int, window: Window) -> list[int]:
    """The first column of each window over `total` columns; the last ones go round, or end it."""
    if total <= window.width:
        return [0]
    if window.closed:
        return list(range(0, total, window.stride))
    last = total - window.width
    return sorted({*range(0, last + 1, window.stride), last})


def windowed(at: DenoiserAt, window: Window) -> Denoiser:
    """A denoiser for x wider than `at`'s were trained on.

    MultiDiffusion (Bar-Tal et al. 2023, arXiv:2302.08113) with equal weights: windows (in latent
    columns) are denoised, a few at a time, and each column is the mean of those that it lies in.
    An x no wider than a window goes through whole.
    """

    def x0(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        total = x.shape[-1]
        if total <= window.width:
            return at(torch.arange(total))(x, sigma, step)
        summed, times = torch.zeros_like(x), x.new_zeros(total)
        for denoise, columns in _groups(at, places(total, window), window.width, total):
            together = torch.cat([x[..., where] for where in columns])
            estimates = denoise(together, sigma.repeat(len(columns)), step)
            # One by one, in order: a scattered sum is not the same twice on a GPU.
            for where, estimate in zip(columns, torch.split(estimates, len(x)), strict=True):
                summed[..., where] += estimate
                times[where] += 1
        return summed / times

    return x0


def _groups(
    at: DenoiserAt, starts: Sequence[int], width: int, total: int
) -> list[tuple[Denoiser, list[Tensor]]]:
    """Neighbouring windows that one denoiser draws, at most TOGETHER."""
    asked = [(torch.arange(first, first + width) % total) for first in starts]
    pairs = [(at(columns), columns) for columns in asked]
    found = []
    for _, run in groupby(pairs, key=lambda pair: id(pair[0])):
        same = list(run)
        for i in range(0, len(same), TOGETHER):
            part = same[i : i + TOGETHER]
            found.append((part[0][0], [columns for _, columns in part]))
    return found
