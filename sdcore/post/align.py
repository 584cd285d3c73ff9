"""A face turned upright into a square picture of its own, and laid back where it came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Where FFHQ's alignment puts a face's five points in a square of 512 pixels, measured from its
# corner: left eye, right eye, tip of the nose, left and right corner of the mouth, as one sees it.
SIDE = 512
TEMPLATE = (
    (192.98138, 239.94708),
    (318.90277, 240.19360),
    (256.63416, 314.01935),
    (201.26117, 371.41043),
    (313.08905, 371.15118),
)
# Share of the square at each edge over which a face laid back goes over into the picture.
FEATHER = 0.12
# Pixels around a face that its resampling may look at.
BORDER = 4

Floats = NDArray[np.float64]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """A turn, a scale and a move of the plane, in complex numbers: z -> factor * z + shift."""

    factor: complex
    shift: complex

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point goes."""
        z = self.factor * complex(x, y) + self.shift
        return z.real, z.imag

    @property
    def inverse(self) -> Similarity:
        """The way back."""
        return Similarity(factor=1 / self.factor, shift=-self.shift / self.factor)

    @property
    def rows(self) -> tuple[float, float, float, float, float, float]:
        """As PIL wants the way from places in the result to places in the source."""
        a, b = self.factor.real, self.factor.imag
        return a, -b, self.shift.real, b, a, self.shift.imag


def similarity(points: Points, onto: Points = TEMPLATE) -> Similarity:
    """The one that brings points nearest to others, by least squares.

    With z and w less their means, factor = sum conj(z) w / sum |z|^2.
    """
    z, w = (np.array([complex(x, y) for x, y in ps]) for ps in (points, onto))
    centred = z - z.mean()
    factor = complex(np.vdot(centred, w - w.mean()) / np.vdot(centred, centred).real)
    return Similarity(factor=factor, shift=complex(w.mean() - factor * z.mean()))


def aligned(picture: Image.Image, to_square: Similarity) -> Image.Image:
    """The face, upright, 'RGB', 512 x 512 pixels; what lies outside of the picture is mid grey.

    A face that is larger is averaged down first, so that it does not alias.
    """
    shrink = max(1, int(1 / abs(to_square.factor)))
    smaller = picture.reduce(shrink) if shrink > 1 else picture
    back = to_square.inverse
    scaled = Similarity(factor=back.factor / shrink, shift=back.shift / shrink)
    return smaller.transform(
        (SIDE, SIDE),
        Image.Transform.AFFINE,
        scaled.rows,
        resample=Image.Resampling.BICUBIC,
        fillcolor=(128, 128, 128),
    )


def laid_back(
    picture: Image.Image, face: Image.Image, to_square: Similarity, *, visibility: float = 1.0
) -> Image.Image:
    """The picture with the 512 x 512 `face` back in its place, feathered at its edges.

    Outside of the face's square every pixel stays as it is, bit for bit.
    """
    corners = [to_square.inverse.at(x, y) for x in (0, SIDE) for y in (0, SIDE)]
    xs, ys = ([corner[axis] for corner in corners] for axis in (0, 1))
    x0, y0 = (max(0, int(min(side)) - BORDER) for side in (xs, ys))
    x1 = min(picture.width, int(max(xs)) + BORDER)
    y1 = min(picture.height, int(max(ys)) + BORDER)
    if x1 <= x0 or y1 <= y0:
        return picture
    moved = Similarity(
        factor=to_square.factor,
        shift=to_square.shift + to_square.factor * complex(x0, y0),
    )
    size = (x1 - x0, y1 - y0)
    warped = face.transform(
        size, Image.Transform.AFFINE, moved.rows, resample=Image.Resampling.BICUBIC
    )
    share = _feather(moved, size)[..., None] * visibility
    below = np.asarray(picture.crop((x0, y0, x1, y1)), np.float64)
    mixed = np.rint(below + (np.asarray(warped, np.float64) - below) * share)
    result = picture.copy()
    result.paste(Image.fromarray(mixed.clip(0, 255).astype(np.uint8)), (x0, y0))
    return result


def _feather(to_square: Similarity, size: tuple[int, int]) -> Floats:
    """The face's share of each pixel of a picture of `size`, by its distance to the square's edge.

    0 at the edge, and outside, 1 from FEATHER of the side on, flat at both ends.
    """
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    z = to_square.factor * (x + 1j * y) + to_square.shift
    inside = np.minimum.reduce([z.real, z.imag, SIDE - z.real, SIDE - z.imag])
    t = (inside / (FEATHER * SIDE)).clip(0, 1)
    share: Floats = t * t * (3 - 2 * t)
    return share
