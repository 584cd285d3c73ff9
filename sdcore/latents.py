"""Latents <-> pictures, through the checkpoint's autoencoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sdcore.models.checkpoint import Checkpoint


@torch.inference_mode()
def decode(checkpoint: Checkpoint, x: Tensor) -> list[Image.Image]:
    """The 'RGB' pictures of latents x (B, C, h, w); a one-channel autoencoder's are grey."""
    config = checkpoint.vae.config
    # The UNet's latents are (z - shift) * scale of the autoencoder's z.
    z = x / config.scaling_factor + (config.get("shift_factor") or 0.0)
    pixels = checkpoint.vae.decode(z.to(checkpoint.vae.dtype), return_dict=False)[0]
    grey_levels = ((pixels.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    planes = grey_levels.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(np.ascontiguousarray(plane), "RGB") for plane in planes]


@torch.inference_mode()
def encode(checkpoint: Checkpoint, images: Sequence[Image.Image]) -> Tensor:
    """Latents (B, C, h, w) float32 of pictures of one size, a multiple of the checkpoint's factor.

    Where the autoencoder gives a distribution, this is its mean.
    """
    return encode_pixels(checkpoint, pixels(checkpoint, images))


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
