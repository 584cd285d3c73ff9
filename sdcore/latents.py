"""Latents <-> pictures, through the checkpoint's autoencoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sdcore.errors import MachineError
from sdcore.models.checkpoint import Checkpoint

# Latent columns that an autoencoder is given at once of a picture drawn through a window, and on
# either side of them what it sees besides: memory does not grow with the picture.
PART, MARGIN = 128, 8


def decode_parts(
    checkpoint: Checkpoint, x: Tensor, *, closed: bool, notes: list[str] | None = None
) -> list[Image.Image]:
    """The 'RGB' pictures of wide latents x (B, C, h, w), decoded part by part along x.

    `closed` joins the last column to the first; otherwise the ends stand beside themselves.
    """
    total, factor = x.shape[-1], checkpoint.factor
    size = (total * factor, x.shape[-2] * factor)
    pictures = [Image.new("RGB", size) for _ in range(len(x))]
    for first in range(0, total, PART):
        last = min(first + PART, total)
        columns = torch.arange(first - MARGIN, last + MARGIN, device=x.device)
        columns = columns % total if closed else columns.clamp(0, total - 1)
        parts = decode(checkpoint, x[..., columns], notes=notes)
        box = (MARGIN * factor, 0, (MARGIN + last - first) * factor, size[1])
        for picture, part in zip(pictures, parts, strict=True):
            picture.paste(part.crop(box), (first * factor, 0))
    return pictures


@torch.inference_mode()
def decode(
    checkpoint: Checkpoint, x: Tensor, *, notes: list[str] | None = None
) -> list[Image.Image]:
    """The 'RGB' pictures of latents x (B, C, h, w); a one-channel autoencoder's are grey.

    An autoencoder that overflows in 16 bits is asked again in 32, one that lacks memory in tiles;
    either is told in `notes`.

    Raises:
        MachineError: no numbers in 32 bits either.
    """
    config, told = checkpoint.vae.config, [] if notes is None else notes
    # The UNet's latents are (z - shift) * scale of the autoencoder's z.
    z = x / config.scaling_factor + (config.get("shift_factor") or 0.0)
    pixels = _decoded(checkpoint, z, told)
    if not pixels.isfinite().all() and checkpoint.vae.dtype != torch.float32:
        before = checkpoint.vae.dtype
        checkpoint.vae.float()
        pixels = _decoded(checkpoint, z, told)
        checkpoint.vae.to(before)
        told.append(f"the autoencoder overflowed in {before}: it was run again in float32")
    if not pixels.isfinite().all():
        raise MachineError(
            f"the picture of '{checkpoint.name}' is not a number anywhere it can be seen: "
            "the checkpoint or its autoencoder is broken, or the guidance scale is far too high"
        )
    grey_levels = ((pixels.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    planes = grey_levels.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(np.ascontiguousarray(plane), "RGB") for plane in planes]


def _decoded(checkpoint: Checkpoint, z: Tensor, notes: list[str]) -> Tensor:
    """The autoencoder's pixels (B, 3 or 1, height, width), about -1 .. 1."""
    vae = checkpoint.vae
    try:
        whole: Tensor = vae.decode(z.to(vae.dtype), return_dict=False)[0]
        return whole
    except torch.OutOfMemoryError:
        notes.append("the autoencoder lacked memory: it was run again image by image, in tiles")
    vae.enable_tiling()
    try:
        parts = [vae.decode(one.to(vae.dtype), return_dict=False)[0] for one in torch.split(z, 1)]
    finally:
        vae.disable_tiling()
    return torch.cat(parts)


@torch.inference_mode()
def encode(checkpoint: Checkpoint, images: Sequence[Image.Image]) -> Tensor:
    """Latents (B, C, h, w) float32 of pictures of one size, a multiple of the checkpoint's factor.

    Where the autoencoder gives a distribution, this is its mean.
    """
    return encode_pixels(checkpoint, pixels(checkpoint, images))


def encode_parts(checkpoint: Checkpoint, image: Image.Image, *, closed: bool) -> Tensor:
    """Latents (1, C, h, w) of a wide picture, encoded part by part as `decode_parts` decodes."""
    factor = checkpoint.factor
    total, found = image.width // factor, []
    for first in range(0, total, PART):
        last = min(first + PART, total)
        columns = np.arange((first - MARGIN) * factor, (last + MARGIN) * factor)
        columns = columns % image.width if closed else columns.clip(0, image.width - 1)
        left, right = (max(0, first - MARGIN) * factor, min(total, last + MARGIN) * factor)
        if columns[0] == left and columns[-1] == right - 1:
            part = image.crop((left, 0, right, image.height))
        else:
            part = Image.fromarray(np.asarray(image)[:, columns])
        found.append(encode(checkpoint, [part])[..., MARGIN : MARGIN + last - first])
    return torch.cat(found, -1)


def pixels(checkpoint: Checkpoint, images: Sequence[Image.Image]) -> Tensor:
    """Pictures of one size as (B, 3 or 1, height, width), -1 .. 1: what the autoencoder reads."""
    mode = "L" if checkpoint.vae.config.in_channels == 1 else "RGB"
    stacked = np.stack([np.atleast_3d(np.asarray(image.convert(mode))) for image in images])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).to(checkpoint.device) / 127.5 - 1


def encode_pixels(checkpoint: Checkpoint, pixels: Tensor) -> Tensor:
    """Latents (B, C, h, w) float32 of pixels (B, 3 or 1, height, width), -1 .. 1."""
    config = checkpoint.vae.config
    encoded = checkpoint.vae.encode(pixels.to(checkpoint.vae.dtype), return_dict=False)[0]
    # AutoencoderKL gives a distribution, AutoencoderTiny and AutoencoderDC give the latents.
    z: Tensor = encoded if isinstance(encoded, Tensor) else encoded.mode()
    x: Tensor = (z.float() - (config.get("shift_factor") or 0.0)) * config.scaling_factor
    return x
