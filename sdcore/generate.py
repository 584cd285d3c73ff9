"""The walk from words to pictures. Read this file first: each name in it is one room."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL.Image import Image
from torch import Tensor

from sdcore import starts
from sdcore.errors import Interrupted
from sdcore.finish import finished
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.shelf import NOTHING, Shelf
from sdcore.noise import ImageNoise
from sdcore.painting import Painting, Told, told
from sdcore.plan import Pass, plan, runs
from sdcore.running import Run, enough_memory, ready
from sdcore.types import ImageRequest, ImageResult, OnStep, ignore
from sdcore.wearing import wardrobe


@torch.inference_mode()
def generate(
    checkpoint: Checkpoint,
    request: ImageRequest,
    *,
    on_step: OnStep = ignore,
    shelf: Shelf = NOTHING,
) -> ImageResult:
    """Images for one request: the same request and checkpoint give the same pixels.

    Args:
        checkpoint: what draws; it is used by one run at a time.
        request: what is asked; a refusal comes before any work.
        on_step: hears of each step. It stops the run by raising Cancelled, and by Interrupted
            ends it with what there is by then; by Skipped it ends the images in hand alone.
        shelf: where other files that the request names are found.
    """
    resolved, passes = plan(request, checkpoint, shelf=shelf)
    run = Run(on_step, resolved, passes)
    with ready(resolved, passes), wardrobe(passes) as hung, enough_memory(resolved):
        run.notes += hung.notes
        readings = [told(p, hung) for p in passes]
        for part in runs(resolved, checkpoint):  # on a CPU one image at a time
            run.images += pictures(passes, readings, part, run)
            if run.is_interrupted:
                break
    return ImageResult(
        images=tuple(run.images),
        request=resolved,
        seeds=resolved.seeds[: len(run.images)],
        model=checkpoint.name,
        sha256=checkpoint.sha256,
        notes=tuple(dict.fromkeys(run.notes)),
        is_interrupted=run.is_interrupted,
    )


def pictures(
    passes: Sequence[Pass], readings: Sequence[Told], part: ImageRequest, run: Run
) -> list[Image]:
    """The pictures of images that run together, through all passes; singly if memory lacks."""
    x: Tensor | None = None
    run.begin()
    try:
        for p, reading in zip(passes, readings, strict=True):
            x = walk(p, reading, part, before=x, run=run)
        assert x is not None
        return finished(passes[-1], x, run.notes)
    except torch.OutOfMemoryError:
        if part.batch == 1:
            raise
    run.notes.append("memory lacked for the batch at once: its images were run singly")
    singles = [pictures(passes, readings, part.single(i), run) for i in range(part.batch)]
    return [image for single in singles for image in single]


def walk(p: Pass, reading: Told, part: ImageRequest, *, before: Tensor | None, run: Run) -> Tensor:
    """The clean latents (B, C, h, w) of one pass: from noise, a picture or the pass before."""
    if run.is_cut_off and before is not None:
        run.run += 1
        return before
    noise = ImageNoise.of(part, p.shape, p.seed_shape, device=p.checkpoint.device)
    drawn = noise()
    x0 = starts.known(p, before, drawn)
    x = starts.first(p, reading, x0, drawn)
    try:
        if len(p.sigmas) > 1:  # of strength 0 nothing is redone
            x = p.sampler(Painting(p, reading, x0), x, p.sigmas, noise, run)
    except Interrupted as stop:
        x = run.cut_off(stop)
    run.run += 1
    return starts.kept(p, x0, x)
