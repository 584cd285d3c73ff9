"""What a request may ask for: every refusal of the image core that needs no prompt to be read."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import get_args

from sdcore.errors import RequestError, lookup
from sdcore.models.checkpoint import Checkpoint
from sdcore.types import (
    Compat,
    Content,
    Emphasis,
    Guidance,
    Hires,
    ImageRequest,
    Mask,
    NoiseSource,
    Refiner,
    Resize,
    Reverse,
    Start,
    Tiling,
)

MAX_SEED = 2**63 - 1
MAX_STEPS = 1000
MAX_BATCH = 1000
MAX_SIDE = 8192
# Of a picture that is drawn through a window, which may be as wide as that allows.
MAX_PIXELS = 1 << 26
MAX_SCENES = 256
MAX_CFG = 100.0
MAX_CLIP_SKIP = 12
MAX_BLUR = 512.0
MAX_PADDING = 4096
MAX_SCALE = 8.0

# Families whose latents mean the same, so that one can go on where another stopped.
_SPACES = {"sd1": "sd", "sd2": "sd", "sdxl": "xl", "sdxl-refiner": "xl"}


def check(request: ImageRequest, checkpoint: Checkpoint) -> None:
    """Nothing, if all that the request says is in its range and goes together.

    Raises:
        RequestError: a value out of its range, or two that exclude each other.
        UnknownName: a word that no table holds.
    """
    _check_words(request)
    _check_numbers(request)
    _check_guidance(request.guidance)
    _check_size(request, checkpoint.factor)
    _check_window(request, checkpoint.factor)
    _check_scenes(request)
    _check_variation(request, checkpoint.factor)
    if request.start is not None:
        _check_start(request.start)
    if request.mask is not None:
        _check_mask(request.mask, request.start)
    if request.hires is not None:
        _check_hires(request.hires, checkpoint.factor)
    if request.refiner is not None:
        _check_refiner(request.refiner)
    if request.faces is not None:
        _within("a face visibility", request.faces.visibility, 0, 1)
        _within("a face weight", request.faces.weight, 0, 1)
    _check_together(request, checkpoint)


def check_space(checkpoint: Checkpoint, other: Checkpoint) -> None:
    """Nothing, if `other` can go on with the latents of `checkpoint`.

    Raises:
        RequestError: the two are of families whose latents differ.
    """
    same_space = _SPACES[checkpoint.family] == _SPACES[other.family]
    if not same_space or checkpoint.latent_channels != other.latent_channels:
        raise RequestError(
            f"the checkpoint '{other.name}' ({other.family}) cannot go on with the latents of "
            f"'{checkpoint.name}' ({checkpoint.family}): give two of one family"
        )


def _within(what: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses what is no number
        raise RequestError(f"{what} of {value:g}: give {low:g} to {high:g}")


def _known(name: str, words: object, kind: str) -> None:
    table: Mapping[str, None] = dict.fromkeys(get_args(words))
    lookup(table, name, kind)


def _check_words(request: ImageRequest) -> None:
    _known(request.tiling, Tiling, "tiling")
    _known(request.emphasis, Emphasis, "emphasis")
    _known(request.noise, NoiseSource, "noise source")
    _known(request.compat, Compat, "compatibility")
    if request.start is not None:
        _known(request.start.resize, Resize, "resize mode")
        if request.start.alternative is not None:
            _known(request.start.alternative.reverse, Reverse, "reverse formula")
    if request.mask is not None:
        _known(request.mask.content, Content, "masked content")


def _check_numbers(request: ImageRequest) -> None:
    if not 1 <= request.steps <= MAX_STEPS:
        raise RequestError(f"{request.steps} steps: give 1 to {MAX_STEPS}")
    if not 1 <= request.batch <= MAX_BATCH:
        raise RequestError(f"a batch of {request.batch}: give 1 to {MAX_BATCH} images")
    if not (isfinite(request.cfg) and 0 <= request.cfg <= MAX_CFG):
        raise RequestError(f"a guidance scale of {request.cfg}: give 0 to {MAX_CFG:g}")
    if not 1 <= request.clip_skip <= MAX_CLIP_SKIP:
        raise RequestError(f"a CLIP skip of {request.clip_skip}: give 1 to {MAX_CLIP_SKIP}")
    _check_seed("seed", request.seed, request.batch)
    _within("a noise seed delta (ENSD)", request.eta_noise_delta, -(2**31), 2**31)


def _check_seed(what: str, seed: int, batch: int) -> None:
    if not -1 <= seed <= MAX_SEED - batch:
        raise RequestError(f"the {what} {seed}: give 0 to {MAX_SEED - batch}, or -1 to draw one")


def _check_guidance(guidance: Guidance) -> None:
    first, last = guidance.interval
    _within("a guidance rescale", guidance.rescale, 0, 1)
    if not 0 <= first <= last <= 1:
        raise RequestError(
            f"guidance from {first:g} to {last:g} of the steps: give two shares from 0 to 1, "
            "the smaller one first"
        )
    if not (isfinite(guidance.ngms) and guidance.ngms >= 0):
        raise RequestError(
            f"a sigma of {guidance.ngms} below which guidance is sparse: give 0 or more"
        )
    _within("an image guidance scale", guidance.image_cfg, 0, MAX_CFG)


def _check_side(what: str, side: int, factor: int, widest: int = MAX_SIDE) -> None:
    if side % factor != 0 or not factor <= side <= widest:
        raise RequestError(
            f"a {what} of {side} pixels: give a multiple of {factor} from {factor} to {widest}"
        )


def _check_size(request: ImageRequest, factor: int) -> None:
    widest = MAX_SIDE if request.window is None else MAX_PIXELS // max(request.height, 1)
    _check_side("width", request.width, factor, widest)
    _check_side("height", request.height, factor)


def _check_window(request: ImageRequest, factor: int) -> None:
    if request.window is None:
        return
    sides = {"width": request.window.width, "stride": request.window.stride}
    for name, side in sides.items():
        if side % factor != 0 or side < factor:
            raise RequestError(
                f"a window {name} of {side} pixels: give a multiple of {factor} from {factor} up"
            )
    if request.window.stride > request.window.width:
        raise RequestError(
            f"a window stride of {request.window.stride} pixels leaves gaps: "
            f"give at most the window's width, {request.window.width}"
        )


def _check_scenes(request: ImageRequest) -> None:
    if len(request.scenes) > MAX_SCENES:
        raise RequestError(f"{len(request.scenes)} scenes: give at most {MAX_SCENES}")
    reached = 0
    for scene in request.scenes:
        _within("a scene's share", scene.share, 0, 1)
        if scene.cfg is not None:
            _within("a scene's guidance scale", scene.cfg, 0, MAX_CFG)
        if scene.seed is not None:
            _within("a scene's seed", scene.seed, 0, MAX_SEED)
        if scene.span is None:
            continue
        begin, end = scene.span
        if not reached <= end <= request.width or begin > end:
            raise RequestError(
                f"a scene from {begin} to {end} pixels: scenes begin before they end, follow one "
                f"another and end within the picture's {request.width}"
            )
        reached = end


def _check_variation(request: ImageRequest, factor: int) -> None:
    if request.variation is None:
        return
    _check_seed("variation seed", request.variation.seed, request.batch)
    _within("a variation strength", request.variation.strength, 0, 1)
    for side in request.variation.resize_from or ():
        _check_side("side to resize the seed from", side, factor)


def _check_start(start: Start) -> None:
    _within("a denoising strength", start.strength, 0, 1)
    _within("a noise multiplier", start.noise_multiplier, 0, 2)
    _within("extra noise", start.extra_noise, 0, 1)
    if start.alternative is not None:
        _within("a decode guidance scale", start.alternative.cfg, 0, MAX_CFG)
        _within("a randomness", start.alternative.randomness, 0, 1)


def _check_mask(mask: Mask, start: Start | None) -> None:
    if start is None:
        raise RequestError("a mask without a picture: give the picture that it lies on as well")
    if mask.image.size != start.image.size:
        given, wanted = ("{} x {}".format(*image.size) for image in (mask.image, start.image))
        raise RequestError(f"a mask of {given} pixels on a picture of {wanted}: give equal sizes")
    for sigma in mask.blur:
        _within("a mask blur", sigma, 0, MAX_BLUR)
    _within("a padding", mask.padding, 0, MAX_PADDING)
    _within("a conditioning strength", mask.conditioning_strength, 0, 1)
    if mask.soft is not None:
        for name, value in vars(mask.soft).items():
            _within(f"a soft inpainting {name.replace('_', ' ')}", value, 0, 100)


def _check_hires(hires: Hires, factor: int) -> None:
    _within("a scale", hires.scale, 1, MAX_SCALE)
    for what, side in (("second width", hires.width), ("second height", hires.height)):
        if side != 0:
            _check_side(what, side, factor)
    if not 0 <= hires.steps <= MAX_STEPS:
        raise RequestError(f"{hires.steps} steps in the second pass: give 0 to {MAX_STEPS}")
    _within("a second denoising strength", hires.strength, 0, 1)
    if hires.cfg is not None:
        _within("a second guidance scale", hires.cfg, 0, MAX_CFG)


def _check_refiner(refiner: Refiner) -> None:
    _within("a refiner switch", refiner.switch_at, 0.01, 1)


def _check_together(request: ImageRequest, checkpoint: Checkpoint) -> None:
    if request.hires is not None and request.start is not None:
        raise RequestError(
            "a second pass and a picture to begin from: give one of them; a picture that only "
            "wants the second pass goes into that pass as its first"
        )
    if checkpoint.kind == "instruct" and request.start is None:
        raise RequestError(
            f"the checkpoint '{checkpoint.name}' edits pictures: give one to begin from"
        )
    if request.scenes and (request.hires is not None or request.refiner is not None):
        raise RequestError("scenes together with hires or a refiner: give one of them")
    if request.scenes and request.sampler == "DDIM CFG++":
        raise RequestError("DDIM CFG++ draws one scene only: give another sampler")
    if request.window is not None and checkpoint.kind != "text":
        raise RequestError(
            f"the checkpoint '{checkpoint.name}' is one for {checkpoint.kind}, which sees the "
            "whole picture: give no window"
        )
    if request.window is not None and request.sampler == "DDIM CFG++":
        raise RequestError("DDIM CFG++ does not work through a window: give another sampler")
