"""Noise that depends on an image's seed alone: not on the batch, not on the device."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sdcore.types import Compat, ImageRequest, NoiseSource

Shape = tuple[int, ...]


class Source(Protocol):
    """Where one image's numbers come from."""

    def __init__(self, seed: int) -> None: ...

    def randn(self, shape: Shape) -> Tensor:
        """Fresh N(0, 1), float32 on the CPU."""
        ...


class TorchSource:
    """torch's generator on the CPU."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator("cpu").manual_seed(seed)

    def randn(self, shape: Shape) -> Tensor:
        return torch.randn(shape, generator=self._generator)


class PhiloxSource:
    """The numbers that torch draws on an NVIDIA GPU, on any machine.

    Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), its first two
    words by Box and Muller's transform.
    """

    def __init__(self, seed: int) -> None:
        self._key = (seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF)
        self._calls = 0

    def randn(self, shape: Shape) -> Tensor:
        count = int(np.prod(shape))
        counter = np.zeros((4, count), np.uint32)
        counter[0], counter[2] = self._calls, np.arange(count, dtype=np.uint32)
        self._calls += 1
        x, y, _, _ = philox(counter, self._key)
        u = (x.astype(np.float32) + np.float32(0.5)) * np.float32(2**-32)
        v = (y.astype(np.float32) + np.float32(0.5)) * np.float32(2**-32 * 2 * pi)
        return torch.from_numpy(np.sqrt(-2 * np.log(u)) * np.sin(v)).reshape(shape)


def philox(counter: NDArray[np.uint32], key: tuple[int, int]) -> NDArray[np.uint32]:
    """Philox4x32-10 of counters (4, n) under one key: (4, n) random words."""
    c = counter.astype(np.uint64)
    k0, k1 = (np.uint64(k) for k in key)
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        first, second = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = np.stack(
            [
                (second >> shift) ^ c[1] ^ k0,
                second & low,
                (first >> shift) ^ c[3] ^ k1,
                first & low,
            ]
        )
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return c.astype(np.uint32)


SOURCES: dict[NoiseSource, type[Source]] = {"CPU": TorchSource, "NV": PhiloxSource}


class ImageNoise:
    """Fresh N(0, 1) latents at each call, each image's from its own source.

    The first call gives the start, each further one the noise of a step. Numbers are drawn on the
    CPU, one image at a time, so that image i of many equals image i alone, bit for bit.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        shape: Sequence[int],
        *,
        device: torch.device,
        source: NoiseSource = "CPU",
        subseeds: Sequence[int] | None = None,
        subseed_strength: float = 0.0,
        resize_from: tuple[int, int] | None = None,
        eta_noise_delta: int = 0,
        toward: Sequence[tuple[int, Tensor]] = (),
        compat: Compat = "ours",
    ) -> None:
        """Noise for images of shape (C, h, w), one per seed.

        Args:
            seeds: 0 .. 2**64 - 1.
            shape: of one image's latents.
            device: where the noise is wanted.
            source: "CPU", or "NV" for what an NVIDIA GPU would draw.
            subseeds: of as many variations, which the start goes to by subseed_strength, 0 .. 1.
            resize_from: (h, w) of the latents whose start is kept in the middle of this one.
            eta_noise_delta: added to the seeds for all noise after the start.
            toward: seeds whose noise the start goes to, in order, with shares 0 .. 1 (w,).
            compat: "a1111" keeps the reference's slip where two starts are nearly parallel.
        """
        self.shape, self.device = tuple(shape), device
        self._make = SOURCES[source]
        self._seeds = [(seed + eta_noise_delta) % 2**64 for seed in seeds]
        self._sources = [self._make(seed % 2**64) for seed in seeds]
        self._paths: list[_Path] = []
        self._start: Tensor | None = None
        is_varied = subseeds is not None and subseed_strength > 0
        if is_varied or resize_from is not None:
            smaller = self.shape if resize_from is None else (self.shape[0], *resize_from)
            starts = [self._make(seed).randn(smaller) for seed in seeds]
            if is_varied and subseeds is not None:
                others = [self._make(seed).randn(smaller) for seed in subseeds]
                starts = [
                    slerp(a, b, subseed_strength, compat=compat)
                    for a, b in zip(starts, others, strict=True)
                ]
            own = [one.randn(self.shape) for one in self._sources]
            if smaller != self.shape:
                starts = [_centred(a, b) for a, b in zip(starts, own, strict=True)]
            self._start = torch.stack(starts)
        if toward:
            self._start = self._drawn() if self._start is None else self._start
            for seed, share in toward:
                other = self._make(seed).randn(self.shape)
                starts = [slerp(one, other, share, compat=compat) for one in self._start.cpu()]
                self._start = torch.stack(starts)
        self._delta = eta_noise_delta
        self._is_first = True

    @classmethod
    def of(
        cls,
        request: ImageRequest,
        shape: Sequence[int],
        seed_shape: tuple[int, int] | None,
        *,
        device: torch.device,
    ) -> ImageNoise:
        """The noise that a resolved request asks for, at one of its passes' shapes."""
        variation = request.variation
        return cls(
            request.seeds,
            shape,
            device=device,
            source=request.noise,
            subseeds=request.subseeds,
            subseed_strength=0.0 if variation is None else variation.strength,
            resize_from=seed_shape,
            eta_noise_delta=request.eta_noise_delta,
            toward=_toward(request, shape),
            compat=request.compat,
        )

    def __call__(self) -> Tensor:
        """(B, C, h, w) float32 on the device."""
        if not self._is_first:
            return self._drawn()
        self._is_first = False
        start = self._drawn() if self._start is None else self._start.to(self.device)
        if self._delta != 0:
            self._sources = [self._make(seed) for seed in self._seeds]
        return start

    def between(self, sigma: float, sigma_next: float) -> Tensor:
        """The increment of each image's Brownian path from one sigma to the next, as N(0, 1)."""
        if not self._paths:
            self._paths = [_Path(seed, self.shape) for seed in self._seeds]
        moved = [path.at(sigma_next) - path.at(sigma) for path in self._paths]
        scale = sqrt(abs(sigma_next - sigma))
        return (torch.stack(moved) / scale).float().to(self.device)

    def _drawn(self) -> Tensor:
        return torch.stack([one.randn(self.shape) for one in self._sources]).to(self.device)


def slerp(a: Tensor, b: Tensor, share: float | Tensor, *, compat: Compat = "ours") -> Tensor:
    """From noise a to noise b (C, h, w), column by column along an arc, as the field does it.

    `share` is one for all columns or one for each (w,).
    """
    share = torch.as_tensor(share, dtype=a.dtype, device=a.device)
    dot = torch.nn.functional.cosine_similarity(a, b, dim=1)
    if float(dot.mean()) > 0.9995:  # nearly parallel: the reference takes the two the wrong way
        return torch.lerp(a, b, share if compat == "ours" else 1 - share)
    angle = dot.clamp(-1, 1).acos()
    along = torch.sin(angle)
    mixed = torch.zeros_like(a)
    for part, noise in ((1 - share, a), (share, b)):
        # A column without an arc, as in latents one row high, is mixed along its line.
        weight = torch.where(along > 1e-6, torch.sin(part * angle) / along, part)
        mixed = mixed + weight.unsqueeze(1) * noise
    return mixed


def _toward(request: ImageRequest, shape: Sequence[int]) -> list[tuple[int, Tensor]]:
    """The seeds of the request's scenes, with each column's share."""
    factor = request.width // shape[-1]
    x = (torch.arange(shape[-1], dtype=torch.float64) + 0.5) * factor
    return [(s.seed, s.weight(x)) for s in request.scenes if s.seed is not None]


def _centred(inner: Tensor, outer: Tensor) -> Tensor:
    """The outer noise (C, h, w) with the inner one in its middle, cut where it is larger."""
    whole = outer.clone()
    here, there = [], []
    for size, given in zip(outer.shape[1:], inner.shape[1:], strict=True):
        margin = (size - given) // 2
        length = given if margin >= 0 else given + 2 * margin
        here.append(slice(max(margin, 0), max(margin, 0) + length))
        there.append(slice(max(-margin, 0), max(-margin, 0) + length))
    whole[:, here[0], here[1]] = inner[:, there[0], there[1]]
    return whole


class _Path:
    """One image's Brownian motion over sigma, the same whichever places are asked for.

    A virtual Brownian tree (Li et al. 2020, arXiv:2001.01328, algorithm 3): the value in the middle
    of an interval is that of a bridge between its ends, drawn from a generator of the interval's
    own, down to intervals too short to matter.
    """

    # Beyond every sigma, and the length within which the path is straight.
    END, RESOLUTION = 2.0**14, 2.0**-20

    def __init__(self, seed: int, shape: Shape) -> None:
        self.seed, self.shape = seed, shape
        whole = self._randn(1) * sqrt(self.END)
        # (node, low, high, value at low, value at high) from the whole down to the last place.
        self._way = [(1, 0.0, self.END, torch.zeros_like(whole), whole)]

    def at(self, sigma: float) -> Tensor:
        """The path's value (C, h, w) float64 at sigma >= 0."""
        while not self._way[-1][1] <= sigma <= self._way[-1][2]:
            self._way.pop()
        node, low, high, before, after = self._way[-1]
        while high - low > self.RESOLUTION:
            middle = (low + high) / 2
            value = (before + after) / 2 + self._randn(2 * node) * (sqrt(high - low) / 2)
            if sigma <= middle:
                node, high, after = 2 * node, middle, value
            else:
                node, low, before = 2 * node + 1, middle, value
            self._way.append((node, low, high, before, after))
        return torch.lerp(before, after, (sigma - low) / (high - low))

    def _randn(self, node: int) -> Tensor:
        """The node's own noise; seeds by splitmix64, so that neighbours have nothing in common."""
        mixed = (self.seed * 0x9E3779B97F4A7C15 + node * 0xD1B54A32D192ED03) & (2**64 - 1)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = ((mixed ^ mixed >> shift) * factor) & (2**64 - 1)
        generator = torch.Generator("cpu").manual_seed(mixed ^ mixed >> 31)
        return torch.randn(self.shape, generator=generator, dtype=torch.float64)
