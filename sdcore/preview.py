"""What a picture that still forms looks like: quickly, and well enough to stop it or let it go."""

from __future__ import annotations

from dataclasses import replace

from PIL.Image import Image
from torch import Tensor

from sdcore import latents
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.preview import approximate


def preview(checkpoint: Checkpoint, x0: Tensor) -> list[Image]:
    """'RGB' pictures of clean estimates x0 (B, C, h, w), as a `Step` brings them.

    In full size by the checkpoint's tiny autoencoder where it has one, else one pixel per latent
    one by a linear fit.
    """
    if checkpoint.preview is None:
        return approximate(checkpoint, x0)
    quick = replace(checkpoint, vae=checkpoint.preview)
    return [picture.convert("RGB") for picture in latents.decode(quick, x0)]
