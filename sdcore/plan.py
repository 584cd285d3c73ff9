"""What is asked -> what is done. After `plan` nobody refuses, and nothing is left open."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from typing import TypeAlias

from PIL.Image import Image
from torch import Tensor

from sdcore.checks import check, check_space
from sdcore.conditioning import Reading
from sdcore.enlarge import Enlargement, enlargement
from sdcore.errors import PromptError, lookup
from sdcore.masking import Inpainting, latent_mask, prepare
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.lora import Lora
from sdcore.models.shelf import NOTHING, Shelf
from sdcore.post.faces import Restoration, restored
from sdcore.prompt import ActiveLora, Part, Prompt, Scheduled, Text, parse
from sdcore.prompt import schedule as scheduled
from sdcore.resize import resized
from sdcore.samplers import SAMPLERS, SamplerKind, named
from sdcore.schedules import SCHEDULES, discarded, distinct, tail
from sdcore.types import (
    Faces,
    Guidance,
    Hires,
    ImageRequest,
    Mask,
    Sampler,
    Scene,
    Start,
    Window,
)

MAX_WEIGHT = 100.0

# Steps -> the noise levels of a run.
Draw: TypeAlias = Callable[[int], Tensor]
# A picture -> the same with its faces restored.
Restore: TypeAlias = Callable[[Image], Restoration]


@dataclass(frozen=True, kw_only=True, eq=False)
class Painter:
    """A checkpoint and what it is told."""

    checkpoint: Checkpoint
    # The parts that AND joins; the negative prompt is one.
    positive: tuple[Scheduled, ...]
    negative: Scheduled
    reading: Reading
    cfg: float
    guidance: Guidance
    # It draws from this noise level down.
    from_sigma: float = inf
    # What the tags in the prompt name.
    loras: Mapping[str, Lora] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pass:
    """One run of a sampler, nothing left open."""

    # One after the other: a refiner is the second.
    painters: tuple[Painter, ...]
    sampler: Sampler
    # (n + 1,), falling to 0.
    sigmas: Tensor
    # (C, h, w) of one image's latents.
    shape: tuple[int, int, int]
    # In latent columns; None sees the whole picture at once.
    window: Window | None = None
    # What the words become along x, each told to the same checkpoint, and where.
    scenes: tuple[Painter, ...] = ()
    places: tuple[Scene, ...] = ()
    # A picture to begin from, of this pass's size (or of its own, where latents are resized).
    start: Start | None = None
    # Tells the noise that the picture came from, where the run begins from that.
    inverse: Painter | None = None
    mask: Mask | None = None
    inpainting: Inpainting | None = None
    # How the pass before becomes the start of this one, and how much of it is redone.
    enlargement: Enlargement | None = None
    # (h, w) of the latents whose noise this one's is cut from: seed resize.
    seed_shape: tuple[int, int] | None = None
    # Whether prompts change by evaluations of the network, as in the reference.
    is_counted: bool = False
    # What is done to the faces of the last pass's pictures.
    restore: Restore | None = None
    # What the user should know of what was asked.
    notes: tuple[str, ...] = ()

    @property
    def checkpoint(self) -> Checkpoint:
        """The first painter's; all share one latent space."""
        return self.painters[0].checkpoint

    @property
    def is_cut(self) -> bool:
        """Whether a step asks the networks several times: for windows, for scenes."""
        return self.window is not None or bool(self.scenes)

    @property
    def latent_mask(self) -> Tensor | None:
        """(1, 1, h, w), 1 where the pass draws; None where it draws everywhere."""
        if self.mask is None or self.inpainting is None or self.inpainting.mask is None:
            return None
        size = (self.shape[2], self.shape[1])
        rounded = self.mask.soft is None and not self.mask.graded
        mask = latent_mask(self.inpainting.mask, size, rounded=rounded)
        return mask.to(self.checkpoint.device)


def plan(
    request: ImageRequest, checkpoint: Checkpoint, *, shelf: Shelf = NOTHING
) -> tuple[ImageRequest, tuple[Pass, ...]]:
    """The request with nothing left to chance, and its passes: one, or two with a hires fix.

    Raises:
        RequestError: a value out of its range. UnknownName: a sampler, schedule or file that
        no table holds. PromptError: a weight out of its range.
    """
    check(request, checkpoint)
    resolved = _resolved(request)
    passes: tuple[Pass, ...] = (_first(resolved, checkpoint, shelf),)
    if resolved.hires is not None:
        second = _second(resolved, resolved.hires, checkpoint, shelf)
        passes = (second,) if resolved.hires.first is not None else (*passes, second)
    last = replace(passes[-1], restore=_restore(resolved.faces, shelf))
    return resolved, (*passes[:-1], last)


def runs(resolved: ImageRequest, checkpoint: Checkpoint) -> Iterator[ImageRequest]:
    """The parts of a batch that run together, as requests.

    On a CPU image by image, where a batch gains nothing, so that image i alone is byte-equal to
    image i of many; elsewhere all at once.
    """
    if checkpoint.device.type != "cpu":
        yield resolved
        return
    for index in range(resolved.batch):
        yield resolved.single(index)


def _resolved(request: ImageRequest) -> ImageRequest:
    sampler, schedule = named(request.sampler)
    if schedule is None or request.schedule != "Automatic":
        schedule = request.schedule
    start = request.start
    if start is not None and start.alternative is not None:
        # The noise that was found leads back to the picture by Euler's steps, all of them.
        sampler, start = "Euler", replace(start, strength=1.0)
    if schedule == "Automatic":
        schedule = lookup(SAMPLERS, sampler, "sampler").schedule
    lookup(SCHEDULES, schedule, "schedule")
    variation = request.variation
    if variation is not None and variation.seed == -1:
        variation = replace(variation, seed=_drawn(request))
    return replace(
        request,
        sampler=sampler,
        schedule=schedule,
        start=start,
        variation=variation,
        seed=_drawn(request) if request.seed == -1 else request.seed,
    )


def _drawn(request: ImageRequest) -> int:
    """A seed that keeps all of the batch's within 32 bits, as the field writes them."""
    return secrets.randbelow(2**32 - request.batch)


def _first(resolved: ImageRequest, checkpoint: Checkpoint, shelf: Shelf) -> Pass:
    kind, sampler = _sampler(resolved, resolved.sampler)
    draw = _draw(resolved, checkpoint, kind, resolved.schedule)
    start, mask, inpainting = resolved.start, resolved.mask, None
    sigmas = draw(resolved.steps)
    size = (resolved.width, resolved.height)
    if start is not None:
        sigmas = tail(draw, resolved.steps, start.strength, exact=start.exact_steps)
        if mask is not None:
            inpainting = prepare(start.image, mask, size, resize=start.resize, latent=mask.latent)
            start = replace(start, image=inpainting.picture)
        elif start.resize != "just resize (latent)":
            start = replace(start, image=resized(start.image, size, start.resize))
    painter = _painter(resolved, checkpoint, kind, shelf, steps=resolved.steps)
    painters: tuple[Painter, ...] = (painter,)
    if resolved.refiner is not None:
        refining = shelf.checkpoint(resolved.refiner.checkpoint)
        check_space(checkpoint, refining)
        switch = _sigma_at(checkpoint, resolved.refiner.switch_at)
        painters += (
            replace(
                _painter(resolved, refining, kind, shelf, steps=resolved.steps), from_sigma=switch
            ),
        )
    return Pass(
        painters=painters,
        sampler=sampler,
        sigmas=sigmas.float(),
        shape=_shape(checkpoint, size),
        window=_in_columns(resolved, checkpoint.factor),
        scenes=tuple(
            _painter(_staged(resolved, scene), checkpoint, kind, shelf, steps=resolved.steps)
            for scene in resolved.scenes
        ),
        places=resolved.scenes,
        start=start,
        inverse=None if start is None else _inverse(painter, resolved, start, kind, shelf),
        mask=mask,
        inpainting=inpainting,
        seed_shape=_seed_shape(resolved, checkpoint.factor),
        notes=_notes(resolved, inpainting),
        is_counted=resolved.compat == "a1111",
    )


def _staged(resolved: ImageRequest, scene: Scene) -> ImageRequest:
    """What the checkpoint is told in a scene."""
    return replace(
        resolved,
        prompt=scene.prompt,
        negative=resolved.negative if scene.negative is None else scene.negative,
        cfg=resolved.cfg if scene.cfg is None else scene.cfg,
    )


def _second(resolved: ImageRequest, hires: Hires, checkpoint: Checkpoint, shelf: Shelf) -> Pass:
    """The larger pass; what it does not say is as in the first one."""
    larger = checkpoint if hires.checkpoint is None else shelf.checkpoint(hires.checkpoint)
    name, schedule = named(hires.sampler or resolved.sampler)
    schedule = hires.schedule or schedule or resolved.schedule
    kind, sampler = _sampler(resolved, name)
    if schedule == "Automatic":
        schedule = kind.schedule
    steps = hires.steps or resolved.steps
    grown = enlargement(
        hires, size=(resolved.width, resolved.height), checkpoint=larger, shelf=shelf
    )
    if grown.is_latent:
        check_space(checkpoint, larger)
    told = replace(
        resolved,
        prompt=resolved.prompt if hires.prompt is None else hires.prompt,
        negative=resolved.negative if hires.negative is None else hires.negative,
        cfg=resolved.cfg if hires.cfg is None else hires.cfg,
        width=grown.size[0],
        height=grown.size[1],
    )
    draw = _draw(resolved, larger, kind, schedule)
    sigmas = tail(draw, steps, hires.strength, exact=True)
    return Pass(
        painters=(_painter(told, larger, kind, shelf, steps=steps, first_pass=resolved.steps),),
        sampler=sampler,
        sigmas=sigmas.float(),
        shape=_shape(larger, grown.size),
        window=_in_columns(resolved, larger.factor),
        enlargement=grown,
        seed_shape=_seed_shape(resolved, larger.factor),
        is_counted=resolved.compat == "a1111",
    )


def _sampler(resolved: ImageRequest, name: str) -> tuple[SamplerKind, Sampler]:
    kind = lookup(SAMPLERS, name, "sampler")
    return kind, kind.with_options(resolved.sampler_options)


def _draw(resolved: ImageRequest, checkpoint: Checkpoint, kind: SamplerKind, schedule: str) -> Draw:
    """The noise levels of a run by its number of steps."""
    levels = partial(lookup(SCHEDULES, schedule, "schedule"), checkpoint.levels)
    wish = resolved.discard_penultimate
    if kind.discard_penultimate if wish is None else wish:
        return lambda steps: distinct(discarded(levels(steps + 1)))
    return lambda steps: distinct(levels(steps))


def _painter(
    told: ImageRequest,
    checkpoint: Checkpoint,
    kind: SamplerKind,
    shelf: Shelf,
    *,
    steps: int,
    first_pass: int | None = None,
) -> Painter:
    read = partial(
        scheduled,
        steps=steps,
        first_pass=first_pass,
        evaluations=kind.evaluations,
        compat=told.compat,
    )
    positive = read(_parsed(told.prompt, told))
    tags = [lora for part in positive for s in part.segments for lora in s.loras]
    _check_strengths(tags)
    names = [lora.name for lora in tags]
    return Painter(
        checkpoint=checkpoint,
        positive=positive,
        negative=read(_parsed(told.negative, told, is_joined=False))[0],
        loras={name: shelf.lora(name) for name in dict.fromkeys(names)},
        reading=Reading(
            clip_skip=told.clip_skip,
            emphasis=told.emphasis,
            shares_mean=told.compat == "a1111",
            size=(told.width, told.height),
        ),
        cfg=told.cfg * kind.cfg_factor,
        guidance=told.guidance,
    )


def _inverse(
    painter: Painter, resolved: ImageRequest, start: Start, kind: SamplerKind, shelf: Shelf
) -> Painter | None:
    """What the picture is taken for, where its noise is looked for."""
    wish = start.alternative
    if wish is None:
        return None
    told = replace(
        resolved,
        prompt=resolved.prompt if wish.prompt is None else wish.prompt,
        negative=resolved.negative if wish.negative is None else wish.negative,
        cfg=wish.cfg,
    )
    return _painter(told, painter.checkpoint, kind, shelf, steps=resolved.steps)


def _notes(resolved: ImageRequest, inpainting: Inpainting | None) -> tuple[str, ...]:
    """What in the prompts is read as text though it looks like more; what the mask lacks."""
    prompt = _parsed(resolved.prompt, resolved)
    negative = _parsed(resolved.negative, resolved, is_joined=False)
    notes = [
        f"{what}, character {warning.position + 1}: {warning.message}"
        for what, read in (("prompt", prompt), ("negative prompt", negative))
        for warning in read.warnings
    ]
    if inpainting is not None and inpainting.note:
        notes.append(inpainting.note)
    return tuple(notes)


def _restore(faces: Faces | None, shelf: Shelf) -> Restore | None:
    if faces is None:
        return None
    restorer = shelf.restorer(faces.restorer)
    return partial(restored, restorer=restorer, visibility=faces.visibility, weight=faces.weight)


def _parsed(text: str, told: ImageRequest, *, is_joined: bool = True) -> Prompt:
    if told.emphasis == "None":
        return Prompt((Part((Text(text),)),))
    prompt = parse(text, compat=told.compat, is_joined=is_joined)
    for span in prompt.spans():
        if not abs(span.weight) <= MAX_WEIGHT:
            raise PromptError(
                f"the prompt weighs '{span.text[:40]}' by {span.weight:g}: "
                f"brackets may multiply to -{MAX_WEIGHT:g} .. {MAX_WEIGHT:g}"
            )
    return prompt


def _check_strengths(tags: Sequence[ActiveLora]) -> None:
    for one in tags:
        if strange := [value for value in (one.te, one.unet) if not abs(value) <= MAX_WEIGHT]:
            raise PromptError(
                f"the LoRA '{one.name}' has a strength of {strange[0]:g}: "
                f"give -{MAX_WEIGHT:g} to {MAX_WEIGHT:g}"
            )


def _sigma_at(checkpoint: Checkpoint, share: float) -> float:
    """The noise level at which this share of the training steps is done."""
    levels = checkpoint.levels
    return float(
        levels.sigmas[min(round((1 - share) * len(levels.sigmas)), len(levels.sigmas) - 1)]
    )


def _shape(checkpoint: Checkpoint, size: tuple[int, int]) -> tuple[int, int, int]:
    width, height = size
    return checkpoint.latent_channels, height // checkpoint.factor, width // checkpoint.factor


def _seed_shape(resolved: ImageRequest, factor: int) -> tuple[int, int] | None:
    if resolved.variation is None or resolved.variation.resize_from is None:
        return None
    width, height = resolved.variation.resize_from
    return height // factor, width // factor


def _in_columns(request: ImageRequest, factor: int) -> Window | None:
    if request.window is None:
        return None
    width, stride = (pixels // factor for pixels in (request.window.width, request.window.stride))
    return replace(request.window, width=width, stride=stride)
