"""The axes: how each reads its values, and what a value does to a request.

Names are those of the field where it has them. An axis for a part of the request (hires, mask,
start ...) needs that part to be there; a variation, a refiner and restored faces are begun by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from math import factorial
from typing import Any, get_args

from sdcore.errors import PromptError, RequestError, lookup
from sdcore.infotext import number
from sdcore.samplers import SAMPLERS
from sdcore.schedules import SCHEDULES
from sdcore.types import (
    Compat,
    Content,
    Emphasis,
    Faces,
    ImageRequest,
    NoiseSource,
    Refiner,
    Resize,
    Reverse,
    Tiling,
    Variation,
    Window,
)
from sdcore.xyz.values import MAX_VALUES, reals, sizes, switches, texts, wholes

# A name that takes a part away: no refiner, no restorer.
NONE = "None"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is drawn at one place of a grid."""

    request: ImageRequest
    # Names; None is what is loaded.
    checkpoint: str | None = None
    vae: str | None = None
    # Names of styles, which are merged into the request's prompts.
    styles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One thing that a grid can vary; its values are of whatever kind `read` gives."""

    # The line of values as it is typed -> the values. Raises RequestError.
    read: Callable[[str], tuple[Any, ...]]
    # Raises RequestError where the request lacks the part, PromptError where it lacks the words.
    apply: Callable[[Cell, Any], Cell]
    # What a change of value takes, 0 .. 1: the dearest axis changes least often.
    cost: float = 0.0
    shown: Callable[[Any], str] = str
    # Whether a label says which axis it is of.
    is_named: bool = True

    def label(self, name: str, value: Any) -> str:
        """What stands beside the row or column of a value; `name` is the axis's."""
        return f"{name}: {self.shown(value)}" if self.is_named else self.shown(value)


def _field(
    path: str, read: Callable[[str], tuple[Any, ...]], *, is_named: bool = True, cost: float = 0.0
) -> Axis:
    """The axis of one field of the request: "steps", or "hires.steps"."""

    def apply(cell: Cell, value: Any) -> Cell:
        return replace(cell, request=_with(cell.request, path.split("."), value))

    return Axis(read=read, apply=apply, cost=cost, shown=_shown, is_named=is_named)


def _with(whole: Any, path: list[str], value: Any) -> Any:
    """`whole` with the field at the path changed."""
    name, *below = path
    if below:
        part = getattr(whole, name)
        if part is None and name == "variation":
            part = Variation()
        if part is None:
            raise RequestError(
                f"an axis varies '{below[-1]}' of '{name}', which the request lacks: give it one"
            )
        value = _with(part, below, value)
    return replace(whole, **{name: value})


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, tuple):
        return "x".join(map(_shown, value))
    return str(value)


def _names(known: Iterable[str], kind: str) -> Callable[[str], tuple[str, ...]]:
    """A reader of names of a table, in any case of letters."""
    folded = {name.casefold(): name for name in known}

    def read(line: str) -> tuple[str, ...]:
        found = (folded.get(name.casefold(), name) for name in texts(line))
        return tuple(lookup({n: n for n in folded.values()}, name, kind) for name in found)

    return read


def _option(name: str) -> Axis:
    """The axis of one of the sampler's own options."""

    def apply(cell: Cell, value: float) -> Cell:
        options = {**cell.request.sampler_options, name: value}
        return replace(cell, request=replace(cell.request, sampler_options=options))

    return Axis(read=reals, apply=apply, shown=_shown)


def _interval(end: int) -> Axis:
    """The axis of the first (0) or last (1) share of the steps in which there is guidance."""

    def apply(cell: Cell, value: float) -> Cell:
        ends = list(cell.request.guidance.interval)
        ends[end] = value
        return replace(cell, request=_with(cell.request, ["guidance", "interval"], tuple(ends)))

    return Axis(read=reals, apply=apply, shown=_shown)


def _replaced(name: str, read: Callable[[str], tuple[Any, ...]], *, cost: float = 0.0) -> Axis:
    """The axis of what a cell has beside its request."""

    def apply(cell: Cell, value: Any) -> Cell:
        return replace(cell, **{name: value})

    return Axis(read=read, apply=apply, cost=cost, is_named=False)


def _styled(cell: Cell, value: str) -> Cell:
    names = tuple(name.strip() for name in value.split(",") if name.strip() not in ("", NONE))
    return replace(cell, styles=cell.styles + names)


def _refined(cell: Cell, value: str) -> Cell:
    refiner = cell.request.refiner or Refiner(checkpoint=value)
    kept = None if value == NONE else replace(refiner, checkpoint=value)
    return replace(cell, request=replace(cell.request, refiner=kept))


def _with_faces(cell: Cell, value: str) -> Cell:
    faces = cell.request.faces or Faces()
    kept = None if value == NONE else replace(faces, restorer=value)
    return replace(cell, request=replace(cell.request, faces=kept))


def _denoised(cell: Cell, value: float) -> Cell:
    """The strength of img2img, or of the second pass where there is no picture to begin from."""
    part = "hires" if cell.request.start is None else "start"
    return replace(cell, request=_with(cell.request, [part, "strength"], value))


def _sized(cell: Cell, value: tuple[int, int]) -> Cell:
    return replace(cell, request=replace(cell.request, width=value[0], height=value[1]))


def _resized(cell: Cell, value: tuple[int, int]) -> Cell:
    request = _with(cell.request, ["hires", "width"], value[0])
    return replace(cell, request=_with(request, ["hires", "height"], value[1]))


def _blurs(line: str) -> tuple[tuple[float, float], ...]:
    return tuple((blur, blur) for blur in reals(line))


def _windows(line: str) -> tuple[Window, ...]:
    return tuple(Window(width=width, stride=stride) for width, stride in sizes(line))


def _searches(line: str) -> tuple[tuple[str, str], ...]:
    """(searched, put in its place): the first value is searched, and is itself the first."""
    found = texts(line, empty=True)
    if not found[0]:
        raise RequestError("search and replace without a word to search: give it first")
    return tuple((found[0], value) for value in found)


def _search_and_replace(cell: Cell, value: tuple[str, str]) -> Cell:
    searched, put = value
    request = cell.request
    said = [request.prompt, request.negative]
    if request.hires is not None:
        said += [request.hires.prompt or "", request.hires.negative or ""]
    if not any(searched in text for text in said):
        raise PromptError(
            f"search and replace: '{searched[:60]}' stands in no prompt: give words that do, first"
        )
    hires = request.hires
    if hires is not None:
        prompt, negative = hires.prompt, hires.negative
        hires = replace(
            hires,
            prompt=None if prompt is None else prompt.replace(searched, put),
            negative=None if negative is None else negative.replace(searched, put),
        )
    new = replace(
        request,
        prompt=request.prompt.replace(searched, put),
        negative=request.negative.replace(searched, put),
        hires=hires,
    )
    return replace(cell, request=new)


def _orders(line: str) -> tuple[tuple[str, ...], ...]:
    """All orders of the words, the typed one first."""
    found = texts(line)
    if len(set(found)) != len(found):
        raise RequestError("an order of words of which two are the same: give each one once")
    if len(found) > 12 or factorial(len(found)) > MAX_VALUES:
        raise RequestError(f"all orders of {len(found)} words are too many: give at most 6")
    return tuple(permutations(found))


def _ordered(cell: Cell, value: tuple[str, ...]) -> Cell:
    """The words in the new order, each in the place where one of them stood."""
    prompt = cell.request.prompt
    places = sorted((prompt.find(word), word) for word in value)
    at, parts = 0, []
    for (start, stood), put in zip(places, value, strict=True):
        if start < at:
            why = "stands in no prompt" if start < 0 else "overlaps another of the words"
            raise PromptError(f"prompt order: '{stood[:60]}' {why}: give words that stand apart")
        parts += [prompt[at:start], put]
        at = start + len(stood)
    return replace(cell, request=replace(cell.request, prompt="".join(parts) + prompt[at:]))


_SAMPLERS = _names(SAMPLERS, "sampler")
_SCHEDULES = _names([*SCHEDULES, "Automatic"], "schedule")
AXES: Mapping[str, Axis] = {
    "Seed": _field("seed", wholes),
    "Var. seed": _field("variation.seed", wholes),
    "Var. strength": _field("variation.strength", reals),
    "Seed resize from": _field("variation.resize_from", sizes),
    "Steps": _field("steps", wholes),
    "CFG Scale": _field("cfg", reals),
    "Image CFG Scale": _field("guidance.image_cfg", reals),
    "CFG Rescale": _field("guidance.rescale", reals),
    "Negative Guidance minimum sigma": _field("guidance.ngms", reals),
    "Guidance from": _interval(0),
    "Guidance until": _interval(1),
    "Prompt": _field("prompt", texts, is_named=False),
    "Negative prompt": _field("negative", texts, is_named=False),
    "Prompt S/R": Axis(
        read=_searches, apply=_search_and_replace, shown=lambda pair: pair[1], is_named=False
    ),
    "Prompt order": Axis(read=_orders, apply=_ordered, shown=", ".join, is_named=False),
    "Styles": Axis(read=texts, apply=_styled, is_named=False),
    "Sampler": _field("sampler", _SAMPLERS, is_named=False),
    "Schedule type": _field("schedule", _SCHEDULES),
    "Eta": _option("eta"),
    "Sigma Churn": _option("s_churn"),
    "Sigma min": _option("s_tmin"),
    "Sigma max": _option("s_tmax"),
    "Sigma noise": _option("s_noise"),
    "Always discard next-to-last sigma": _field("discard_penultimate", switches),
    "ENSD": _field("eta_noise_delta", wholes),
    "RNG source": _field("noise", _names(get_args(NoiseSource), "noise source")),
    "Clip skip": _field("clip_skip", wholes),
    "Emphasis": _field("emphasis", _names(get_args(Emphasis), "emphasis")),
    "Checkpoint name": _replaced("checkpoint", texts, cost=1.0),
    "VAE": _replaced("vae", texts, cost=0.7),
    "Refiner checkpoint": Axis(read=texts, apply=_refined, cost=1.0, is_named=False),
    "Refiner switch at": _field("refiner.switch_at", reals),
    "Face restore": Axis(read=texts, apply=_with_faces),
    "Face restoration visibility": _field("faces.visibility", reals),
    "Face restoration weight": _field("faces.weight", reals),
    "Size": Axis(read=sizes, apply=_sized, shown=_shown),
    "Width": _field("width", wholes),
    "Height": _field("height", wholes),
    "Window": Axis(
        read=_windows,
        apply=lambda cell, window: replace(cell, request=replace(cell.request, window=window)),
        shown=lambda window: f"{window.width}x{window.stride}",
    ),
    "Tiling": _field("tiling", _names(get_args(Tiling), "tiling")),
    "Denoising": Axis(read=reals, apply=_denoised, shown=_shown),
    "Resize mode": _field("start.resize", _names(get_args(Resize), "resize mode")),
    "Exact steps": _field("start.exact_steps", switches),
    "Initial noise multiplier": _field("start.noise_multiplier", reals),
    "Extra noise": _field("start.extra_noise", reals),
    "Color correction": _field("start.colour_correction", switches),
    "Decode prompt": _field("start.alternative.prompt", texts, is_named=False),
    "Decode negative prompt": _field("start.alternative.negative", texts, is_named=False),
    "Decode CFG scale": _field("start.alternative.cfg", reals),
    "Decode reverse": _field("start.alternative.reverse", _names(get_args(Reverse), "reverse")),
    "Randomness": _field("start.alternative.randomness", reals),
    "Mask blur": _field("mask.blur", _blurs),
    "Mask inverted": _field("mask.inverted", switches),
    "Masked content": _field("mask.content", _names(get_args(Content), "masked content")),
    "Only masked": _field("mask.only_masked", switches),
    "Masked area padding": _field("mask.padding", wholes),
    "Cond. Image Mask Weight": _field("mask.conditioning_strength", reals),
    "Soft inpainting schedule bias": _field("mask.soft.schedule_bias", reals),
    "Soft inpainting preservation strength": _field("mask.soft.preservation", reals),
    "Soft inpainting transition contrast boost": _field("mask.soft.transition_contrast", reals),
    "Soft inpainting mask influence": _field("mask.soft.mask_influence", reals),
    "Soft inpainting difference threshold": _field("mask.soft.difference_threshold", reals),
    "Soft inpainting difference contrast": _field("mask.soft.difference_contrast", reals),
    "Hires upscale": _field("hires.scale", reals),
    "Hires resize": Axis(read=sizes, apply=_resized, shown=_shown),
    "Hires upscaler": _field("hires.upscaler", texts),
    "Hires steps": _field("hires.steps", wholes),
    "Hires denoising": _field("hires.strength", reals),
    "Hires CFG Scale": _field("hires.cfg", reals),
    "Hires sampler": _field("hires.sampler", _SAMPLERS),
    "Hires schedule type": _field("hires.schedule", _SCHEDULES),
    "Hires prompt": _field("hires.prompt", texts),
    "Hires negative prompt": _field("hires.negative", texts),
    "Hires checkpoint": _field("hires.checkpoint", texts, cost=1.0),
    "Compat": _field("compat", _names(get_args(Compat), "compat")),
}
