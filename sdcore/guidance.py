"""Guidance: what becomes of estimates under a prompt, its parts and a negative prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sdcore.conditioning import Context, joined
from sdcore.denoise import Network
from sdcore.scenes import Read
from sdcore.types import Guidance


@dataclass(kw_only=True, eq=False)
class Guided:
    """Classifier-free guidance, a denoiser: u + cfg * sum_j w_j (c_j - u) over the parts of AND.

    Sources: Ho & Salimans 2022, arXiv:2207.12598, eq. 6, where w is cfg - 1; Liu et al. 2022,
    arXiv:2206.01714, eq. 11 for the parts; Brooks et al. 2023, arXiv:2211.09800, eq. 3 for a
    network that is shown a picture to edit, and one `blind` to it. All go through the network in
    one batch where they have equally many tokens. Where the negative prompt has no share (at cfg 1,
    outside of the interval)
    it is not computed, and the parts' weighted mean stands.
    """

    network: Network
    conditioning: Read
    cfg: float
    steps: int
    guidance: Guidance = Guidance()
    blind: Network | None = None
    # The estimate without guidance of the last call, where there was one: DDIM CFG++ uses it.
    uncond: Tensor | None = field(default=None, init=False)
    _evaluations: int = field(default=0, init=False)

    def __call__(self, x: Tensor, sigma: Tensor, step: int) -> Tensor:
        moment = self.conditioning.at(step)
        weights, contexts = _parts(moment.positive)
        total = sum(weights)
        self._evaluations += 1
        if total > 0 and not self._is_guided(total, float(sigma[0]), step):
            estimates = _estimates(self.network, x, sigma, contexts)
            self.uncond = None
            return _mean(estimates, weights)
        negative, *estimates = _estimates(self.network, x, sigma, [moment.negative, *contexts])
        direction = sum(
            (w * (c - negative) for w, c in zip(weights, estimates, strict=True)),
            torch.zeros_like(x),
        )
        self.uncond = negative
        x0 = negative + self.cfg * direction
        if self.blind is not None and self.guidance.image_cfg != 1:
            (unseen,) = _estimates(self.blind, x, sigma, [moment.negative])
            x0 = x0 + (self.guidance.image_cfg - 1) * (negative - unseen)
        if self.guidance.rescale == 0 or total <= 0:
            return x0
        return rescaled(
            x0, _mean(estimates, weights), x=x, sigma=sigma, share=self.guidance.rescale
        )

    def _is_guided(self, total: float, sigma: float, step: int) -> bool:
        """Whether the negative prompt has a share in this evaluation."""
        first, last = self.guidance.interval
        if not first * self.steps <= step < last * self.steps:
            return False
        if sigma < self.guidance.ngms and self._evaluations % 2 == 0:
            return False
        is_shown = self.blind is not None and self.guidance.image_cfg != 1
        return is_shown or not (self.cfg == 1 and total == 1)


def _parts(
    positive: Sequence[tuple[float, Context]],
) -> tuple[list[float], list[Context]]:
    """Weights and contexts of the parts: equal ones are one, and those of no weight are none."""
    summed: dict[int, tuple[float, Context]] = {}
    for weight, context in positive:
        before = summed.get(id(context), (0.0, context))[0]
        summed[id(context)] = (before + weight, context)
    kept = [part for part in summed.values() if part[0] != 0]
    return [weight for weight, _ in kept], [context for _, context in kept]


def _mean(estimates: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The weighted mean; of one estimate that estimate, bit for bit."""
    if len(estimates) == 1:
        return estimates[0]
    total = sum(weights)
    parts = [e * (w / total) for e, w in zip(estimates, weights, strict=True)]
    return torch.stack(parts).sum(dim=0)


def _estimates(
    network: Network, x: Tensor, sigma: Tensor, contexts: Sequence[Context]
) -> list[Tensor]:
    """x0 under each context; those of equally many tokens in one batch."""
    found: dict[int, Tensor] = {}
    lengths = [context.tokens.shape[1] for context in contexts]
    for length in dict.fromkeys(lengths):
        which = [i for i, n in enumerate(lengths) if n == length]
        batch = joined([contexts[i].repeated(len(x)) for i in which])
        times = len(which)
        estimates = network(x.repeat(times, 1, 1, 1), sigma.repeat(times), batch)
        found.update(zip(which, estimates.chunk(times), strict=True))
    return [found[i] for i in range(len(contexts))]


def rescaled(x0: Tensor, prompted: Tensor, *, x: Tensor, sigma: Tensor, share: float) -> Tensor:
    """The guided x0, `share` of it brought to the spread that the prompt alone gives.

    Source: Lin et al. 2023, arXiv:2305.08891, eqs. 15 and 16, on v, whatever the network predicts.
    """
    s = sigma.view(-1, 1, 1, 1)
    scale = (s**2 + 1).rsqrt()
    v, v_prompted = ((x * scale - estimate / scale) / s for estimate in (x0, prompted))
    spread, wanted = (t.std(dim=(1, 2, 3), keepdim=True) for t in (v, v_prompted))
    v = share * (v * (wanted / spread)) + (1 - share) * v
    return (x * scale - s * v) * scale
