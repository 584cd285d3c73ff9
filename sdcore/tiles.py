"""A picture cut into tiles that overlap, and put together again: SD upscale, large networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sdcore.errors import RequestError
from sdcore.masking import Region
from sdcore.resize import Size

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """Where the tiles of a picture lie. Pixels."""

    # (width, height) of the picture, and of each tile: at most the picture's.
    size: Size
    tile: Size
    # By how much neighbours overlap at least, and where the one goes over into the other.
    overlap: int
    # Left edges of the columns, upper edges of the rows.
    lefts: tuple[int, ...]
    tops: tuple[int, ...]

    @property
    def regions(self) -> tuple[Region, ...]:
        """Row by row."""
        w, h = self.tile
        return tuple(Region(x0=x, y0=y, x1=x + w, y1=y + h) for y in self.tops for x in self.lefts)


def tiles(size: Size, tile: Size, *, overlap: int) -> Tiles:
    """As few tiles as cover a picture of size (width, height), evenly spread over it.

    Args:
        tile: (width, height) of each; a side longer than the picture's is the picture's.
        overlap: pixels, less than the tile's sides.
    Raises:
        RequestError: an overlap out of range.
    """
    w, h = min(tile[0], size[0]), min(tile[1], size[1])
    if not 0 <= overlap < min(tile):
        raise RequestError(
            f"tiles of {tile[0]} x {tile[1]} that overlap by {overlap} pixels: give an overlap "
            f"from 0 to {min(tile) - 1}"
        )
    lefts, tops = (_starts(n, t, overlap) for n, t in zip(size, (w, h), strict=True))
    return Tiles(size=size, tile=(w, h), overlap=overlap, lefts=lefts, tops=tops)


def _starts(length: int, tile: int, overlap: int) -> tuple[int, ...]:
    if tile >= length:
        return (0,)
    count = ceil((length - overlap) / (tile - overlap))
    return tuple(i * (length - tile) // (count - 1) for i in range(count))


def split(picture: Image.Image, plan: Tiles) -> list[Image.Image]:
    """The picture's tiles, row by row."""
    return [picture.crop(region.box) for region in plan.regions]


def joined(plan: Tiles, pictures: Sequence[Image.Image]) -> Image.Image:
    """The 'RGB' picture of tiles, row by row; each goes over into the one before by a linear ramp.

    Joining what was split gives the picture back, bit for bit.
    """
    arrays = [np.asarray(picture.convert("RGB"), np.float32) for picture in pictures]
    return Image.fromarray(np.rint(blended(plan, arrays)).astype(np.uint8))


def blended(plan: Tiles, arrays: Sequence[Floats], *, scale: int = 1, margin: int = 0) -> Floats:
    """The whole (h, w, channels) of tiles, row by row; see `joined`.

    Args:
        scale: pixels of the arrays to one of the plan.
        margin: pixels of the plan at each tile's inner edges that are not used, because a network
            could not see beyond them; less than half of the overlap.
    """
    columns = len(plan.lefts)
    lefts, tops = ([at * scale for at in starts] for starts in (plan.lefts, plan.tops))
    ramp = _ramp(plan.overlap * scale, margin * scale)
    rows = [
        _chained(list(arrays[at : at + columns]), lefts, ramp[None, :, None], axis=1)
        for at in range(0, len(arrays), columns)
    ]
    return _chained(rows, tops, ramp[:, None, None], axis=0)


def _ramp(overlap: int, margin: int) -> Floats:
    """A tile's share in its first pixels."""
    place = (np.arange(overlap) + 0.5 - margin) / max(overlap - 2 * margin, 1)
    ramp: Floats = place.clip(0, 1).astype(np.float32)
    return ramp


def _chained(parts: list[Floats], starts: list[int], ramp: Floats, *, axis: int) -> Floats:
    """Parts laid one after the other along an axis, each over the end of the one before."""
    length = starts[-1] + parts[-1].shape[axis]
    shape = list(parts[0].shape)
    shape[axis] = length
    whole: Floats = np.empty(shape, np.float32)
    overlap = ramp.shape[axis]
    for number, (part, start) in enumerate(zip(parts, starts, strict=True)):
        place = np.moveaxis(whole, axis, 0)[start : start + part.shape[axis]]
        new = np.moveaxis(part, axis, 0)
        faded = overlap if number else 0
        place[faded:] = new[faded:]
        if faded:
            share = np.moveaxis(ramp, axis, 0)
            place[:faded] += (new[:faded] - place[:faded]) * share
    return whole
