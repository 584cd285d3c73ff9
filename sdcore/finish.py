"""From a pass's latents to the pictures that the user gets."""

from __future__ import annotations

import numpy as np
from PIL.Image import Image, fromarray
from torch import Tensor

from sdcore import latents
from sdcore.masking import Inpainting
from sdcore.plan import Pass
from sdcore.post.colour import corrected
from sdcore.soft import changed


def finished(p: Pass, x: Tensor, notes: list[str]) -> list[Image]:
    """The 'RGB' pictures of clean latents x (B, C, h, w); what is worth a note is added to those.

    Faces first, on what the model drew; then the colours; then it is laid into the original.
    """
    if p.window is None or x.shape[-1] <= p.window.width:
        pictures = latents.decode(p.checkpoint, x, notes=notes)
    else:
        closed = p.window.closed
        pictures = latents.decode_parts(p.checkpoint, x, closed=closed, notes=notes)
    return [_finished(p, one, picture, notes) for one, picture in zip(x, pictures, strict=True)]


def _finished(p: Pass, x: Tensor, picture: Image, notes: list[str]) -> Image:
    if p.restore is not None:
        restoration = p.restore(picture)
        picture = restoration.picture
        notes += [restoration.note] if restoration.note else []
    if p.start is not None and p.start.colour_correction:
        reference = p.start.image if p.inpainting is None else p.inpainting.reference
        picture = corrected(picture, reference)
    if p.inpainting is None:
        return picture
    return _laid(p, p.inpainting, x).finish(picture)


def _laid(p: Pass, inpainting: Inpainting, x: Tensor) -> Inpainting:
    """How the picture is laid in: by the mask, softly by what has changed under it."""
    mask = p.latent_mask
    if p.start is None or p.mask is None or p.mask.soft is None or mask is None:
        return inpainting
    (before,) = latents.encode(p.checkpoint, [p.start.image])
    new = changed(before, x, mask[0, 0], p.mask.soft)
    return inpainting.laid_by(fromarray((new * 255).round().astype(np.uint8)))
