"""What goes on beside the walk: progress, the checkpoints held, memory that does not suffice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import torch
from PIL.Image import Image
from torch import Tensor

from sdcore.errors import Interrupted, MachineError, Skipped
from sdcore.models.circular import circular
from sdcore.plan import Pass
from sdcore.types import ImageRequest, OnStep, Step


class Run:
    """A run of the walk; an `on_step` that says which image it is, and keeps the last estimate."""

    def __init__(self, on_step: OnStep, resolved: ImageRequest, passes: Sequence[Pass]) -> None:
        together = 1 if passes[0].checkpoint.device.type == "cpu" else resolved.batch
        self.runs = resolved.batch // together * len(passes)
        self.run = 0
        self.images: list[Image] = []
        self.notes = [note for p in passes for note in p.notes]
        # Nothing more is to be run; nothing more of the images in hand.
        self.is_interrupted = self.is_cut_off = False
        self._on_step, self._wanted = on_step, resolved.batch
        self._last: Step | None = None

    def __call__(self, step: Step) -> None:
        self._last = replace(
            step, image=len(self.images), images=self._wanted, run=self.run, runs=self.runs
        )
        self._on_step(self._last)

    def begin(self) -> None:
        """The next images are run."""
        self.is_cut_off = self.is_interrupted

    def cut_off(self, stop: Interrupted) -> Tensor:
        """The last estimate, which is all that comes of the images in hand."""
        last = self._last
        assert last is not None
        self.is_cut_off = True
        if isinstance(stop, Skipped):
            number = last.image + 1
            self.notes.append(
                f"image {number} was skipped at step {last.index + 1} of {last.steps}"
            )
        else:
            self.is_interrupted = True
        return last.x0


@contextmanager
def ready(resolved: ImageRequest, passes: Sequence[Pass]) -> Iterator[None]:
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
def enough_memory(resolved: ImageRequest) -> Iterator[None]:
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
