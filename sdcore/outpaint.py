"""Outpainting: the canvas around a picture, and the pieces of it that the walk is to draw.

Two ways. The poor man's puts the picture on an empty canvas and draws tiles of it; "mk2" goes one
direction at a time, over noise that is shaped like the picture. Neither draws here: each gives
jobs, pictures with their masks, and puts together what the walk made of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sdcore.errors import RequestError
from sdcore.masking import Region
from sdcore.post.colour import histogram_matched
from sdcore.resize import Size
from sdcore.tiles import Tiles, joined, split, tiles
from sdcore.types import Content

Direction = Literal["left", "right", "up", "down"]
# mk2 takes them in this order.
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
PIXELS = (8, 256)
MAX_BLUR = 64
MAX_FALLOFF = 4.0
# Canvas sides are multiples of this.
MULTIPLE = 64
# mk2's noise has this seed, whatever the request's is.
NOISE_SEED = 0

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """A part of the canvas to be drawn: img2img with a mask, over all of it."""

    # Where on the canvas.
    region: Region
    # 'RGB', and two masks 'L' of its size, white where the result shows, and where the walk draws.
    picture: Image.Image
    mask: Image.Image
    latent: Image.Image
    # Of the mask that shows: sigma along x and y, pixels.
    blur: tuple[float, float]
    content: Content


@dataclass(frozen=True, kw_only=True, eq=False)
class PoorMans:
    """A canvas to be drawn in tiles."""

    # 'RGB': the picture, black around it.
    canvas: Image.Image
    plan: Tiles
    # The tiles that touch new ground, row by row; job i is drawn with the seed + i.
    jobs: tuple[Job, ...]
    # Where the picture stands on the canvas, and what of the canvas is kept.
    known: Region
    visible: Region

    def finish(self, results: Sequence[Image.Image]) -> Image.Image:
        """The whole picture, 'RGB', of the jobs' results, in their order."""
        drawn = {job.region: result for job, result in zip(self.jobs, results, strict=True)}
        regions = self.plan.regions
        old = split(self.canvas, self.plan)
        new = [drawn.get(region, tile) for region, tile in zip(regions, old, strict=True)]
        return joined(self.plan, new).crop(self.visible.box)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mk2:
    """A canvas with one new side, on noise."""

    # 'RGB': the picture, and noise like it around.
    canvas: Image.Image
    job: Job
    known: Region
    visible: Region

    def finish(self, result: Image.Image) -> Image.Image:
        """The whole picture, 'RGB', of the job's result."""
        whole = self.canvas.copy()
        whole.paste(result.convert("RGB"), self.job.region.box)
        return whole.crop(self.visible.box)


def poor_mans(
    picture: Image.Image,
    *,
    tile: Size,
    pixels: int = 128,
    blur: int = 4,
    directions: Sequence[Direction] = DIRECTIONS,
    content: Content = "fill",
) -> PoorMans:
    """The canvas and the tiles to draw, around an 'RGB' picture.

    The canvas is rounded up to multiples of 64, and what that adds is shared out over the sides
    that grow. The result shows 2 * blur pixels into the picture, the walk draws blur // 2 of them.

    Args:
        tile: (width, height) in pixels that are drawn at once; they overlap by `pixels`.
        pixels: by how much each side grows, at least.
        blur: of the mask, doubled: sigma in pixels.
        directions: the sides that grow.
        content: what lies under the mask at first.
    Raises:
        RequestError: an argument out of range.
    """
    _check(pixels, blur, directions)
    if pixels >= min(tile):
        raise RequestError(
            f"outpainting by {pixels} pixels in tiles of {tile[0]} x {tile[1]}, which would see "
            "nothing of the picture: give fewer pixels, or a larger width and height"
        )
    left, right, width = _grown(picture.width, pixels, "left" in directions, "right" in directions)
    up, down, height = _grown(picture.height, pixels, "up" in directions, "down" in directions)
    canvas = Image.new("RGB", (width, height))
    canvas.paste(picture.convert("RGB"), (left, up))
    known = Region(x0=left, y0=up, x1=left + picture.width, y1=up + picture.height)
    masks = [_around(canvas.size, known, directions, inset) for inset in (2 * blur, blur // 2)]
    plan = tiles(canvas.size, tile, overlap=pixels)
    jobs = tuple(
        _job(canvas, masks, region, blur=(2.0 * blur, 2.0 * blur), content=content)
        for region in plan.regions
        if not _is_within(region, known)
    )
    visible = Region(x0=0, y0=0, x1=known.x1 + right, y1=known.y1 + down)
    return PoorMans(canvas=canvas, plan=plan, jobs=jobs, known=known, visible=visible)


def _grown(length: int, pixels: int, before: bool, after: bool) -> tuple[int, int, int]:
    """What one axis grows by on both ends, and the canvas's length.

    An axis that does not grow is rounded up nevertheless, and what that adds is cut off again.
    """
    sides = before + after
    total = _rounded(length + sides * pixels)
    if sides == 0:
        return 0, 0, total
    first = (total - length) // sides if before else 0
    return first, total - length - first if after else 0, total


def _rounded(length: int) -> int:
    return -(-length // MULTIPLE) * MULTIPLE


def mk2(
    picture: Image.Image,
    direction: Direction,
    *,
    tile: Size,
    pixels: int = 128,
    blur: int = 8,
    falloff: float = 1.0,
    variation: float = 0.05,
) -> Mk2:
    """The canvas of an 'RGB' picture that grows in one direction, and the part to draw.

    The part is as long as the tile in that direction, over the whole other side. Several
    directions are gone one after the other, in the order of DIRECTIONS, from the result before.

    Args:
        tile: (width, height) in pixels that are drawn at once.
        pixels: by how much the side grows.
        blur: of the mask, times four, across the seam: sigma in pixels. The result shows `blur`
            pixels into the picture, the walk draws twice that.
        falloff: how steeply the noise's detail falls off: the exponent of the picture's spectrum.
        variation: the share of the noise that differs between colours.
    Raises:
        RequestError: an argument out of range.
    """
    _check(pixels, blur, [direction])
    if not 0 <= falloff <= MAX_FALLOFF:
        raise RequestError(f"a fall-off of {falloff:g}: give 0 to {MAX_FALLOFF:g}")
    if not 0 <= variation <= 1:
        raise RequestError(f"a colour variation of {variation:g}: give 0 to 1")
    is_across = direction in ("left", "right")
    w, h = picture.width + pixels * is_across, picture.height + pixels * (not is_across)
    x0, y0 = pixels * (direction == "left"), pixels * (direction == "up")
    known = Region(x0=x0, y0=y0, x1=x0 + picture.width, y1=y0 + picture.height)
    canvas = Image.new("RGB", (_rounded(w), _rounded(h)))
    canvas.paste(picture.convert("RGB"), (x0, y0))
    masks = [_around(canvas.size, known, [direction], inset) for inset in (blur, 2 * blur)]
    canvas = on_noise(canvas, masks[0], falloff=falloff, variation=variation)
    region = _at_the_end(canvas.size, tile, direction)
    blurs = (4.0 * blur, 0.0) if is_across else (0.0, 4.0 * blur)
    job = _job(canvas, masks, region, blur=blurs, content="original")
    return Mk2(canvas=canvas, job=job, known=known, visible=Region(x0=0, y0=0, x1=w, y1=h))


def _at_the_end(size: Size, tile: Size, direction: Direction) -> Region:
    """As much of the canvas as a tile is long, where it grows."""
    w, h = size
    if direction in ("left", "right"):
        w = min(w, tile[0])
    else:
        h = min(h, tile[1])
    x0 = size[0] - w if direction == "right" else 0
    y0 = size[1] - h if direction == "down" else 0
    return Region(x0=x0, y0=y0, x1=x0 + w, y1=y0 + h)


def _check(pixels: int, blur: int, directions: Sequence[str]) -> None:
    if not PIXELS[0] <= pixels <= PIXELS[1]:
        raise RequestError(f"outpainting by {pixels} pixels: give {PIXELS[0]} to {PIXELS[1]}")
    if not 0 <= blur <= MAX_BLUR:
        raise RequestError(f"an outpainting blur of {blur}: give 0 to {MAX_BLUR}")
    strange = [direction for direction in directions if direction not in DIRECTIONS]
    if strange or not directions:
        raise RequestError(
            f"outpainting to {', '.join(strange) or 'no side'}: give one or more of "
            f"{', '.join(DIRECTIONS)}"
        )


def _around(size: Size, known: Region, directions: Sequence[Direction], inset: int) -> Image.Image:
    """White but for the known picture, which on sides that grow loses `inset` pixels to it."""
    mask = np.full(size[::-1], 255, np.uint8)
    x0 = known.x0 + inset * ("left" in directions)
    y0 = known.y0 + inset * ("up" in directions)
    x1 = known.x1 - inset * ("right" in directions)
    y1 = known.y1 - inset * ("down" in directions)
    mask[y0 : max(y0, y1), x0 : max(x0, x1)] = 0
    return Image.fromarray(mask)


def _is_within(region: Region, known: Region) -> bool:
    inside_x = known.x0 <= region.x0 and region.x1 <= known.x1
    return inside_x and known.y0 <= region.y0 and region.y1 <= known.y1


def _job(
    canvas: Image.Image,
    masks: Sequence[Image.Image],
    region: Region,
    *,
    blur: tuple[float, float],
    content: Content,
) -> Job:
    mask, latent = (m.crop(region.box) for m in masks)
    return Job(
        region=region,
        picture=canvas.crop(region.box),
        mask=mask,
        latent=latent,
        blur=blur,
        content=content,
    )


def on_noise(
    picture: Image.Image, mask: Image.Image, *, falloff: float, variation: float
) -> Image.Image:
    """The 'RGB' picture, with noise of its spectrum, phases and colours where the mask is white.

    |F|^falloff * phase(F) * |N|^2, F the spectrum of the known picture and N that of uniform noise,
    weaker the finer it is; then the new pixels get the known ones' histogram.
    """
    new = np.asarray(mask, np.float64)[..., None] / 255
    known = np.asarray(picture, np.float64) / 255 * (1 - new)
    # Not black where nothing is known: that would be an edge.
    filled = known / max(float(known.max()), 1 / 255) + known.mean() * new
    spectrum = np.fft.fft2(filled, axes=(0, 1))
    size = np.abs(spectrum)
    phase = spectrum / np.maximum(size, 1e-12)
    shaped = size**falloff * phase * np.abs(_noise(new.shape[:2], variation)) ** 2
    noise = np.fft.ifft2(shaped, axes=(0, 1)).real
    noise = (noise - noise.min()) / max(float(np.ptp(noise)), 1e-12)
    is_new = new[..., 0] > 0
    whole = known.copy()
    if is_new.any() and not is_new.all():
        noise[is_new] = histogram_matched(noise[is_new], known[~is_new])
        whole[is_new] += (noise * new)[is_new]
    return Image.fromarray(np.rint(whole * 255).clip(0, 255).astype(np.uint8))


def _noise(shape: tuple[int, ...], variation: float) -> NDArray[np.complex128]:
    """The spectrum (h, w, 3) of uniform noise, mostly grey, weaker the finer it is."""
    h, w = shape
    drawn = np.random.default_rng(NOISE_SEED).random((h, w, 3))
    coloured = variation * drawn + (1 - variation) * drawn.mean(axis=2, keepdims=True)
    y, x = np.meshgrid(2 * np.fft.fftfreq(h), 2 * np.fft.fftfreq(w), indexing="ij")
    weight = 1 / (1 + x**2 + y**2)
    spectrum: NDArray[np.complex128] = np.fft.fft2(coloured, axes=(0, 1)) * weight[..., None]
    return spectrum
