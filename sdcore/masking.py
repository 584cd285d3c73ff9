"""Inpainting around the walk: which pixels are done again, and how they get back.

A mask is an 'L' picture, white where the picture is done again. Everything here is pixels but
`latent_mask`; what the walk does under the mask is in starts.py and denoise.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, gaussian_filter1d, uniform_filter1d
from torch import Tensor

from sdcore.errors import RequestError
from sdcore.resize import Size, resized
from sdcore.types import Mask, Resize

# (sigma in pixels, how often it is laid on) of the blurred copies that fill a mask, far first.
PYRAMID = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))
# Sigmas from here on are three box filters, which cost the same at any size.
WIDE_SIGMA = 16
# Below this share of known pixels there is nothing to fill from.
NOTHING = 1e-6
BLANK = "the mask is blank: there is no part to draw alone, so the whole picture is done again"

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Region:
    """A rectangle of pixels; x1 and y1 lie outside."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def size(self) -> Size:
        """(width, height)."""
        return self.x1 - self.x0, self.y1 - self.y0

    @property
    def box(self) -> tuple[int, int, int, int]:
        """As PIL wants it: left, top, right, bottom."""
        return self.x0, self.y0, self.x1, self.y1


@dataclass(frozen=True, kw_only=True, eq=False)
class Inpainting:
    """A picture and its mask made ready for the walk, and the way back."""

    # What the autoencoder is given: 'RGB' of the request's size, filled under the mask unless
    # its content is "original".
    picture: Image.Image
    # The same before it was filled: colours are corrected to it.
    reference: Image.Image
    # 'L' of the request's size; None where there is nothing to inpaint: plain img2img.
    mask: Image.Image | None
    # What the result is laid into, 'RGB', and how far it shows there, 'L': where this is 0 the
    # original stays bit for bit. None without a mask.
    original: Image.Image
    overlay: Image.Image | None
    # The part of the original that is drawn alone; None is all of it.
    region: Region | None = None
    # What the user should know.
    note: str = ""

    def finish(self, result: Image.Image) -> Image.Image:
        """The whole picture, 'RGB', of what the walk made of `picture`."""
        if self.overlay is None:
            return result
        return composited(self.original, pasted(self.original, result, self.region), self.overlay)

    def laid_by(self, share: Image.Image) -> Inpainting:
        """The same, laid in by `share` instead: 'L' of any size, over all that is drawn.

        Where the mask is black the original stays all the same.
        """
        if self.overlay is None or self.mask is None:
            return self
        at_size = share.resize(self.mask.size, Image.Resampling.BILINEAR)
        laid = pasted(Image.new("L", self.original.size), at_size, self.region)
        free = np.asarray(self.overlay) > 0
        overlay = Image.fromarray(np.where(free, np.asarray(laid), np.uint8(0)))
        return replace(self, overlay=overlay)


def prepare(
    image: Image.Image,
    mask: Mask,
    size: Size,
    *,
    resize: Resize = "just resize",
    latent: Image.Image | None = None,
) -> Inpainting:
    """The picture `image` ('RGB') and its mask at size (width, height), ready for the walk.

    `latent`, 'L' of the picture's size, is where the walk draws, if that is elsewhere than where
    its result shows: outpainting shows more of it than it draws.
    With `only_masked` the part around the mask is drawn at the full size, whatever `resize` is.
    With "just resize (latent)" `picture` stays as large as it is: its latents are what is resized.

    Raises:
        RequestError: a mask of another size than the picture's.
    """
    for given in (mask.image, mask.image if latent is None else latent):
        _check_size(given, image)
    image = image.convert("RGB")
    white = prepared(mask.image, inverted=mask.inverted, blur=mask.blur, rounded=mask.soft is None)
    drawn = white if latent is None else latent.convert("L")
    if not mask.only_masked:
        ready = _whole(image, white, drawn, size=size, resize=resize)
    else:
        found = crop_region(white, mask.padding)
        if found is None:
            return _unmasked(image, size)
        region = expanded(found, aspect=size, within=image.size)
        ready = _part(image, white, drawn, size=size, region=region)
    if mask.content == "original" or ready.mask is None:
        return ready
    under = drawn if ready.picture is image else ready.mask  # not brought to the size yet
    return replace(ready, picture=filled(ready.picture, under))


def _check_size(mask: Image.Image, image: Image.Image) -> None:
    if mask.size != image.size:
        raise RequestError(
            f"a mask of {mask.width} x {mask.height} pixels on a picture of {image.width} x "
            f"{image.height}: give a mask of the picture's size"
        )


def _unmasked(image: Image.Image, size: Size) -> Inpainting:
    plain = resized(image, size)
    return Inpainting(
        picture=plain, reference=plain, mask=None, original=image, overlay=None, note=BLANK
    )


def _part(
    image: Image.Image, white: Image.Image, drawn: Image.Image, *, size: Size, region: Region
) -> Inpainting:
    picture = resized(image.crop(region.box), size, "resize and fill")
    return Inpainting(
        picture=picture,
        reference=picture,
        mask=resized(drawn.crop(region.box), size, "resize and fill"),
        original=image,
        overlay=white,
        region=region,
    )


def _whole(
    image: Image.Image, white: Image.Image, drawn: Image.Image, *, size: Size, resize: Resize
) -> Inpainting:
    original = resized(image, size, resize)
    picture = image if resize == "just resize (latent)" else original
    return Inpainting(
        picture=picture,
        reference=picture,
        mask=resized(drawn, size, resize),
        original=original,
        overlay=doubled(resized(white, size, resize)),
    )


def prepared(
    mask: Image.Image,
    *,
    inverted: bool = False,
    blur: tuple[float, float] = (0.0, 0.0),
    rounded: bool = True,
) -> Image.Image:
    """The mask as 'L': its transparency where it has any (over half, if rounded), else its grey.

    Inverted first, then blurred by a Gaussian along x and y (sigma in pixels), cut off at
    2.5 sigma and mirrored at the edges without repeating them.
    """
    grey = _opaque(mask, rounded)
    values = (255 - grey if inverted else grey).astype(np.float64)
    for axis, sigma in ((1, blur[0]), (0, blur[1])):
        if sigma > 0:
            radius = int(2.5 * sigma + 0.5)
            values = gaussian_filter1d(values, sigma, axis=axis, radius=radius, mode="mirror")
    return _grey(values)


def _opaque(mask: Image.Image, rounded: bool) -> NDArray[np.uint8]:
    if mask.mode in ("RGBA", "LA", "PA") or "transparency" in mask.info:
        alpha = np.asarray(mask.convert("RGBA").getchannel("A"))
        if alpha.min() < 255:
            return np.where(alpha > 128, np.uint8(255), np.uint8(0)) if rounded else alpha
    return np.asarray(mask.convert("L"))


def _grey(values: Floats) -> Image.Image:
    return Image.fromarray(np.rint(values).clip(0, 255).astype(np.uint8))


def doubled(mask: Image.Image) -> Image.Image:
    """The mask twice as white: over half of it counts fully, its blurred rim reaches as far."""
    return Image.fromarray((np.asarray(mask, np.uint16) * 2).clip(0, 255).astype(np.uint8))


def crop_region(mask: Image.Image, padding: int) -> Region | None:
    """What encloses everything that is not black, and `padding` pixels around it, inside the mask.

    None where all of it is black.
    """
    box = mask.getbbox()
    if box is None:
        return None
    return Region(
        x0=max(box[0] - padding, 0),
        y0=max(box[1] - padding, 0),
        x1=min(box[2] + padding, mask.width),
        y1=min(box[3] + padding, mask.height),
    )


def expanded(region: Region, *, aspect: Size, within: Size) -> Region:
    """The region, made wider or higher until its proportions are those of aspect (w, h).

    It grows on both sides, is moved inside of a picture of size `within` (width, height) where it
    would leave it, and takes all of that side where that is too small: then another aspect is left.
    """
    (w, h), (aspect_w, aspect_h) = region.size, aspect
    if w * aspect_h > aspect_w * h:
        y0, y1 = _grown(region.y0, region.y1, w * aspect_h // aspect_w, within[1])
        return Region(x0=region.x0, y0=y0, x1=region.x1, y1=y1)
    x0, x1 = _grown(region.x0, region.x1, h * aspect_w // aspect_h, within[0])
    return Region(x0=x0, y0=region.y0, x1=x1, y1=region.y1)


def _grown(low: int, high: int, length: int, limit: int) -> tuple[int, int]:
    low -= (length - (high - low)) // 2
    low = max(min(low, limit - length), 0)
    return low, min(low + length, limit)


def latent_mask(mask: Image.Image, size: Size, *, rounded: bool = True) -> Tensor:
    """The mask as (1, 1, h, w) float32 in 0 .. 1, at size (w, h) in latents; 0 or 1 if rounded."""
    small = np.asarray(mask.resize(size, Image.Resampling.BICUBIC), np.float32) / 255
    return torch.from_numpy(np.rint(small) if rounded else small)[None, None]


def filled(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The 'RGB' picture, under the mask replaced by what surrounds it, ever more blurred inwards.

    Copies of the picture, transparent under the mask, are blurred and laid over one another, the
    most blurred first; premultiplied, so that the masked pixels' own colours do not bleed. What is
    too far from any known pixel gets the mean of those, mid grey if there is none.
    """
    known = 1 - np.asarray(mask, np.float64)[..., None] / 255
    colours = np.asarray(picture, np.float64)
    layer = np.concatenate([colours * known, known], axis=2)
    total = np.zeros_like(layer)
    for sigma, times in PYRAMID:
        copy = _blurred(layer, sigma)
        for _ in range(times):
            total = copy + total * (1 - copy[..., 3:])
    mean = layer[..., :3].sum((0, 1)) / known.sum() if known.any() else np.full(3, 127.5)
    alpha = total[..., 3:]
    filling = np.where(alpha > NOTHING, total[..., :3] / np.maximum(alpha, NOTHING), mean)
    return _grey(filling)


def _blurred(layer: Floats, sigma: float) -> Floats:
    """Channels blurred by a Gaussian, its edges repeated; a wide one as three box filters.

    Three boxes of n pixels have the variance (n^2 - 1) / 4.
    """
    blurred: Floats = layer
    if sigma < WIDE_SIGMA:
        blurred = gaussian_filter(layer, (sigma, sigma, 0), mode="nearest") if sigma else layer
        return blurred
    box = 2 * round(sigma) + 1
    for axis in (0, 1) * 3:
        blurred = uniform_filter1d(blurred, box, axis=axis, mode="nearest")
    return blurred.clip(0, None)


def pasted(original: Image.Image, result: Image.Image, region: Region | None) -> Image.Image:
    """The original with the result in its region, brought to its size; None is everywhere."""
    if region is None:
        return resized(result, original.size, "crop and resize")
    whole = original.copy()
    whole.paste(resized(result, region.size, "crop and resize"), region.box)
    return whole


def composited(original: Image.Image, result: Image.Image, overlay: Image.Image) -> Image.Image:
    """The result where the overlay is white, the original bit for bit where it is black."""
    share = np.asarray(overlay, np.float64)[..., None] / 255
    below = np.asarray(original.convert("RGB"), np.float64)
    return _grey(below + (np.asarray(result.convert("RGB"), np.float64) - below) * share)


def sketched(
    original: Image.Image, painted: Image.Image, *, transparency: float = 0.0, blur: float = 4.0
) -> tuple[Image.Image, Image.Image]:
    """The picture to begin from and its mask, where a user painted on the original: inpaint sketch.

    The mask is what differs, by 1 - transparency (0 .. 1) as white; the paint is laid on with its
    edge and itself blurred by `blur` pixels. Both pictures are 'RGB' of one size.
    """
    below, above = (np.asarray(p.convert("RGB"), np.float64) for p in (original, painted))
    differs = (below != above).any(axis=2) * (255 * (1 - transparency))
    share, paint = differs, above
    if blur > 0:
        share = gaussian_filter(differs, blur, mode="nearest")
        paint = gaussian_filter(above, (blur, blur, 0), mode="nearest")
    return _grey(below + (paint - below) * share[..., None] / 255), _grey(differs)
