"""A loop from words: request -> spectrogram picture by diffusion -> samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from riffapp import __version__
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.drawing import image_request, tempo_of
from riffapp.studio.plan import plan_loop, warnings
from riffapp.studio.types import LONG_BARS, LoopRequest, LoopResult, Origin

if TYPE_CHECKING:
    from PIL import Image

    from audio.types import Loop, Samples, SpectrogramParams, Tempo
    from sdcore.types import Step

GPU_BATCH = 8  # takes at once; a loop's latent is small, so memory is not the limit


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where the work stands: `done` of `total` denoising steps over all takes."""

    done: int
    total: int


OnProgress = Callable[[Progress], None]
# A picture that still forms, and the request of the take that it will be.
OnForming = Callable[["Image.Image", LoopRequest], None]
# Shares of a run after which it is shown as it is by then.
FORMING = (0.25, 0.5, 0.75)


def ignore(_: Progress) -> None:
    """Nobody watches."""


def make_loops(
    instrument: Instrument,
    request: LoopRequest,
    *,
    on_progress: OnProgress = ignore,
    on_forming: OnForming | None = None,
) -> Iterator[LoopResult]:
    """The takes of one request, each as soon as it is made.

    `on_forming` is given the first take of those that run together, a few times, as it is by then:
    each time costs a decoding.

    The same request, instrument, machine and thread count give the same samples. On a CPU takes
    run one by one, so take i alone equals take i of many; a GPU takes several at once.
    Raises UsageError before any work, sdcore's and audio's errors from it.
    """
    planned = plan_loop(request, instrument.sound)
    known = (*instrument.sound.words, *instrument.checkpoint.embeddings)
    sound = replace(instrument.sound, words=known if instrument.sound.words else ())
    notes = warnings(planned, sound)
    batch = 1 if instrument.checkpoint.device.type == "cpu" else GPU_BATCH
    return _takes(
        instrument,
        planned,
        batch=batch,
        notes=notes,
        on_progress=on_progress,
        on_forming=on_forming,
    )


def _takes(
    instrument: Instrument,
    planned: LoopRequest,
    *,
    batch: int,
    notes: tuple[str, ...],
    on_progress: OnProgress,
    on_forming: OnForming | None,
) -> Iterator[LoopResult]:
    from sdcore.generate import generate
    from sdcore.models.shelf import NOTHING

    origin = origin_of(instrument)
    meter = _Meter(takes=planned.takes, on_progress=on_progress)
    for first in range(0, planned.takes, batch):
        group = replace(_take(planned, first), takes=min(batch, planned.takes - first))
        start = time.perf_counter()
        wanted = image_request(group, instrument.sound)
        drawn = generate(
            instrument.checkpoint,
            wanted,
            on_step=_watched(meter.of(group.takes), instrument, _take(group, 0), on_forming),
            shelf=instrument.shelf or NOTHING,
        )
        drawing_s = (time.perf_counter() - start) / group.takes
        for i, picture in enumerate(drawn.images):
            take = _take(group, i)
            shown, params = _shown(picture, take, instrument.sound.params)
            result = LoopResult(
                picture=shown,
                params=params,
                request=take,
                origin=origin,
                drawing_s=drawing_s,
                warnings=(*notes, *drawn.notes),
            )
            if take.bars <= LONG_BARS:
                assert result.loop  # rendered here, where the work is done
            yield result


def _watched(
    report: Callable[[Step], None],
    instrument: Instrument,
    take: LoopRequest,
    on_forming: OnForming | None,
) -> Callable[[Step], None]:
    """`report`, and the picture as it is after a few of the steps for who wants it."""
    if on_forming is None or take.bars > LONG_BARS:
        return report
    from sdcore import latents

    def on_step(step: Step) -> None:
        report(step)
        if step.index + 1 in {round(share * step.steps) for share in FORMING}:
            on_forming(latents.decode(instrument.checkpoint, step.x0[:1])[0], take)

    return on_step


def _take(planned: LoopRequest, i: int) -> LoopRequest:
    """The request of take i alone."""
    if planned.variant is not None and planned.variant.distance > 0:
        variant = replace(planned.variant, seed=planned.variant.seed + i)
        return replace(planned, variant=variant, takes=1)
    return replace(planned, seed=planned.seed + i, takes=1)


def _shown(
    drawn: Image.Image, take: LoopRequest, params: SpectrogramParams
) -> tuple[Image.Image, SpectrogramParams]:
    """What the take's sound is made from, and its params: the drawn picture, or a finer one."""
    from audio import detail

    params = replace(params, rate=take.rate)
    if not take.detail:
        return drawn, params
    finer = detail.refined(drawn, tempo_of(take), circular=take.closed)
    return finer, detail.finer(params)


def render(
    picture: Image.Image,
    params: SpectrogramParams,
    tempo: Tempo,
    *,
    quality: str,
    closed: bool = True,
) -> Loop:
    """The loop that a picture shows, at a tempo.

    Only the 8 bit picture goes in, so a saved PNG gives the very same samples.
    """
    from audio import codec
    from audio.types import Loop

    spectrogram = codec.from_image(picture, params, tempo=tempo, circular=closed)
    return Loop(clip=codec.synthesise(spectrogram, quality=quality), tempo=tempo)


def sounding(
    picture: Image.Image,
    params: SpectrogramParams,
    tempo: Tempo,
    *,
    quality: str,
    closed: bool = True,
) -> Iterator[Samples]:
    """The sound of a picture of any length, (channels, some) at a time; as `render` is."""
    from audio import blocks, codec

    def part(first: int, last: int) -> Samples:
        return codec.levels(picture.crop((first, 0, last, picture.height)), params)

    long = blocks.Long(part=part, params=params, tempo=tempo, frames=picture.width, circular=closed)
    return blocks.synthesise_blocks(long, quality=quality)


def origin_of(instrument: Instrument) -> Origin:
    """What makes the loops: recorded in each file."""
    import torch

    return Origin(
        sha256=instrument.checkpoint.sha256,
        device=str(instrument.checkpoint.device),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        riffapp=__version__,
    )


def strayed(before: Origin | None, now: Origin) -> tuple[str, ...]:
    """What differs from the machine that made a file first, so that its bytes may differ too."""
    if before is None:
        return ()
    named = {"weights": "sha256", "device": "device", "threads": "threads"}
    named |= {"torch": "torch", "riffapp": "riffapp"}
    found = []
    for name, field in named.items():
        was, new = str(getattr(before, field))[:16], str(getattr(now, field))[:16]
        if was != new:
            found.append(f"made before with {name} {was}, now with {new}: it may differ")
    return tuple(found)


class _Meter:
    """Counts denoising steps over all takes."""

    def __init__(self, *, takes: int, on_progress: OnProgress) -> None:
        self._takes = takes
        self._on_progress = on_progress
        self._finished = 0

    def of(self, takes: int) -> Callable[[Step], None]:
        """The step callback for the next `takes` takes, which run together."""
        before = self._finished
        self._finished += takes

        def on_step(step: Step) -> None:
            done = before * step.steps + (step.index + 1) * takes
            self._on_progress(Progress(done=done, total=self._takes * step.steps))

        return on_step
