"""Which key says which field of a request, in what form: one table for each part of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

from sdcore.infotext.line import number
from sdcore.types import (
    Alternative,
    Compat,
    Content,
    Emphasis,
    Faces,
    Guidance,
    Hires,
    ImageRequest,
    Mask,
    NoiseSource,
    Refiner,
    Resize,
    Scene,
    Soft,
    Start,
    Variation,
    Window,
)

# The reference's order; what is not here stands between the two, as it comes.
FIRST = (
    "Steps",
    "Sampler",
    "Schedule type",
    "CFG scale",
    "Image CFG scale",
    "Seed",
    "Face restoration",
    "Size",
    "Model hash",
    "Model",
    "FP8 weight",
    "Cache FP16 weight for LoRA",
    "VAE hash",
    "VAE",
    "Variation seed",
    "Variation seed strength",
    "Seed resize from",
    "Denoising strength",
    "Conditional mask weight",
    "Clip skip",
    "ENSD",
    "Token merging ratio",
    "Token merging ratio hr",
    "Init image hash",
    "RNG",
    "Tiling",
)
LAST = ("Version", "User")
# The longest number that is read.
_DIGITS = 40


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a field's value is written and read; `read` raises ValueError for what is none."""

    write: Callable[[Any], str]
    read: Callable[[str], Any]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One key, and the field (or two, as one pair) that it says."""

    key: str
    names: tuple[str, ...]
    form: Form
    # Whether a default is written too.
    always: bool


def _form(write: dict[Any, str], read: dict[str, Any] | None = None) -> Form:
    """Of a few values; some have more texts than the one that is written."""
    known = {text: value for value, text in write.items()} | (read or {})

    def found(text: str) -> Any:
        if text not in known:
            raise ValueError(text)
        return known[text]

    return Form(write=write.__getitem__, read=found)


def _named(kind: Any) -> Form:
    return _form({name: name for name in get_args(kind)})


def _row(key: str, *names: str, form: Form, always: bool = False) -> Row:
    return Row(key=key, names=names, form=form, always=always)


def _pair(text: str) -> tuple[int, int]:
    first, _, second = text.partition("x")
    return _whole(first), _whole(second)


def _sides(text: str) -> tuple[int, int]:
    width, height = _pair(text)
    if width <= 0 or height <= 0:
        raise ValueError(text)
    return width, height


def _whole(text: str) -> int:
    if len(text) > _DIGITS:  # int would take squared time
        raise ValueError(text[:_DIGITS])
    return int(text)


def _real(text: str) -> float:
    if len(text) > _DIGITS:
        raise ValueError(text[:_DIGITS])
    return float(text)


def _blur(text: str) -> tuple[float, float]:
    along_x, _, along_y = text.partition("x")
    return _real(along_x), _real(along_y or along_x)


def _write_blur(blur: tuple[float, float]) -> str:
    return number(blur[0]) if blur[0] == blur[1] else f"{number(blur[0])}x{number(blur[1])}"


def _interval(text: str) -> tuple[float, float]:
    first, _, last = text.partition(" to ")
    return _real(first), _real(last)


def _window(text: str) -> Window:
    sides, _, form = text.partition(" ")
    width, stride = _sides(sides)
    return Window(width=width, stride=stride, closed=form != "open")


def _write_window(window: Window) -> str:
    return f"{window.width}x{window.stride}" + ("" if window.closed else " open")


def _scenes(text: str) -> tuple[Scene, ...]:
    try:
        return tuple(_scene(part) for part in json.loads(text))
    except (TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(text[:_DIGITS]) from error


def _scene(plain: Mapping[str, Any]) -> Scene:
    span = plain.get("span")
    begin, end = (0, 0) if span is None else span
    negative, cfg, seed = (plain.get(name) for name in ("negative", "cfg", "seed"))
    return Scene(
        prompt=str(plain["prompt"]),
        negative=None if negative is None else str(negative),
        cfg=None if cfg is None else float(cfg),
        seed=None if seed is None else int(seed),
        span=None if span is None else (int(begin), int(end)),
        share=float(plain.get("share", 1.0)),
        morphs=bool(plain.get("morphs", False)),
    )


def _write_scenes(scenes: tuple[Scene, ...]) -> str:
    return json.dumps([asdict(scene) for scene in scenes])


WHOLE = Form(write=str, read=_whole)
REAL = Form(write=number, read=_real)
TEXT = Form(write=str, read=str)
PAIR = Form(write=lambda pair: f"{pair[0]}x{pair[1]}", read=_pair)
SIDES = Form(write=PAIR.write, read=_sides)
SWITCH = _form({True: "True", False: "False"})
BLUR = Form(write=_write_blur, read=_blur)
INTERVAL = Form(write=lambda ends: " to ".join(map(number, ends)), read=_interval)
WINDOW = Form(write=_write_window, read=_window)
SCENES = Form(write=_write_scenes, read=_scenes)
TILING = _form({"none": "False", "x": "x", "y": "y", "xy": "True"})
REVERSE = _form({"ours": "ours", "plain": "False", "sigma adjustment": "True"})
INVERTED = _form({False: "Inpaint masked", True: "Inpaint not masked"})
ONLY_MASKED = _form({False: "Whole picture", True: "Only masked"})
# What the field has no key for is said with ours.
REQUEST = (
    _row("Steps", "steps", form=WHOLE, always=True),
    _row("Sampler", "sampler", form=TEXT, always=True),
    _row("Schedule type", "schedule", form=TEXT, always=True),
    _row("CFG scale", "cfg", form=REAL, always=True),
    _row("Seed", "seed", form=WHOLE, always=True),
    _row("Size", "width", "height", form=SIDES, always=True),
    _row("Clip skip", "clip_skip", form=WHOLE),
    _row("ENSD", "eta_noise_delta", form=WHOLE),
    _row("RNG", "noise", form=_named(NoiseSource), always=True),
    _row("Tiling", "tiling", form=TILING),
    _row("Window", "window", form=WINDOW),
    _row("Scenes", "scenes", form=SCENES),
    _row("Emphasis", "emphasis", form=_named(Emphasis)),
    _row("Discard penultimate sigma", "discard_penultimate", form=SWITCH),
    _row("Compat", "compat", form=_named(Compat)),
)
GUIDANCE = (
    _row("Image CFG scale", "image_cfg", form=REAL),
    _row("NGMS", "ngms", form=REAL),
    _row("CFG rescale", "rescale", form=REAL),
    _row("CFG interval", "interval", form=INTERVAL),
)
VARIATION = (
    _row("Variation seed", "seed", form=WHOLE, always=True),
    _row("Variation seed strength", "strength", form=REAL, always=True),
    _row("Seed resize from", "resize_from", form=SIDES),
)
FACES = (
    _row("Face restoration", "restorer", form=TEXT, always=True),
    _row("Face restoration visibility", "visibility", form=REAL),
    _row("Face restoration weight", "weight", form=REAL),
)
REFINER = (
    _row("Refiner", "checkpoint", form=TEXT, always=True),
    _row("Refiner switch at", "switch_at", form=REAL, always=True),
)
# The strengths of a start and of hires share one key: see `request`.
START = (
    _row("Resize mode", "resize", form=_named(Resize)),
    _row("Exact steps", "exact_steps", form=SWITCH),
    _row("Noise multiplier", "noise_multiplier", form=REAL),
    _row("Extra noise", "extra_noise", form=REAL),
    _row("Color correction", "colour_correction", form=SWITCH),
)
ALTERNATIVE = (
    _row("Decode prompt", "prompt", form=TEXT),
    _row("Decode negative prompt", "negative", form=TEXT),
    _row("Decode CFG scale", "cfg", form=REAL, always=True),
    _row("Randomness", "randomness", form=REAL),
    _row("Sigma Adjustment", "reverse", form=REVERSE),
)
MASK = (
    _row("Mask mode", "inverted", form=INVERTED),
    _row("Mask greys", "graded", form=SWITCH),
    _row("Mask blur", "blur", form=BLUR, always=True),
    _row("Masked content", "content", form=_named(Content)),
    _row("Inpaint area", "only_masked", form=ONLY_MASKED),
    _row("Masked area padding", "padding", form=WHOLE),
)
SOFT = (
    _row("Soft inpainting schedule bias", "schedule_bias", form=REAL),
    _row("Soft inpainting preservation strength", "preservation", form=REAL),
    _row("Soft inpainting transition contrast boost", "transition_contrast", form=REAL),
    _row("Soft inpainting mask influence", "mask_influence", form=REAL),
    _row("Soft inpainting difference threshold", "difference_threshold", form=REAL),
    _row("Soft inpainting difference contrast", "difference_contrast", form=REAL),
)
HIRES = (
    _row("Hires prompt", "prompt", form=TEXT),
    _row("Hires negative prompt", "negative", form=TEXT),
    _row("Hires upscale", "scale", form=REAL),
    _row("Hires resize", "width", "height", form=PAIR),
    _row("Hires steps", "steps", form=WHOLE),
    _row("Hires upscaler", "upscaler", form=TEXT, always=True),
    _row("Hires sampler", "sampler", form=TEXT),
    _row("Hires schedule type", "schedule", form=TEXT),
    _row("Hires checkpoint", "checkpoint", form=TEXT),
    _row("Hires CFG Scale", "cfg", form=REAL),
)
PARTS: Mapping[type[Any], tuple[Row, ...]] = {
    ImageRequest: REQUEST,
    Guidance: GUIDANCE,
    Variation: VARIATION,
    Faces: FACES,
    Refiner: REFINER,
    Start: START,
    Alternative: ALTERNATIVE,
    Mask: MASK,
    Soft: SOFT,
    Hires: HIRES,
}
# The sampler's own options; those without a name of the field's stand under OPTION and their own.
OPTIONS = {
    "eta": "Eta",
    "s_churn": "Sigma churn",
    "s_tmin": "Sigma tmin",
    "s_tmax": "Sigma tmax",
    "s_noise": "Sigma noise",
}
OPTION = "Option "


def said(part: Any) -> dict[str, str]:
    """The pairs that say a part of a request: its rows, in their order."""
    defaults = {f.name: f.default for f in fields(part)}
    found = {}
    for row in PARTS[type(part)]:
        values = tuple(getattr(part, name) for name in row.names)
        plain = tuple(defaults[name] for name in row.names)
        if row.always or values != plain:
            found[row.key] = row.form.write(values if len(values) > 1 else values[0])
    return found


def heard(kind: type[Any], values: dict[str, str]) -> dict[str, Any] | None:
    """The fields that the pairs say of a part, taken out of `values`; None without any.

    A value that cannot be meant (Steps: many) leaves its field to the default.
    """
    found: dict[str, Any] = {}
    keys = [row.key for row in PARTS[kind] if row.key in values]
    for row in PARTS[kind]:
        if row.key not in values:
            continue
        try:
            value = row.form.read(values.pop(row.key))
        except ValueError:
            continue
        found |= zip(row.names, value if len(row.names) > 1 else (value,), strict=True)
    return found if keys else None
