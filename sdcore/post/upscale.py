"""Pictures made larger: by a filter, or by a network in a file, tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sdcore.errors import ModelError, RequestError
from sdcore.post.network import load_network
from sdcore.resize import Size, scaled_to
from sdcore.tiles import blended, tiles

# How often an upscaler may go over a picture to reach a size.
PASSES = 3
# Sides of a picture that was scaled by a factor are multiples of this.
MULTIPLE = 8
MAX_SCALE = 16.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Upscaler:
    """One way to make a picture larger."""

    name: str
    # One pass over an 'RGB' picture, towards a size (width, height): a network has a factor of
    # its own and does not mind the size, a filter goes there at once.
    enlarge: Callable[[Image.Image, Size], Image.Image]


def upscaled(picture: Image.Image, upscaler: Upscaler, to: Size | float) -> Image.Image:
    """The 'RGB' picture at another size: up to three passes of the upscaler, finished by Lanczos.

    Args:
        to: (width, height) in pixels; or a factor, and then the sides are the multiples of 8
            below, and the upscaler goes over the picture once even by a factor of 1.
    Raises:
        RequestError: a size or factor out of range.
    """
    size = to if isinstance(to, tuple) else scaled_size(picture.size, to)
    if min(size) < 1:
        raise RequestError(f"a picture of {size[0]} x {size[1]} pixels: give at least 1 x 1")
    larger = picture.convert("RGB")
    for number in range(PASSES):
        is_asked = number == 0 and to == 1
        if not is_asked and larger.width >= size[0] and larger.height >= size[1]:
            break
        before = larger.size
        larger = upscaler.enlarge(larger, size)
        if larger.size == before:
            break
    return scaled_to(larger, size)


def scaled_size(size: Size, scale: float) -> Size:
    """(width, height) times a factor, as the multiples of 8 below.

    Raises:
        RequestError: a factor out of range, or nothing left.
    """
    if not 0 < scale <= MAX_SCALE:
        raise RequestError(f"an upscale by {scale:g}: give more than 0, at most {MAX_SCALE:g}")
    width, height = (int(side * scale) // MULTIPLE * MULTIPLE for side in size)
    if min(width, height) == 0:
        raise RequestError(
            f"{size[0]} x {size[1]} pixels by {scale:g} is less than {MULTIPLE} pixels wide or "
            "high: give a larger factor"
        )
    return width, height


def upscaled_by_two(
    picture: Image.Image, upscalers: tuple[Upscaler, Upscaler], to: Size | float, *, share: float
) -> Image.Image:
    """What the first upscaler makes, and `share` (0 .. 1) of what the second one makes over it.

    Raises:
        RequestError: a share, size or factor out of range.
    """
    if not 0 <= share <= 1:
        raise RequestError(f"a second upscaler's share of {share:g}: give 0 to 1")
    first, second = upscalers
    below = upscaled(picture, first, to)
    return below if share == 0 else Image.blend(below, upscaled(picture, second, to), share)


def load_upscaler(
    path: str | Path, *, device: torch.device | str = "cpu", tile: int = 192, overlap: int = 32
) -> Upscaler:
    """The upscaler in a .safetensors or .pth file, of any architecture that spandrel reads.

    Args:
        tile: pixels of the side that the network sees at once; 0 is the whole picture.
        overlap: pixels by which tiles overlap. Their outer quarter is thrown away, so that a
            network that sees no farther gives what it gives for the whole picture.
    Raises:
        MachineError: spandrel is not installed.
        ModelError: a file that is broken, or holds no upscaler of 'RGB' pictures.
        RequestError: an overlap that leaves nothing of a tile.
    """
    path = Path(path)
    if tile and not 0 <= overlap < tile:
        raise RequestError(f"tiles of {tile} pixels that overlap by {overlap}: give less overlap")
    network = load_network(path, device=device)
    if network.purpose not in ("SR", "Restoration"):
        raise ModelError(f"{path} holds {network.architecture.name}, which is no upscaler")
    if (network.input_channels, network.output_channels) != (3, 3):
        raise ModelError(
            f"{path} takes {network.input_channels} channels and gives {network.output_channels}: "
            "give an upscaler of RGB pictures"
        )
    if network.tiling.name == "INTERNAL":
        tile = 0

    def enlarge(picture: Image.Image, size: Size) -> Image.Image:
        return by_network(picture, network, tile=tile, overlap=overlap)

    return Upscaler(name=path.stem, enlarge=enlarge)


@torch.inference_mode()
def by_network(picture: Image.Image, network: Any, *, tile: int, overlap: int) -> Image.Image:
    """The 'RGB' picture through spandrel's `network`, in tiles (0 is none) that overlap, pixels."""
    plan = (
        tiles(picture.size, (tile, tile), overlap=overlap)
        if tile
        else tiles(picture.size, picture.size, overlap=0)
    )
    pixels = np.asarray(picture, np.float32).transpose(2, 0, 1) / 255
    parts = []
    for region in plan.regions:
        part = torch.from_numpy(pixels[:, region.y0 : region.y1, region.x0 : region.x1])
        given = part[None].to(device=network.device, dtype=network.dtype)
        parts.append(network(given)[0].float().cpu().permute(1, 2, 0).numpy())
    whole = blended(plan, parts, scale=network.scale, margin=plan.overlap // 4)
    return Image.fromarray(np.rint(whole * 255).clip(0, 255).astype(np.uint8))


def _unchanged(picture: Image.Image, size: Size) -> Image.Image:
    return picture


def _nearest(picture: Image.Image, size: Size) -> Image.Image:
    return picture.resize(size, Image.Resampling.NEAREST)


UPSCALERS: Mapping[str, Upscaler] = {
    "None": Upscaler(name="None", enlarge=_unchanged),
    "Lanczos": Upscaler(name="Lanczos", enlarge=scaled_to),
    "Nearest": Upscaler(name="Nearest", enlarge=_nearest),
}
