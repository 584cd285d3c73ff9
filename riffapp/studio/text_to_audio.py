"""A loop from words: request -> spectrogram picture by diffusion -> samples.

`plan_loop` is where every refusal of a loop stands; after it nobody validates.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from riffapp import __version__
from riffapp.errors import UsageError
from riffapp.studio import prompts
from riffapp.studio.checkpoints import Instrument, Sound
from riffapp.studio.types import (
    BARS,
    BEATS_PER_BAR,
    BIT_DEPTHS,
    BPM_RANGE,
    MAX_CFG,
    MAX_PROMPT_CHARS,
    MAX_SEED,
    MAX_STEPS,
    MAX_TAKES,
    METER,
    RATES,
    LoopRequest,
    LoopResult,
    Origin,
)

if TYPE_CHECKING:
    from PIL import Image

    from audio.types import Loop, SpectrogramParams, Tempo
    from sdcore.types import ImageRequest, Step, Window

GPU_BATCH = 8  # takes at once; a loop's latent is small, so memory is not the limit


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where the work stands: `done` of `total` denoising steps over all takes."""

    done: int
    total: int


OnProgress = Callable[[Progress], None]


def ignore(_: Progress) -> None:
    """Nobody watches."""


def make_loops(
    instrument: Instrument, request: LoopRequest, *, on_progress: OnProgress = ignore
) -> Iterator[LoopResult]:
    """The takes of one request, each as soon as it is made.

    The same request, instrument, machine and thread count give the same samples. On a CPU takes
    run one by one, so take i alone equals take i of many; a GPU takes several at once.
    Raises UsageError before any work, sdcore's and audio's errors from it.
    """
    planned = plan_loop(request, instrument.sound)
    notes = warnings(planned, instrument.sound)
    batch = 1 if instrument.checkpoint.device.type == "cpu" else GPU_BATCH
    return _takes(instrument, planned, batch=batch, notes=notes, on_progress=on_progress)


def _takes(
    instrument: Instrument,
    planned: LoopRequest,
    *,
    batch: int,
    notes: tuple[str, ...],
    on_progress: OnProgress,
) -> Iterator[LoopResult]:
    from sdcore.generate import generate

    origin = origin_of(instrument)
    meter = _Meter(takes=planned.takes, on_progress=on_progress)
    for first in range(0, planned.takes, batch):
        group = replace(planned, seed=planned.seed + first, takes=min(batch, planned.takes - first))
        start = time.perf_counter()
        wanted = image_request(group, instrument.sound)
        pictures = generate(instrument.checkpoint, wanted, on_step=meter.of(group.takes)).images
        drawing_s = (time.perf_counter() - start) / group.takes
        for i, picture in enumerate(pictures):
            start = time.perf_counter()
            take = replace(group, seed=group.seed + i, takes=1)
            params = replace(instrument.sound.params, rate=take.rate)
            yield LoopResult(
                loop=render(picture, params, tempo_of(take), quality=take.quality),
                picture=picture,
                params=params,
                request=take,
                origin=origin,
                seconds=drawing_s + time.perf_counter() - start,
                warnings=notes,
            )


def plan_loop(request: LoopRequest, sound: Sound) -> LoopRequest:
    """The request with nothing left open: seed drawn, key spelled, defaults filled in.

    Raises UsageError, one sentence for each thing that cannot be.
    """
    _refuse_words(request)
    _refuse_time(request, sound)
    _refuse_names(request)
    steps = sound.steps if request.steps is None else request.steps
    cfg = sound.cfg if request.cfg is None else request.cfg
    _within("steps", steps, 1, MAX_STEPS)
    _within("cfg", cfg, 0, MAX_CFG)
    _within("takes", request.takes, 1, MAX_TAKES)
    _within("seed", request.seed, -1, MAX_SEED)
    vocabulary = prompts.vocabulary_of(sound.words)
    return replace(
        request,
        prompt=" ".join(request.prompt.split()),
        negative=" ".join(request.negative.split()),
        bpm=float(request.bpm),
        key=None if request.key is None else prompts.parse_key(request.key).name(vocabulary),
        seed=secrets.randbelow(MAX_SEED - MAX_TAKES) if request.seed == -1 else request.seed,
        steps=steps,
        cfg=float(cfg),
        sampler=sound.sampler if request.sampler is None else request.sampler,
        schedule=sound.schedule if request.schedule is None else request.schedule,
    )


def _refuse_words(request: LoopRequest) -> None:
    if not request.prompt.strip():
        raise UsageError("the prompt is empty: say what to play, such as 'house drums, saw bass'")
    for name, text in (("prompt", request.prompt), ("negative prompt", request.negative)):
        if len(text) > MAX_PROMPT_CHARS:
            raise UsageError(
                f"the {name} has {len(text)} characters: at most {MAX_PROMPT_CHARS} are read"
            )
        if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
            raise UsageError(f"the {name} holds characters that are no text: type it anew")


def _refuse_time(request: LoopRequest, sound: Sound) -> None:
    low, high = BPM_RANGE
    if not (math.isfinite(request.bpm) and low <= request.bpm <= high):
        raise UsageError(f"bpm {request.bpm:g} is outside {low:g} to {high:g}: give one within")
    if request.bars not in BARS:
        known = ", ".join(map(str, BARS))
        raise UsageError(f"bars {request.bars}: a loop has {known} bars; repeat one for more")
    if request.meter != METER or sound.meter != METER:
        raise UsageError(
            f"meter '{request.meter}': loops are made in {METER} only, which is what the model "
            f"was taught; use {METER}"
        )


def _refuse_names(request: LoopRequest) -> None:
    from audio.phase import QUALITIES
    from sdcore.errors import lookup
    from sdcore.samplers import SAMPLERS
    from sdcore.schedules import SCHEDULES

    if request.sampler is not None:
        lookup(SAMPLERS, request.sampler, "sampler")
    if request.schedule is not None:
        lookup(SCHEDULES, request.schedule, "schedule")
    _among("quality", request.quality, tuple(QUALITIES))
    _among("rate", request.rate, RATES)
    _among("bit depth", request.bit_depth, BIT_DEPTHS)


def _among(name: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        raise UsageError(f"unknown {name} '{value}': known are {', '.join(map(str, known))}")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise UsageError(
            f"{name} {value:.15g} is outside {low:.15g} to {high:.15g}: give one within"
        )


def warnings(planned: LoopRequest, sound: Sound) -> tuple[str, ...]:
    """What a person should know before listening; nothing here stops the work."""
    said = [
        str(word)
        for text in (planned.prompt, planned.negative)
        for word in prompts.unknown_words(text, sound.words)
    ]
    bpm, key = prompts.bpm_in(planned.prompt), prompts.key_in(planned.prompt)
    if bpm is not None and bpm != planned.bpm:
        said.append(f"the prompt says {bpm:g} bpm, the loop is made at {planned.bpm:g} bpm")
    if key is not None and planned.key is not None and prompts.parse_key(planned.key) != key:
        said.append(f"the prompt says {key.name()}, the loop is made in {planned.key}, as asked")
    if planned.bars not in sound.bars:
        trained = ", ".join(map(str, sound.bars))
        said.append(f"{planned.bars} bars are beyond the training ({trained}): they may wander")
    return tuple(dict.fromkeys(said))


def image_request(planned: LoopRequest, sound: Sound) -> ImageRequest:
    """The picture to draw: as wide as the bars, a circle on x, one image for each take."""
    from sdcore.types import ImageRequest

    assert planned.steps is not None and planned.cfg is not None  # plan_loop filled them in
    assert planned.sampler is not None and planned.schedule is not None
    words = prompts.compose(sound.template, planned.prompt, key=planned.key, bpm=planned.bpm)
    return ImageRequest(
        prompt=words,
        negative=planned.negative,
        seed=planned.seed,
        batch=planned.takes,
        width=planned.bars * sound.columns_per_bar,
        height=sound.params.n_mels,
        steps=planned.steps,
        cfg=planned.cfg,
        sampler=planned.sampler,
        schedule=planned.schedule,
        tiling="x",
        window=window(planned.bars, sound),
    )


def window(bars: int, sound: Sound) -> Window | None:
    """How a length that was not trained is drawn.

    Longer: windows as wide as the longest trained length, half overlapping, round the circle.
    Shorter: in one piece on a narrower circle. None stands for one piece.
    """
    from sdcore.types import Window

    longest = max(sound.bars)
    if bars <= longest:
        return None
    width = longest * sound.columns_per_bar
    return Window(width=width, stride=width // 2)


def tempo_of(request: LoopRequest) -> Tempo:
    """The exact musical length that a request asks for."""
    from audio.types import Tempo

    return Tempo(bpm=request.bpm, beats=request.bars * BEATS_PER_BAR)


def render(picture: Image.Image, params: SpectrogramParams, tempo: Tempo, *, quality: str) -> Loop:
    """The loop that a picture shows, at a tempo.

    Only the 8 bit picture goes in, so a saved PNG gives the very same samples.
    """
    from audio import codec
    from audio.types import Loop

    spectrogram = codec.from_image(picture, params, tempo=tempo, circular=True)
    return Loop(clip=codec.synthesise(spectrogram, quality=quality), tempo=tempo)


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
