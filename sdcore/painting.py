"""All of a pass's denoisers made one: networks, guidance, refiner, scenes, window, mask."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sdcore.conditioning import Conditioning, encode
from sdcore.denoise import counted, masked, network, relayed
from sdcore.guidance import Guided
from sdcore.plan import Painter, Pass
from sdcore.scenes import Between, Read, Staged, weights
from sdcore.shown import shown
from sdcore.soft import softened
from sdcore.types import Denoiser
from sdcore.wearing import Wardrobe, dressed
from sdcore.windows import windowed


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """What the networks of a pass read."""

    painters: tuple[Conditioning, ...]
    hung: Wardrobe
    inverse: Conditioning | None = None
    scenes: tuple[Conditioning, ...] = ()


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
        scenes=tuple(encoded(painter) for painter in p.scenes),
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
            runners.append(
                (painter.from_sigma, counted(runner) if p.is_counted and not p.is_cut else runner)
            )
        denoise = runners[0][1] if len(runners) == 1 else relayed(runners)
        if p.is_cut:
            denoise = self._along(denoise, p, said, x0)
            denoise = counted(denoise) if p.is_counted else denoise
        self._denoise = denoise if x0 is None else _held(denoise, p, x0)

    def _along(self, own: Denoiser, p: Pass, said: Told, x0: Tensor | None) -> Denoiser:
        """The denoiser of the words as they change along x, seen through the pass's window."""
        if not p.scenes:
            return own if p.window is None else windowed(lambda columns: own, p.window)
        at = self._staged(own, p, said, x0).at
        whole = torch.arange(p.shape[-1])
        return at(whole) if p.window is None else windowed(at, p.window)

    def _staged(self, own: Denoiser, p: Pass, said: Told, x0: Tensor | None) -> Staged:
        painters, reads = (p.painters[0], *p.scenes), (said.painters[0], *said.scenes)

        def drawn(painter: Painter, read: Read) -> Denoiser:
            guided = _guided(painter, read, p, x0)
            self._guided.append(guided)
            return dressed(guided, painter, said.hung)

        def between(scene: int, share: float) -> Denoiser:
            a, b = painters[scene - 1], painters[scene]
            read = Between(a=reads[scene - 1], b=reads[scene], share=share)
            return drawn(replace(b, cfg=a.cfg + (b.cfg - a.cfg) * share), read)

        others = [drawn(*pair) for pair in zip(painters[1:], reads[1:], strict=True)]
        return Staged(
            [own, *others],
            weights(p.places, p.shape[-1], p.checkpoint.factor),
            [scene.morphs for scene in p.places],
            between,
        )

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


def _guided(painter: Painter, conditioning: Read, p: Pass, x0: Tensor | None) -> Guided:
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
