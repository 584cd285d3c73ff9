"""Extras: any picture upscaled and its faces restored, without a prompt."""

from __future__ import annotations

from dataclasses import dataclass

from PIL.Image import Image

from sdcore.errors import RequestError
from sdcore.post.faces import Restorer, restored
from sdcore.post.upscale import UPSCALERS, Upscaler, scaled_size, upscaled, upscaled_by_two
from sdcore.resize import Size, placement


@dataclass(frozen=True, kw_only=True, eq=False)
class Faces:
    """One restorer, and how much of it."""

    restorer: Restorer
    # The restored face's share, 0 .. 1, and CodeFormer's fidelity.
    visibility: float = 1.0
    weight: float = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Extras:
    """What is done to a picture."""

    upscaler: Upscaler = UPSCALERS["None"]
    # A second one, laid over the first by its share, 0 .. 1.
    second: Upscaler | None = None
    share: float = 0.0
    # By a factor, or to (width, height), which the picture covers, and is cut to if `crop`.
    to: Size | float = 1.0
    crop: bool = True
    # Pixels that the longer side is kept to, by a smaller factor; 0 is any.
    max_side: int = 0
    # In this order, after the upscale.
    faces: tuple[Faces, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Enhanced:
    """The picture, 'RGB', and what the user should know of its making."""

    picture: Image
    notes: tuple[str, ...] = ()


def enhanced(picture: Image, extras: Extras) -> Enhanced:
    """The picture upscaled, then its faces restored.

    Raises:
        RequestError: a factor, size or share out of range.
    """
    whole = _larger(picture.convert("RGB"), extras)
    notes = []
    for faces in extras.faces:
        result = restored(whole, faces.restorer, visibility=faces.visibility, weight=faces.weight)
        whole = result.picture
        notes += [result.note] if result.note else []
    return Enhanced(picture=whole, notes=tuple(dict.fromkeys(notes)))


def _larger(picture: Image, extras: Extras) -> Image:
    to, second = target(picture.size, extras), extras.second
    if to == 1 and extras.upscaler.name == "None" and second is None:
        return picture
    if second is None:
        larger = upscaled(picture, extras.upscaler, to)
    else:
        larger = upscaled_by_two(picture, (extras.upscaler, second), to, share=extras.share)
    wanted = extras.to
    if not (extras.crop and isinstance(wanted, tuple)):
        return larger
    if larger.width < wanted[0] or larger.height < wanted[1]:  # the longest side forbids it
        return larger
    x, y = placement(larger.size, wanted, "crop and resize").offset
    return larger.crop((-x, -y, wanted[0] - x, wanted[1] - y))


def target(size: Size, extras: Extras) -> Size | float:
    """What a picture of this size (width, height) is upscaled to, before it is cut.

    Raises:
        RequestError: a size, factor or longest side out of range.
    """
    if extras.max_side < 0:
        raise RequestError(f"a longest side of {extras.max_side} pixels: give 0 (any) or more")
    to = extras.to
    if isinstance(to, tuple):
        if min(to) < 1:
            raise RequestError(f"a picture of {to[0]} x {to[1]} pixels: give at least 1 x 1")
        covering = placement(size, to, "crop and resize").scaled
        return _kept_within(covering, extras.max_side)
    if extras.max_side == 0 or max(scaled_size(size, to)) <= extras.max_side:
        return to
    return _kept_within(scaled_size(size, to), extras.max_side)


def _kept_within(size: Size, longest: int) -> Size:
    if longest == 0 or max(size) <= longest:
        return size
    return placement(size, (longest, longest), "resize and fill").scaled
