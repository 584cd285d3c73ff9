"""The image rooms' widgets, by A1111's names: one row for each field of a request and its parts.

Parts are those of sdcore's ImageRequest ("" is itself), and what the scripts are asked with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any, get_args

from riffapp import settings
from riffapp.errors import RiffappError
from riffapp.studio import checkpoints
from riffapp.ui.components.controls import Control, Table, controls
from riffapp.ui.here import is_here

if TYPE_CHECKING:
    from riffapp.studio.library import Library

SAME_SAMPLER, SAME_SCHEDULE = "Use same sampler", "Use same scheduler"
SAME_CHECKPOINT = "Use same checkpoint"
AUTOMATIC, NO_AXIS = "Automatic", "Nothing"

_whole = partial(Control, kind="whole")
_real = partial(Control, kind="real", step=0.05)
_switch = partial(Control, kind="switch")
_text = partial(Control, kind="text")


def _choice(field: str, label: str, names: Any, **more: Any) -> Control:
    return Control(field=field, label=label, kind="choice", choices=names, **more)


# ---- what may be chosen -----------------------------------------------------------------------


def library() -> Library:
    """What lies in the folders of models now. Raises UsageError for a folder that is gone."""
    from riffapp.studio.library import Library

    return Library(settings.load().roots)


def found(kind: Any) -> tuple[str, ...]:
    """Names of the model files of a kind; none where a folder of models cannot be read."""
    try:
        return tuple(one.name for one in library().folders.all(kind))
    except (RiffappError, OSError):
        return ()


def checkpoint_names() -> dict[str, Any]:
    """The checkpoint of the settings, the embedded ones, and what lies in the folders."""
    own = settings.load().image_checkpoint
    return _as_they_are((own, *checkpoints.names(), *found("checkpoint")))


def allowed() -> tuple[str, ...] | None:
    """The checkpoints that a browser on another machine may ask for by name; None where the one
    who asks sits here, and may name any file."""
    return None if is_here() else tuple(checkpoint_names())


def vae_names() -> dict[str, Any]:
    tiny = ("TAESD",) if found("preview") else ()
    return {AUTOMATIC: None} | _as_they_are((*found("VAE"), *tiny))


def sampler_names() -> dict[str, Any]:
    from sdcore.samplers import SAMPLERS

    return _as_they_are(SAMPLERS)


def schedule_names() -> dict[str, Any]:
    from sdcore.schedules import SCHEDULES

    return _as_they_are((AUTOMATIC, *SCHEDULES))


def upscaler_names() -> dict[str, Any]:
    from sdcore.post.upscale import UPSCALERS

    return _as_they_are((*UPSCALERS, *found("upscaler")))


def hires_upscaler_names() -> dict[str, Any]:
    from sdcore.enlarge import LATENT_UPSCALERS

    return _as_they_are(LATENT_UPSCALERS) | upscaler_names()


def restorer_names() -> dict[str, Any]:
    from sdcore.post.faces import RESTORERS

    return _as_they_are(RESTORERS)


def words_of(name: str) -> dict[str, Any]:
    """The words of one of sdcore's types, with a capital: {"Just resize": "just resize"}."""
    from sdcore import types

    return {word[:1].upper() + word[1:]: word for word in get_args(getattr(types, name))}


def _as_they_are(names: Iterable[str]) -> dict[str, Any]:
    return {name: name for name in names}


def _or_same(label: str, names: Any) -> Any:
    return lambda: {label: None} | names()


# ---- the table --------------------------------------------------------------------------------


@cache
def table() -> Table:
    """All rows by their part. The first call brings the image core along."""
    return {"": _request(), **_request_parts(), **_picture_parts(), **_scripts()}


def _request() -> tuple[Control, ...]:
    from sdcore.types import ImageRequest

    penultimate = {AUTOMATIC: None, "Always": True, "Never": False}
    tilings = {"None": "none", "Across": "x", "Down": "y", "Both ways": "xy"}
    return controls(
        ImageRequest,
        _text(field="prompt", label="Prompt", default=""),
        _text(field="negative", label="Negative prompt"),
        _choice("sampler", "Sampling method", sampler_names),
        _choice("schedule", "Schedule type", schedule_names),
        _whole(field="steps", label="Sampling steps"),
        _whole(field="width", label="Width", step=8, help="Pixels, a multiple of 8"),
        _whole(field="height", label="Height", step=8, help="Pixels, a multiple of 8"),
        _whole(field="batch", label="Batch size", help="Pictures at once"),
        _real(field="cfg", label="CFG Scale", step=0.5, help="How closely the words are followed"),
        _whole(field="seed", label="Seed", help="-1 draws a new one each time"),
        _choice("tiling", "Tiling", lambda: tilings, help="Axes on which it joins itself"),
        _whole(field="clip_skip", label="Clip skip", help="Layers from the encoder's end, 1 to 12"),
        _choice("emphasis", "Emphasis mode", lambda: words_of("Emphasis")),
        _choice("noise", "Random number generator", lambda: words_of("NoiseSource")),
        _whole(field="eta_noise_delta", label="Eta noise seed delta (ENSD)"),
        _choice(
            "compat", "Compatibility", lambda: {"Ours": "ours", "As A1111, defects too": "a1111"}
        ),
        _choice("discard_penultimate", "Discard next-to-last sigma", lambda: penultimate),
    )


def _request_parts() -> Mapping[str, tuple[Control, ...]]:
    from sdcore.types import Faces, Guidance, Hires, Refiner, Variation

    samplers = _or_same(SAME_SAMPLER, sampler_names)
    schedules = _or_same(SAME_SCHEDULE, schedule_names)
    models = _or_same(SAME_CHECKPOINT, checkpoint_names)
    return {
        "guidance": controls(
            Guidance,
            _real(field="rescale", label="CFG Rescale", help="0 to 1"),
            _real(field="interval.0", label="Guidance from", help="Share of the steps, 0 to 1"),
            _real(field="interval.1", label="Guidance until", help="Share of the steps, 0 to 1"),
            _real(field="ngms", label="Negative guidance minimum sigma", step=0.1),
            _real(field="image_cfg", label="Image CFG Scale", help="Of InstructPix2Pix models"),
        ),
        "variation": controls(
            Variation,
            _whole(field="seed", label="Variation seed", help="-1 draws one"),
            _real(field="strength", label="Variation strength", help="0 to 1"),
            _whole(field="resize_from.0", label="Resize seed from width", default=0, step=8),
            _whole(field="resize_from.1", label="Resize seed from height", default=0, step=8),
        ),
        "refiner": controls(
            Refiner,
            _choice("checkpoint", "Refiner checkpoint", checkpoint_names, default="", opens=True),
            _real(field="switch_at", label="Switch at", help="Share of the way, 0.01 to 1"),
        ),
        "faces": controls(
            Faces,
            _choice("restorer", "Face restoration model", restorer_names),
            _real(field="visibility", label="Visibility", help="0 to 1"),
            _real(field="weight", label="CodeFormer weight", help="0 most effect, 1 least"),
        ),
        "hires": controls(
            Hires,
            _choice("upscaler", "Upscaler", hires_upscaler_names),
            _whole(field="steps", label="Hires steps", help="0: as many as in the first pass"),
            _real(field="strength", label="Denoising strength", help="0 to 1"),
            _real(field="scale", label="Upscale by"),
            _whole(field="width", label="Resize width to", step=8, help="0 follows the scale"),
            _whole(field="height", label="Resize height to", step=8, help="0 follows the scale"),
            _real(field="cfg", label="Hires CFG Scale", step=0.5, help="Empty: as in the first"),
            _choice("sampler", "Hires sampling method", samplers),
            _choice("schedule", "Hires schedule type", schedules),
            _choice("checkpoint", "Hires checkpoint", models, opens=True),
            _text(field="prompt", label="Hires prompt", help="Empty: as in the first pass"),
            _text(field="negative", label="Hires negative prompt", help="Empty: as in the first"),
        ),
        "options": tuple(
            Control(field=name, label=label, kind="real", default=None, step=0.1)
            for name, label in (
                ("eta", "Eta"),
                ("s_churn", "Sigma churn"),
                ("s_tmin", "Sigma tmin"),
                ("s_tmax", "Sigma tmax"),
                ("s_noise", "Sigma noise"),
            )
        ),
    }


def _picture_parts() -> Mapping[str, tuple[Control, ...]]:
    from sdcore.types import Mask, Soft, Start

    modes = {"Inpaint masked": False, "Inpaint not masked": True}
    areas = {"Whole picture": False, "Only masked": True}
    return {
        "start": controls(
            Start,
            _real(field="strength", label="Denoising strength", help="0 keeps the picture, 1 none"),
            _choice("resize", "Resize mode", lambda: words_of("Resize")),
            _switch(field="exact_steps", label="All the steps, whatever the strength"),
            _real(field="noise_multiplier", label="Initial noise multiplier", help="0 to 2"),
            _real(field="extra_noise", label="Extra noise", help="0 to 1"),
            _switch(field="colour_correction", label="Color correction"),
        ),
        "mask": controls(
            Mask,
            _real(
                field="blur",
                label="Mask blur",
                step=1.0,
                help="Pixels",
                read=lambda sigma: (sigma, sigma),
                write=lambda pair: pair[0],
            ),
            _choice("inverted", "Mask mode", lambda: modes),
            _choice("content", "Masked content", lambda: words_of("Content")),
            _choice("only_masked", "Inpaint area", lambda: areas),
            _whole(field="padding", label="Only masked padding", step=4, help="Pixels"),
            _real(field="conditioning_strength", label="Conditional mask weight", help="0 to 1"),
        ),
        "soft": controls(
            Soft,
            _real(field="schedule_bias", label="Schedule bias"),
            _real(field="preservation", label="Preservation strength"),
            _real(field="transition_contrast", label="Transition contrast boost", step=0.5),
            _real(field="mask_influence", label="Mask influence"),
            _real(field="difference_threshold", label="Difference threshold"),
            _real(field="difference_contrast", label="Difference contrast", step=0.5),
        ),
    }


def _scripts() -> Mapping[str, tuple[Control, ...]]:
    from riffapp.jobs.tasks.series import Lines, Matrix
    from riffapp.studio.images import ImageWish, Redraw
    from riffapp.studio.series import Axes
    from sdcore.grow import Mk2Way, PoorMansWay
    from sdcore.loopback import CURVES
    from sdcore.outpaint import DIRECTIONS
    from sdcore.types import Alternative

    texts = {"Prompt": "prompt", "Negative prompt": "negative"}
    sides = Control(
        field="sides",
        label="Outpainting direction",
        kind="several",
        default=DIRECTIONS,
        choices=lambda: _as_they_are(DIRECTIONS),
    )
    return {
        "matrix": controls(
            Matrix,
            _choice("over", "Select prompt", lambda: texts),
            _switch(field="at_start", label="Put variable parts at start of prompt"),
            _switch(field="different_seeds", label="Use different seed for each picture"),
            _whole(field="margin", label="Grid margins (px)"),
        ),
        "lines": controls(
            Lines,
            _text(field="text", label="List of prompt inputs", default=""),
            _switch(field="iterate_seed", label="Iterate seed every line"),
        ),
        "axes": controls(
            Axes,
            _switch(field="keeps_random", label="Keep -1 for seeds"),
            *(
                _switch(field=f"varies.{n}", label=f"Vary seeds for {letter}")
                for n, letter in enumerate("XYZ")
            ),
            _whole(field="margin", label="Grid margins (px)"),
        ),
        "mk2": controls(
            Mk2Way,
            _whole(field="pixels", label="Pixels to expand", step=8, help="8 to 256 a side"),
            _whole(field="blur", label="Mask blur"),
            _real(field="falloff", label="Fall-off exponent", help="Lower is more detail"),
            _real(field="variation", label="Color variation", help="0 to 1"),
            sides,
        ),
        "poor": controls(
            PoorMansWay,
            _whole(field="pixels", label="Pixels to expand", step=8, help="8 to 256 a side"),
            _whole(field="blur", label="Mask blur"),
            _choice("content", "Masked content", lambda: words_of("Content")),
            sides,
        ),
        "loopback": controls(
            ImageWish,
            _whole(field="loops", label="Loops", default=4, help="1 to 32"),
            _real(field="last_strength", label="Final denoising strength", help="Empty: the same"),
            _choice("curve", "Denoising strength curve", lambda: _as_they_are(CURVES)),
        ),
        "redraw": controls(
            Redraw,
            _whole(field="overlap", label="Tile overlap", step=8, help="Pixels"),
            _real(field="scale", label="Scale factor"),
            _choice("upscaler", "Upscaler", upscaler_names),
        ),
        "alternative": controls(
            Alternative,
            _text(field="prompt", label="Original prompt", help="Empty: the prompt above"),
            _text(field="negative", label="Original negative prompt"),
            _real(field="cfg", label="Decode CFG scale", step=0.1),
            _choice("reverse", "Reverse formula", lambda: words_of("Reverse")),
            _real(field="randomness", label="Randomness", help="0 to 1"),
        ),
    }
