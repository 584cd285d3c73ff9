"""Pictures brought to a size: the four resize modes, and the sizes of a hires pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from sdcore.errors import RequestError
from sdcore.types import Resize

Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How a picture is laid into another size: scaled first, then moved. Pixels."""

    # (width, height) that the picture is scaled to.
    scaled: Size
    # Where its corner comes to lie; negative where it is cropped.
    offset: tuple[int, int]


def placement(source: Size, target: Size, mode: Resize) -> Placement:
    """Where a picture of size `source` comes to lie in one of size `target`; sizes (width, height).

    "crop and resize" covers the target, "resize and fill" stays inside of it; both are centred
    and keep the proportions. The other two modes stretch the picture to the target.
    """
    (source_w, source_h), (w, h) = source, target
    if mode in ("just resize", "just resize (latent)"):
        return Placement(scaled=target, offset=(0, 0))
    is_wider = source_w * h > w * source_h
    if is_wider == (mode == "crop and resize"):
        scaled = (max(1, source_w * h // source_h), h)
    else:
        scaled = (w, max(1, source_h * w // source_w))
    return Placement(scaled=scaled, offset=(w // 2 - scaled[0] // 2, h // 2 - scaled[1] // 2))


def resized(picture: Image.Image, size: Size, mode: Resize = "just resize") -> Image.Image:
    """The picture, 'RGB' or 'L', at size (width, height), by Lanczos' filter; see `placement`.

    Where "resize and fill" leaves room, the picture's border rows or columns are repeated. What
    "just resize (latent)" means is left to the latents: as a picture it is "just resize".
    """
    if mode != "just resize" and picture.size == size:
        return picture
    place = placement(picture.size, size, mode)
    scaled = scaled_to(picture, place.scaled)
    (w, h), (x, y) = size, place.offset
    if mode == "resize and fill":
        above_and_below = (y, h - y - place.scaled[1])
        beside = (x, w - x - place.scaled[0])
        pixels = np.asarray(scaled)
        sides = [above_and_below, beside, (0, 0)][: pixels.ndim]
        return Image.fromarray(np.pad(pixels, sides, mode="edge"))
    return scaled if scaled.size == size else scaled.crop((-x, -y, w - x, h - y))


def scaled_to(picture: Image.Image, size: Size) -> Image.Image:
    """The picture stretched to size (width, height) by Lanczos' filter; at its own size itself."""
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


@dataclass(frozen=True, kw_only=True)
class HiresSize:
    """The sizes of a hires pass. Pixels, (width, height), but for the crop."""

    # What was asked for.
    target: Size
    # What the first pass is scaled to, of its proportions, covering the target.
    upscaled: Size
    # Latents cut off afterwards: left, right, top, bottom.
    crop: tuple[int, int, int, int]
    # Pixels to a latent.
    factor: int

    @property
    def latents(self) -> Size:
        """(width, height) in latents of the scaled picture, before the crop."""
        return self.upscaled[0] // self.factor, self.upscaled[1] // self.factor

    @property
    def size(self) -> Size:
        """(width, height) in pixels of the result: whole latents."""
        left, right, top, bottom = self.crop
        w, h = self.latents
        return (w - left - right) * self.factor, (h - top - bottom) * self.factor


def hires_size(
    width: int, height: int, *, scale: float = 2.0, resize_to: Size = (0, 0), factor: int = 8
) -> HiresSize:
    """The sizes of a hires pass over a first pass of width x height pixels.

    Args:
        scale: factor on both sides; it counts where `resize_to` is (0, 0).
        resize_to: (width, height) in pixels; where one is 0 it follows the other. Where both are
            given, the picture is scaled to cover them and cut in whole latents, the smaller half
            on the left and at the top.
        factor: pixels to a latent.
    Raises:
        RequestError: a result of less than one latent.
    """
    w, h = resize_to
    if w == h == 0:
        target = upscaled = (int(width * scale), int(height * scale))
    elif h == 0:
        target = upscaled = (w, w * height // width)
    elif w == 0:
        target = upscaled = (h * width // height, h)
    else:
        target = (w, h)
        upscaled = placement((width, height), target, "crop and resize").scaled
    if min(*target, *upscaled) < factor:
        raise RequestError(
            f"a hires pass of {target[0]} x {target[1]} pixels: give at least {factor} x {factor}"
        )
    cut_x, cut_y = ((up - to) // factor for up, to in zip(upscaled, target, strict=True))
    crop = (cut_x // 2, cut_x - cut_x // 2, cut_y // 2, cut_y - cut_y // 2)
    return HiresSize(target=target, upscaled=upscaled, crop=crop, factor=factor)
