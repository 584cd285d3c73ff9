"""Denoisers: a network made one, guided by prompts, widened by windows. Each gives a Denoiser.

A denoiser takes x = x0 + sigma * noise and gives its estimate of x0, so that no sampler knows what
the network predicts, nor by what it is guided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from sdcore.conditioning import Conditioning, Context, joined
from sdcore.models.checkpoint import Checkpoint
from sdcore.types import Denoiser, Guidance

# x (B, C, h, w), sigma (B,), context of B -> x0 (B, C, h, w)
Network: TypeAlias = Callable[[Tensor, Tensor, Context], Tensor]


def network(checkpoint: Checkpoint) -> Network:
    """The checkpoint's UNet as an estimate of x0.

    The UNet was trained on the variance-preserving x / sqrt(sigma^2 + 1), in steps t.
    """

    def x0(x: Tensor, sigma: Tensor, context: Context) -> Tensor:
        s = sigma.view(-1, 1, 1, 1)
        scale = (s**2 + 1).rsqrt()
        t = checkpoint.levels.t(sigma).float().to(x.device)
        added = None
        if context.pooled is not None:
            added = {"text_embeds": context.pooled.to(checkpoint.dtype), "time_ids": context.sizes}
        predicted: Tensor = checkpoint.unet(
            (x * scale).to(checkpoint.dtype),
            t,
            encoder_hidden_states=context.tokens.to(checkpoint.dtype),
            added_cond_kwargs=added,
            return_dict=False,
        )[0].to(x.dtype)
        if checkpoint.prediction == "epsilon":
            return x - s * predicted  # Ho et al. 2020, arXiv:2006.11239
        return (x * scale - s * predicted) * scale  # Salimans & Ho 2022, arXiv:2202.00512, app. D

    return x0


@dataclass(kw_only=True, eq=False)
class Guided:
    """Classifier-free guidance, a denoiser: u + cfg * sum_j w_j (c_j - u) over the parts of AND.

    Sources: Ho & Salimans 2022, arXiv:2207.12598, eq. 6, where w is cfg - 1; Liu et al. 2022,
    arXiv:2206.01714, eq. 11 for the parts. All go through the network in one batch where they have
    equally many tokens. Where the negative prompt has no share (at cfg 1, outside of the interval)
    it is not computed, and the parts' weighted mean stands.
    """

    network: Network
    conditioning: Conditioning
    cfg: float
    steps: int
    guidance: Guidance = Guidance()
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
        return not (self.cfg == 1 and total == 1)


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


def windowed(denoise: Denoiser, *, width: int, stride: int) -> Denoiser:
    """A denoiser for x wider than `denoise` was trained on, circular along x.

    MultiDiffusion (Bar-Tal et al. 2023, arXiv:2302.08113) with equal weights: windows of
    `width` latent columns every `stride` (1 .. width), the last ones going round to the first, are
    denoised in one batch, and each column is the mean of the windows that it lies in. An x no wider
    than a window goes through unchanged.
    """

    def x0(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        total = x.shape[-1]
        if total <= width:
            return denoise(x, sigma, step)
        starts = torch.arange(0, total, stride, device=x.device)
        columns = (starts[:, None] + torch.arange(width, device=x.device)) % total
        windows = x[..., columns].movedim(-2, 0)  # (n, B, C, h, width)
        estimates = denoise(windows.flatten(0, 1), sigma.repeat(len(starts)), step)
        summed, times = torch.zeros_like(x), x.new_zeros(total)
        # One by one, in order: a scattered sum is not the same twice on a GPU.
        for where, estimate in zip(columns, estimates.reshape(windows.shape), strict=True):
            summed[..., where] += estimate
            times[where] += 1
        return summed / times

    return x0
