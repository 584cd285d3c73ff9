"""The walk from words to pictures. Read this file first: each name in it is one room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import torch
from PIL.Image import Image
from torch import Tensor

from sdcore import starts
from sdcore.errors import Interrupted, MachineError
from sdcore.finish import finished
from sdcore.invert import inverted, mixed
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.circular import circular
from sdcore.models.shelf import NOTHING, Shelf
from sdcore.noise import ImageNoise
from sdcore.painting import Painting, Told, inverse, told
from sdcore.plan import Pass, plan, runs
from sdcore.types import ImageRequest, ImageResult, OnStep, Step, ignore
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
            ends it with what there is by then.
        shelf: where other files that the request names are found.
    """
    resolved, passes = plan(request, checkpoint, shelf=shelf)
    images: list[Image] = []
    progress = _Progress(on_step, resolved, passes)
    notes = [note for p in passes for note in p.notes]
    with _ready(resolved, passes), wardrobe(passes) as hung, _memory(resolved):
        notes += hung.notes
        readings = [told(p, hung) for p in passes]
        for part in runs(resolved, checkpoint):  # on a CPU one image at a time
            try:
                made = _pictures(passes, readings, part, progress, notes)
            except torch.OutOfMemoryError:
                if part.batch == 1:
                    raise
                notes.append("memory lacked for the batch at once: its images were run singly")
                singles = [part.single(i) for i in range(part.batch)]
                made = [
                    image
                    for single in singles
                    for image in _pictures(passes, readings, single, progress, notes)
                ]
            images += made
            progress.images = len(images)
            if progress.is_interrupted:
                break
    return ImageResult(
        images=tuple(images),
        request=resolved,
        seeds=resolved.seeds[: len(images)],
        model=checkpoint.name,
        sha256=checkpoint.sha256,
        notes=tuple(dict.fromkeys(notes)),
        is_interrupted=progress.is_interrupted,
    )


def _pictures(
    passes: Sequence[Pass],
    readings: Sequence[Told],
    part: ImageRequest,
    progress: _Progress,
    notes: list[str],
) -> list[Image]:
    """The pictures of the images that run together, through all passes."""
    x: Tensor | None = None
    for p, reading in zip(passes, readings, strict=True):
        x = walk(p, reading, part, before=x, progress=progress)
    assert x is not None
    return finished(passes[-1], x, notes)


def walk(
    p: Pass, reading: Told, part: ImageRequest, *, before: Tensor | None, progress: _Progress
) -> Tensor:
    """The clean latents (B, C, h, w) of one pass, from noise to picture."""
    if progress.is_interrupted and before is not None:
        return before
    noise = ImageNoise(
        part.seeds,
        p.shape,
        device=p.checkpoint.device,
        source=part.noise,
        subseeds=part.subseeds,
        subseed_strength=0.0 if part.variation is None else part.variation.strength,
        resize_from=p.seed_shape,
        eta_noise_delta=part.eta_noise_delta,
        compat=part.compat,
    )
    drawn = noise()
    x0 = starts.known(p, before, drawn)
    if reading.inverse is not None and p.start is not None and x0 is not None:
        assert p.start.alternative is not None
        wish = p.start.alternative
        found = inverted(inverse(p, reading, x0), x0, p.sigmas, reverse=wish.reverse)
        x = mixed(found, drawn, randomness=wish.randomness) * float(p.sigmas[0])
    else:
        x = starts.noised(p, x0, drawn)
    if len(p.sigmas) == 1:  # of strength 0 nothing is redone
        progress.run += 1
        return x
    try:
        x = p.sampler(Painting(p, reading, x0), x, p.sigmas, noise, progress)
    except Interrupted:
        x = progress.interrupted()
    progress.run += 1
    return x if x0 is None else starts.kept(p, x0, x)


class _Progress:
    """An `on_step` that counts runs and images, and keeps the last estimate."""

    def __init__(self, on_step: OnStep, resolved: ImageRequest, passes: Sequence[Pass]) -> None:
        together = 1 if passes[0].checkpoint.device.type == "cpu" else resolved.batch
        self.runs = resolved.batch // together * len(passes)
        self.run = self.images = 0
        self.is_interrupted = False
        self._on_step, self._wanted = on_step, resolved.batch
        self._last: Step | None = None

    def __call__(self, step: Step) -> None:
        self._last = replace(
            step, image=self.images, images=self._wanted, run=self.run, runs=self.runs
        )
        self._on_step(self._last)

    def interrupted(self) -> Tensor:
        """The last estimate; nothing more is to be run."""
        assert self._last is not None
        self.is_interrupted = True
        return self._last.x0


@contextmanager
def _ready(resolved: ImageRequest, passes: Sequence[Pass]) -> Iterator[None]:
    """Every checkpoint of the passes held, and joined to a circle on the axes that tile."""
    painters = [painter for p in passes for painter in p.painters]
    with ExitStack() as held:
        for checkpoint in {id(p.checkpoint): p.checkpoint for p in painters}.values():
            held.enter_context(checkpoint.lock)
            held.enter_context(
                circular([checkpoint.unet], axes=resolved.tiling, edge=checkpoint.edge)
            )
            held.enter_context(circular([checkpoint.vae], axes=resolved.tiling))
        yield


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
            f"images{_figures()}: ask for smaller or fewer ones"
        ) from error


def _figures() -> str:
    """How much memory there is, where a GPU tells it."""
    if not torch.cuda.is_available():
        return ""
    free, total = (size / 2**30 for size in torch.cuda.mem_get_info())
    return f" ({free:.1f} of {total:.1f} GiB were free at the end)"
