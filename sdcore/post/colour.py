"""The colours of one picture given to another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Share of red, green and blue in what a blend calls luminosity (W3C Compositing, section 10.3).
LUMA = np.array([0.3, 0.59, 0.11])

Floats = NDArray[np.float64]


def corrected(picture: Image.Image, reference: Image.Image) -> Image.Image:
    """The picture, 'RGB', in the reference's colours and of its own luminosity.

    Each channel of CIELAB gets the reference's histogram; of that the colour is kept, and laid
    under the picture's luminosity. The pictures may differ in size.
    """
    from skimage.color import lab2rgb, rgb2lab

    own = np.asarray(picture.convert("RGB"), np.float64) / 255
    wanted = np.asarray(reference.convert("RGB"), np.float64) / 255
    matched = histogram_matched(rgb2lab(own), rgb2lab(wanted))
    blended = with_luminosity(lab2rgb(_shown(matched)), own @ LUMA)
    return Image.fromarray(np.rint(blended * 255).clip(0, 255).astype(np.uint8))


def histogram_matched(values: Floats, reference: Floats) -> Floats:
    """Values (..., channels), each channel given the histogram of the reference's (..., channels).

    The one of a rank gets what has the same rank there.
    """
    from skimage.exposure import match_histograms

    channels = values.shape[-1]
    matched: Floats = match_histograms(
        values.reshape(-1, channels), reference.reshape(-1, channels), channel_axis=1
    )
    return matched.reshape(values.shape)


def _shown(lab: Floats) -> Floats:
    """The nearest colours of which scikit-image can make RGB: b is cut where Z would be negative.

    Z = ((L + 16) / 116 - b / 200)^3 in the definition of CIELAB.
    """
    limited = lab.copy()
    most = (lab[..., 0] + 16) / 116 * 200
    limited[..., 2] = np.minimum(lab[..., 2], most - 1e-6)  # a hair less: rounding must not pass it
    return limited


def with_luminosity(colours: Floats, luminosity: Floats) -> Floats:
    """Colours (h, w, 3) in 0 .. 1 moved to a luminosity (h, w), what leaves 0 .. 1 made greyer.

    Source: W3C Compositing and Blending Level 1, section 10.3, SetLum and ClipColor.
    """
    target = luminosity[..., None]
    moved = colours + (target - (colours @ LUMA)[..., None])
    low, high = moved.min(axis=2, keepdims=True), moved.max(axis=2, keepdims=True)
    chroma = moved - target
    with np.errstate(divide="ignore", invalid="ignore"):
        from_below = np.where(low < 0, target / (target - low), 1.0)
        from_above = np.where(high > 1, (1 - target) / (high - target), 1.0)
    kept: Floats = target + chroma * np.minimum(from_below, from_above)
    return kept
