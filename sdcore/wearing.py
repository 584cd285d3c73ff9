"""The LoRAs that prompts name, put on and taken off as a run goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from torch import Tensor

from sdcore.models.checkpoint import Checkpoint
from sdcore.models.lora import Applied, Lora, applied
from sdcore.plan import Painter, Pass
from sdcore.prompt import ActiveLora, Scheduled
from sdcore.types import Denoiser


class Wardrobe:
    """All LoRAs of a request on their checkpoints, each at any strength, at first at none."""

    def __init__(self) -> None:
        self._worn: dict[int, tuple[list[str], Applied]] = {}
        # Layers of LoRA files that fit nothing.
        self.notes: tuple[str, ...] = ()

    def hang(self, checkpoint: Checkpoint, names: list[str], on: Applied) -> None:
        """Keep these LoRAs, by name, for this checkpoint."""
        self._worn[id(checkpoint)] = (names, on)
        self.notes += tuple(f"LoRA: nothing fits {key}" for key in on.unmatched)

    def wear(self, checkpoint: Checkpoint, active: Iterable[ActiveLora]) -> None:
        """These, and none else, from now on; one that is named twice counts twice."""
        if id(checkpoint) not in self._worn:
            return
        names, on = self._worn[id(checkpoint)]
        strengths = {name: (0.0, 0.0) for name in names}
        for lora in active:
            te, unet = strengths[lora.name]
            strengths[lora.name] = (te + lora.te, unet + lora.unet)
        on.set([strengths[name] for name in names])


@contextmanager
def wardrobe(passes: Sequence[Pass]) -> Iterator[Wardrobe]:
    """The LoRAs of all passes; afterwards the weights are bit for bit what they were."""
    wanted: dict[int, tuple[Checkpoint, dict[str, Lora]]] = {}
    for painter in (painter for p in passes for painter in (*p.painters, *p.scenes)):
        _, loras = wanted.setdefault(id(painter.checkpoint), (painter.checkpoint, {}))
        loras.update(painter.loras)
    with ExitStack() as open_:
        hung = Wardrobe()
        for checkpoint, loras in wanted.values():
            if loras:
                start = [(lora, 0.0, 0.0) for lora in loras.values()]
                hung.hang(checkpoint, list(loras), open_.enter_context(applied(checkpoint, start)))
        yield hung


def active(parts: Sequence[Scheduled], step: int) -> list[ActiveLora]:
    """The LoRAs of all of a prompt's parts at a step."""
    found: list[ActiveLora] = []
    for part in parts:
        later = (s for s in part.segments if step < s.until)
        found += next(later, part.segments[-1]).loras
    return found


def dressed(denoise: Denoiser, painter: Painter, hung: Wardrobe) -> Denoiser:
    """A denoiser whose checkpoint wears what the painter's prompt says at each step."""
    if not painter.loras:
        return denoise

    def x0(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        hung.wear(painter.checkpoint, active(painter.positive, step))
        return denoise(x, sigma, step)

    return x0
