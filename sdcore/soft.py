"""Soft inpainting: the edge of a mask gives way while the picture forms.

Grey in the mask is how free a place is. Early, at high noise, little of it counts and the known
picture sets the composition; the lower the noise, the more the drawn one may depart from it.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from sdcore.types import Denoiser, Soft


def softened(denoise: Denoiser, known: Tensor, mask: Tensor, soft: Soft) -> Denoiser:
    """A denoiser between what is known and what is drawn, by a mask that opens as sigma falls.

    Args:
        denoise: gives the estimate for the whole picture.
        known: clean latents (1 or B, C, h, w).
        mask: (1, 1, h, w), 0 held .. 1 free.
        soft: how fast it opens (the mask to the power of sigma ** schedule_bias * preservation).
    """

    def x0(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        power = float(sigma[0]) ** soft.schedule_bias * soft.preservation
        drawn = denoise(x, sigma, step)
        return blended(known, drawn, mask**power, contrast=soft.transition_contrast)

    return x0


def blended(a: Tensor, b: Tensor, share: Tensor, *, contrast: float) -> Tensor:
    """From a to b (B, C, h, w) by share (1, 1, h, w), with the length of the vectors kept up.

    The mean of two unlike latents is shorter than both, which shows as blur; so each vector over
    the channels is brought to a mean of their lengths, a power mean of exponent `contrast` >= 1,
    which leans to the longer one.
    """
    mean = torch.lerp(a, b, share)
    if contrast <= 0:
        return mean
    longer = a.norm(dim=1, keepdim=True) ** contrast
    longer = torch.lerp(longer, b.norm(dim=1, keepdim=True) ** contrast, share)
    length = mean.norm(dim=1, keepdim=True)
    scale = longer ** (1 / contrast) / length.clamp_min(1e-6)
    return torch.where((share > 0) & (share < 1), mean * scale, mean)


def changed(before: Tensor, after: Tensor, mask: Tensor, soft: Soft) -> np.ndarray:
    """Where the picture has changed, (h, w) float32, 0 kept .. 1 new: the mask to composite by.

    The distance of the latents, without single outliers (upper quantile in a small window, then
    the median), against a threshold that the mask may lower where it is white.

    Args:
        before, after: clean latents (C, h, w).
        mask: (h, w), 0 held .. 1 free.
    """
    distance = (after - before).norm(dim=0).float().cpu().numpy()
    distance = ndimage.percentile_filter(distance, 90, size=3, mode="nearest")
    distance = ndimage.median_filter(distance, size=3, mode="nearest")
    held = 1 - mask.clamp(0, 1).float().cpu().numpy() ** max(soft.preservation / 2, 1e-3)
    share = 0.5 * (1 - soft.mask_influence) + held * soft.mask_influence
    threshold = soft.difference_threshold * share / (1.00001 - share)
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.nan_to_num((distance / threshold) ** soft.difference_contrast, posinf=np.inf)
        kept = 1 / (1 + odds)
    new = 1 - kept
    smooth: np.ndarray = new**3 * (new * (6 * new - 15) + 10)  # flat at both ends
    return smooth.astype(np.float32)
