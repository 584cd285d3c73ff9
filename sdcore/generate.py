"""The walk from words to pictures. Read this file first: each name in it is one room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from PIL.Image import Image

from sdcore import latents, starts
from sdcore.conditioning import encode
from sdcore.denoise import Guided, network, windowed
from sdcore.errors import MachineError
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.circular import circular
from sdcore.noise import ImageNoise
from sdcore.plan import plan, runs
from sdcore.types import Denoiser, ImageRequest, ImageResult, OnStep, Step, ignore


@torch.inference_mode()
def generate(
    checkpoint: Checkpoint, request: ImageRequest, *, on_step: OnStep = ignore
) -> ImageResult:
    """Images for one request: the same request and checkpoint give the same pixels."""
    resolved, passes = plan(request, checkpoint)
    images: list[Image] = []
    with (
        checkpoint.lock,
        circular([checkpoint.unet], axes=resolved.tiling, edge=checkpoint.edge),
        circular([checkpoint.vae], axes=resolved.tiling),
        _memory(resolved),
    ):
        prompts = [encode(p.checkpoint, p.positive, p.negative, reading=p.reading) for p in passes]
        for seeds in runs(resolved, checkpoint):  # on a CPU one image at a time
            for p, conditioning in zip(passes, prompts, strict=True):
                noise = ImageNoise(seeds, p.shape, device=checkpoint.device)
                x = starts.latents(p, noise)
                denoise: Denoiser = Guided(
                    network=network(p.checkpoint),
                    conditioning=conditioning,
                    cfg=p.cfg,
                    steps=len(p.sigmas) - 1,
                    guidance=p.guidance,
                )
                if p.window is not None:
                    denoise = windowed(denoise, width=p.window.width, stride=p.window.stride)
                x = p.sampler(denoise, x, p.sigmas, noise, _placed(on_step, images, resolved))
            images += latents.decode(checkpoint, x)
    return ImageResult(
        images=tuple(images),
        request=resolved,
        seeds=resolved.seeds,
        model=checkpoint.name,
        sha256=checkpoint.sha256,
    )


@contextmanager
def _memory(resolved: ImageRequest) -> Iterator[None]:
    """Says in a sentence that the memory is not enough; torch has a type for it on a GPU only."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        lacking = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not lacking and "can't allocate memory" not in str(error):
            raise
        raise MachineError(
            f"out of memory at {resolved.width} x {resolved.height} pixels, {resolved.batch} "
            "images: ask for smaller or fewer ones"
        ) from error


def _placed(on_step: OnStep, done: list[Image], resolved: ImageRequest) -> OnStep:
    """`on_step`, told of how many images are done."""

    def report(step: Step) -> None:
        on_step(replace(step, image=len(done), images=resolved.batch))

    return report
