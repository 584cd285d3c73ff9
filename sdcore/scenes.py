"""Words that change along x: where which scene holds, and a denoiser for each window.

Where scenes meet, either what is drawn under each of them is mixed column by column, or the words
themselves pass into one another: contexts on a line between them (Riffusion's interpolation), one
for each window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from sdcore.conditioning import Context, Moment
from sdcore.types import Denoiser, Scene


class Read(Protocol):
    """What a network reads, step by step."""

    def at(self, step: int) -> Moment:
        """The contexts of a step."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Between:
    """What is read on the way from a to b: parts and negative prompt `share` of the way.

    Prompts of one part and of equally many chunks have their contexts on a line; others are all
    read, by weights on a line.
    """

    a: Read
    b: Read
    share: float

    def at(self, step: int) -> Moment:
        """The contexts of a step."""
        a, b = self.a.at(step), self.b.at(step)
        (weight, context), (other_weight, other) = a.positive[0], b.positive[0]
        is_line = len(a.positive) == len(b.positive) == 1 and _are_alike(context, other)
        if is_line:
            weight += (other_weight - weight) * self.share
            positive: tuple[tuple[float, Context], ...] = (
                (weight, mixed(context, other, self.share)),
            )
        else:
            faded = tuple((w * (1 - self.share), c) for w, c in a.positive)
            positive = faded + tuple((w * self.share, c) for w, c in b.positive)
        negative = a.negative if self.share < 0.5 else b.negative
        if _are_alike(a.negative, b.negative):
            negative = mixed(a.negative, b.negative, self.share)
        return Moment(positive=positive, negative=negative)


def _are_alike(a: Context, b: Context) -> bool:
    return a.tokens.shape == b.tokens.shape


def mixed(a: Context, b: Context, share: float) -> Context:
    """The context `share` of the way from a to b, of equally many tokens."""
    pooled = None
    if a.pooled is not None and b.pooled is not None:
        pooled = torch.lerp(a.pooled, b.pooled, share)
    return replace(a, tokens=torch.lerp(a.tokens, b.tokens, share), pooled=pooled)


def weights(scenes: Sequence[Scene], columns: int, factor: int) -> Tensor:
    """Weights (1 + scenes, columns) of the request's own words and each scene: they sum to 1.

    A column of latents stands for its middle, `factor` pixels wide.
    """
    x = (torch.arange(columns, dtype=torch.float64) + 0.5) * factor
    rest = [torch.ones(columns, dtype=torch.float64)]
    for scene in scenes:
        own = scene.weight(x)
        rest = [before * (1 - own) for before in rest] + [own]
    return torch.stack(rest)


class Staged:
    """The denoiser at any columns, made of one for each scene (the request's own words first).

    `between(i, share)` gives the denoiser of words `share` of the way from scene i - 1 to scene i.
    """

    def __init__(
        self,
        own: Sequence[Denoiser],
        shares: Tensor,
        morphs: Sequence[bool],
        between: Callable[[int, float], Denoiser],
    ) -> None:
        """own: one denoiser a scene; shares: (scenes, columns); morphs: of each scene but the
        first."""
        self._own, self._shares, self._between = own, shares, between
        self._morphs = (False, *morphs)
        self._met: dict[tuple[int, float], Denoiser] = {}

    def at(self, columns: Tensor) -> Denoiser:
        """The denoiser for these columns."""
        shares = self._shares[:, columns.cpu()]
        present = [i for i, share in enumerate(shares) if bool((share > 0).any())]
        if len(present) == 1:
            return self._own[present[0]]
        if len(present) == 2 and self._morphs[present[1]] and present[1] == present[0] + 1:
            return self._met_at(present[1], float(shares[present[1]].mean()))
        return _blended([self._own[i] for i in present], shares[present])

    def _met_at(self, scene: int, share: float) -> Denoiser:
        if (scene, share) not in self._met:
            self._met[scene, share] = self._between(scene, share)
        return self._met[scene, share]


def _blended(denoisers: Sequence[Denoiser], shares: Tensor) -> Denoiser:
    """What each denoiser draws, mixed column by column."""

    def x0(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        total = torch.zeros_like(x)
        for denoise, share in zip(denoisers, shares.to(x), strict=True):
            total += denoise(x, sigma, step) * share
        return total

    return x0
