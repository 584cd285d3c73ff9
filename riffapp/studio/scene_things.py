"""The things that stand in scenes: shapes in a unit square, drawn in any colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL.ImageDraw import ImageDraw

Colour = tuple[int, int, int]
COLOURS: dict[str, Colour] = {
    "red": (214, 40, 44),
    "orange": (243, 138, 24),
    "yellow": (250, 214, 46),
    "green": (44, 160, 68),
    "blue": (44, 98, 216),
    "purple": (132, 66, 186),
    "pink": (248, 138, 184),
    "white": (246, 246, 246),
    "black": (38, 38, 46),
}
_PALE: Colour = (222, 236, 246)
_DARK: Colour = (52, 48, 54)
_WOOD: Colour = (128, 86, 52)
_STEM: Colour = (58, 128, 62)
_CREAM: Colour = (246, 232, 206)


@dataclass(frozen=True, kw_only=True)
class Pen:
    """Draws in a unit square that stands on (x, y) pixels: x from -0.5 to 0.5, y up from 0 to 1."""

    canvas: ImageDraw
    x: float
    y: float
    size: float
    fill: Colour
    # Outlines: their colour, and width in pixels.
    ink: Colour
    line: int

    def polygon(self, points: Sequence[tuple[float, float]], fill: Colour | None = None) -> None:
        """A closed shape."""
        at = [(self.x + self.size * x, self.y - self.size * y) for x, y in points]
        self.canvas.polygon(at, fill=fill or self.fill)
        self.canvas.line([*at, at[0], at[1]], fill=self.ink, width=self.line, joint="curve")

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Colour | None = None) -> None:
        """An ellipse around (x, y)."""
        turns = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        self.polygon([(x + rx * np.cos(t), y + ry * np.sin(t)) for t in turns], fill)

    def shade(self, share: float) -> Colour:
        """The fill, darker (negative) or lighter."""
        end = 255 if share > 0 else 0
        r, g, b = (round(c + abs(share) * (end - c)) for c in self.fill)
        return r, g, b


def _ball(pen: Pen) -> None:
    pen.ellipse(0, 0.44, 0.44, 0.44)
    bright = Pen(**{**vars(pen), "ink": pen.shade(0.6)})
    bright.ellipse(-0.15, 0.6, 0.09, 0.09, pen.shade(0.6))


def _box(pen: Pen) -> None:
    pen.polygon([(-0.45, 0), (0.22, 0), (0.22, 0.62), (-0.45, 0.62)])
    pen.polygon([(-0.45, 0.62), (0.22, 0.62), (0.45, 0.82), (-0.2, 0.82)], pen.shade(0.35))
    pen.polygon([(0.22, 0), (0.45, 0.2), (0.45, 0.82), (0.22, 0.62)], pen.shade(-0.3))


def _cone(pen: Pen) -> None:
    pen.ellipse(0, 0.12, 0.38, 0.12, pen.shade(-0.25))
    pen.polygon([(-0.38, 0.12), (-0.2, 0.03), (0, 0), (0.2, 0.03), (0.38, 0.12), (0, 1)])


def _star(pen: Pen) -> None:
    angles = np.pi / 2 + np.arange(10) * np.pi / 5
    radii = np.where(np.arange(10) % 2 == 0, 0.52, 0.22)
    points = zip(radii * np.cos(angles), 0.46 + radii * np.sin(angles), strict=True)
    pen.polygon([(float(x), float(y)) for x, y in points])


def _heart(pen: Pen) -> None:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = 16 * np.sin(t) ** 3 / 36
    y = (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 36 + 0.47
    pen.polygon([(float(a), float(b)) for a, b in zip(x, y, strict=True)])


def _house(pen: Pen) -> None:
    pen.polygon([(-0.38, 0), (0.38, 0), (0.38, 0.52), (-0.38, 0.52)])
    pen.polygon([(-0.5, 0.5), (0.5, 0.5), (0, 0.98)], pen.shade(-0.35))
    pen.polygon([(-0.24, 0), (-0.04, 0), (-0.04, 0.32), (-0.24, 0.32)], _WOOD)
    pen.polygon([(0.08, 0.2), (0.28, 0.2), (0.28, 0.4), (0.08, 0.4)], _PALE)


def _tree(pen: Pen) -> None:
    pen.polygon([(-0.08, 0), (0.08, 0), (0.06, 0.5), (-0.06, 0.5)], _WOOD)
    for x, y, r in ((-0.2, 0.5, 0.22), (0.2, 0.5, 0.22), (0, 0.72, 0.28)):
        pen.ellipse(x, y, r, r)
    plain = Pen(**{**vars(pen), "ink": pen.fill})
    plain.ellipse(0, 0.56, 0.2, 0.16)


def _car(pen: Pen) -> None:
    pen.polygon([(-0.28, 0.38), (-0.16, 0.64), (0.16, 0.64), (0.3, 0.38)])
    pen.polygon([(-0.19, 0.4), (-0.11, 0.57), (-0.01, 0.57), (-0.01, 0.4)], _PALE)
    pen.polygon([(0.05, 0.4), (0.05, 0.57), (0.12, 0.57), (0.2, 0.4)], _PALE)
    pen.polygon([(-0.5, 0.12), (0.5, 0.12), (0.5, 0.32), (0.3, 0.4), (-0.46, 0.4)])
    for x in (-0.28, 0.28):
        pen.ellipse(x, 0.12, 0.12, 0.12, _DARK)
        pen.ellipse(x, 0.12, 0.04, 0.04, _PALE)


def _boat(pen: Pen) -> None:
    pen.polygon([(-0.03, 0.25), (0.03, 0.25), (0.02, 1), (-0.02, 1)], _WOOD)
    pen.polygon([(0.05, 0.34), (0.4, 0.34), (0.05, 0.96)], _CREAM)
    pen.polygon([(-0.05, 0.34), (-0.3, 0.34), (-0.05, 0.84)], _CREAM)
    pen.polygon([(-0.5, 0.3), (0.5, 0.3), (0.32, 0), (-0.34, 0)])


def _fish(pen: Pen) -> None:
    pen.polygon([(0.2, 0.42), (0.5, 0.68), (0.5, 0.16)], pen.shade(-0.25))
    pen.polygon([(-0.08, 0.6), (0.1, 0.84), (0.18, 0.56)], pen.shade(-0.25))
    pen.ellipse(-0.1, 0.42, 0.38, 0.25)
    pen.ellipse(-0.3, 0.48, 0.06, 0.06, (255, 255, 255))
    pen.ellipse(-0.31, 0.48, 0.02, 0.02, _DARK)


def _flower(pen: Pen) -> None:
    pen.polygon([(-0.03, 0), (0.03, 0), (0.03, 0.5), (-0.03, 0.5)], _STEM)
    pen.polygon([(0, 0.08), (0.26, 0.3), (0.08, 0.3)], _STEM)
    for k in range(6):
        turn = k * np.pi / 3 + 0.3
        pen.ellipse(0.24 * np.cos(turn), 0.66 + 0.24 * np.sin(turn), 0.15, 0.15)
    pen.ellipse(0, 0.66, 0.13, 0.13, (122, 74, 34))


def _mushroom(pen: Pen) -> None:
    pen.polygon([(-0.15, 0), (0.15, 0), (0.11, 0.45), (-0.11, 0.45)], _CREAM)
    t = np.linspace(0, np.pi, 24)
    pen.polygon([(0.48 * float(np.cos(a)), 0.4 + 0.48 * float(np.sin(a))) for a in t])
    for x, y, r in ((-0.22, 0.55, 0.07), (0.04, 0.7, 0.08), (0.27, 0.53, 0.06)):
        pen.ellipse(x, y, r, r, _CREAM)


def _cup(pen: Pen) -> None:
    pen.ellipse(0.32, 0.4, 0.18, 0.2, pen.shade(-0.2))
    pen.ellipse(0.32, 0.4, 0.09, 0.11, _PALE)
    pen.polygon([(-0.42, 0.74), (0.3, 0.74), (0.2, 0), (-0.32, 0)])
    pen.ellipse(-0.06, 0.74, 0.36, 0.1, pen.shade(-0.4))


SHAPES: dict[str, Callable[[Pen], None]] = {
    "ball": _ball,
    "box": _box,
    "cone": _cone,
    "star": _star,
    "heart": _heart,
    "house": _house,
    "tree": _tree,
    "car": _car,
    "boat": _boat,
    "fish": _fish,
    "flower": _flower,
    "mushroom": _mushroom,
    "cup": _cup,
}
