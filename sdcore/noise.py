"""Noise that depends on an image's seed alone: not on the batch, not on the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class ImageNoise:
    """Fresh N(0, 1) latents at each call, each image's from its own generator.

    The first call gives the start, each further one the noise of a step. Numbers are drawn on
    the CPU, one image at a time, so that image i of many equals image i alone, bit for bit.
    """

    def __init__(self, seeds: Sequence[int], shape: Sequence[int], *, device: torch.device) -> None:
        """Generators for images of shape (C, h, w), one per seed; seeds in 0 .. 2**64 - 1."""
        self.generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        self.shape = tuple(shape)
        self.device = device

    def __call__(self) -> Tensor:
        """(B, C, h, w) float32 on the device."""
        drawn = [torch.randn(self.shape, generator=generator) for generator in self.generators]
        return torch.stack(drawn).to(self.device)
