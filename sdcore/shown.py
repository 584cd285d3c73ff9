"""What a checkpoint that edits is shown besides the latents: a mask, a picture."""

from __future__ import annotations

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from sdcore import latents
from sdcore.models.checkpoint import Checkpoint
from sdcore.plan import Pass


def shown(checkpoint: Checkpoint, p: Pass, x0: Tensor | None) -> Tensor | None:
    """Channels (1 or B, channels, h, w) that follow those of x; None where only words are read.

    An inpainting checkpoint reads the mask, 1 where it draws, and the picture without what the
    mask covers (Rombach et al. 2022, arXiv:2112.10752, section 4.5); where there is no mask it is
    all covered, so that what it is shown is grey. An InstructPix2Pix checkpoint reads the picture
    (Brooks et al. 2023, arXiv:2211.09800, section 3.2), its latents not scaled.
    """
    if checkpoint.kind == "text":
        return None
    if checkpoint.kind == "instruct":
        assert x0 is not None
        return x0 / float(checkpoint.vae.config.scaling_factor)
    if p.inpainting is None or p.inpainting.mask is None or p.start is None or p.mask is None:
        rows, columns = (side * checkpoint.factor for side in p.shape[1:])
        grey = torch.zeros(1, checkpoint.vae.config.in_channels, rows, columns)
        covered = latents.encode_pixels(checkpoint, grey.to(checkpoint.device))
        return torch.cat([covered.new_ones(1, 1, *p.shape[1:]), covered], dim=1)
    picture = latents.pixels(checkpoint, [p.start.image])
    mask = _rounded(p.inpainting.mask).to(picture)
    picture = torch.lerp(picture, picture * (1 - mask), p.mask.conditioning_strength)
    seen = torch.nn.functional.interpolate(mask, size=p.shape[1:], mode="nearest")
    return torch.cat([seen, latents.encode_pixels(checkpoint, picture)], dim=1)


def _rounded(mask: Image) -> Tensor:
    """(1, 1, height, width), 0 or 1."""
    return torch.from_numpy(np.asarray(mask, np.float32) / 255).round()[None, None]
