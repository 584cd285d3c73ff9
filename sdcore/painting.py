"""All of a pass's denoisers made one: networks, guidance, refiner, window, mask."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sdcore.conditioning import Conditioning, encode
from sdcore.denoise import counted, masked, network, relayed, windowed
from sdcore.guidance import Guided
from sdcore.plan import Painter, Pass
from sdcore.shown import shown
from sdcore.soft import softened
from sdcore.types import Denoiser
from sdcore.wearing import Wardrobe, dressed


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """What the networks of a pass read."""

    painters: tuple[Conditioning, ...]
    hung: Wardrobe
    inverse: Conditioning | None = None


def told(p: Pass, hung: Wardrobe) -> Told:
    """The prompts of a pass, encoded."""

    def encoded(painter: Painter) -> Conditioning:
        return encode(
            painter.checkpoint,
            painter.positive,
            painter.negative,
            reading=painter.reading,
            wear=hung.wear,
        )

    return Told(
        painters=tuple(encoded(painter) for painter in p.painters),
        inverse=None if p.inverse is None else encoded(p.inverse),
        hung=hung,
    )


class Painting:
    """A pass's denoiser; `uncond` is its last call's unguided estimate, where there was one."""

    def __init__(self, p: Pass, said: Told, x0: Tensor | None) -> None:
        """x0: the clean latents that the pass begins from, (1 or B, C, h, w), if there are any."""
        self._guided = [
            _guided(painter, conditioning, p, x0)
            for painter, conditioning in zip(p.painters, said.painters, strict=True)
        ]
        runners: list[tuple[float, Denoiser]] = []
        for painter, guided in zip(p.painters, self._guided, strict=True):
            runner = dressed(guided, painter, said.hung)
            runners.append((painter.from_sigma, counted(runner) if p.is_counted else runner))
        denoise = runners[0][1] if len(runners) == 1 else relayed(runners)
        if p.window is not None:
            denoise = windowed(denoise, width=p.window.width, stride=p.window.stride)
        self._denoise = denoise if x0 is None else _held(denoise, p, x0)

    def __call__(self, x: Tensor, sigma: Tensor, step: int) -> Tensor:
        for guided in self._guided:
            guided.uncond = None
        return self._denoise(x, sigma, step)

    @property
    def uncond(self) -> Tensor | None:
        """The estimate without the prompt: DDIM CFG++ goes by it."""
        return next((g.uncond for g in self._guided if g.uncond is not None), None)


def inverse(p: Pass, said: Told, x0: Tensor) -> Denoiser:
    """The denoiser by which the noise of x0 is looked for."""
    assert p.inverse is not None and said.inverse is not None
    return dressed(_guided(p.inverse, said.inverse, p, x0), p.inverse, said.hung)


def _guided(painter: Painter, conditioning: Conditioning, p: Pass, x0: Tensor | None) -> Guided:
    picture = shown(painter.checkpoint, p, x0)
    blind = None
    if painter.checkpoint.kind == "instruct" and picture is not None:
        blind = network(painter.checkpoint, shown=torch.zeros_like(picture))
    return Guided(
        network=network(painter.checkpoint, shown=picture),
        conditioning=conditioning,
        cfg=painter.cfg,
        steps=len(p.sigmas) - 1,
        guidance=painter.guidance,
        blind=blind,
    )


def _held(denoise: Denoiser, p: Pass, x0: Tensor) -> Denoiser:
    """The denoiser, held where the mask is black."""
    mask = p.latent_mask
    if p.mask is None or mask is None:
        return denoise
    if p.mask.soft is None:
        return masked(denoise, x0, mask)
    return softened(denoise, x0, mask, p.mask.soft)
