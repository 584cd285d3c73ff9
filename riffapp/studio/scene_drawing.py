"""A scene as a picture: sky, ground, what is far away, the things, and a style over all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from riffapp.studio.scene_things import COLOURS, SHAPES, Colour, Pen
from riffapp.studio.scenes import SLOTS, Scene

SIDE = 128
_FINE = 3  # drawn so much larger, then averaged
_PAPER: Colour = (250, 247, 238)
_INK: Colour = (84, 80, 88)
_HORIZON = 70.0
# Top and bottom of the sky.
_SKIES: dict[str, tuple[Colour, Colour]] = {
    "day": ((96, 172, 232), (206, 234, 248)),
    "dusk": ((112, 84, 150), (252, 164, 108)),
    "night": ((14, 18, 52), (48, 56, 112)),
}
# What the light leaves of the ground's red, green and blue.
_LIGHTS = {"day": (1.0, 1.0, 1.0), "dusk": (0.88, 0.7, 0.7), "night": (0.36, 0.42, 0.6)}
# Left and right of a lone pair; all three of three.
_CENTRES = {1: (36, 64, 92), 2: (34, 64, 94), 3: (23, 64, 105)}
_SIZES = {1: (54, 68), 2: (46, 54), 3: (34, 40)}


def picture(scene: Scene) -> NDArray[np.uint8]:
    """The scene as (128, 128, 3) sRGB."""
    rng = np.random.default_rng(scene.look)
    stage = _Stage(scene, rng)
    stage.background()
    stage.things()
    image = stage.image.resize((SIDE, SIDE), Image.Resampling.BOX)
    if scene.style == "pixel art":
        small = image.resize((SIDE // 4, SIDE // 4), Image.Resampling.BOX)
        small = small.quantize(24, method=Image.Quantize.MEDIANCUT).convert("RGB")
        image = small.resize((SIDE, SIDE), Image.Resampling.NEAREST)
    if scene.style == "watercolour":
        image = _wash(image, rng)
    return np.asarray(image, dtype=np.uint8)


def boxes(scene: Scene) -> list[tuple[float, float, float, float]]:
    """Where each thing stands at most, in pixels: left, top, right, bottom."""
    count = len(scene.things)
    if count == 0:
        return []
    half = _SIZES[count][1] / 2 + 4
    middles = [_CENTRES[count][SLOTS.index(thing.slot)] for thing in scene.things]
    return [(x - half, 105 - 2 * half + 8, x + half, 116) for x in middles]


class _Stage:
    """The large canvas on which one scene is drawn, in pixels of the small one."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self.scene, self.rng = scene, rng
        self.lined = scene.style == "line drawing"
        self.image = self._sky()
        self.canvas = ImageDraw.Draw(self.image)

    def _sky(self) -> Image.Image:
        side = SIDE * _FINE
        if self.lined:
            return Image.new("RGB", (side, side), _PAPER)
        top, bottom = (np.array(c, dtype=float) for c in _SKIES[self.scene.time])
        share = np.clip(np.arange(side) / (_HORIZON * _FINE), 0, 1)[:, None]
        rows = np.round(top + share * (bottom - top)).astype(np.uint8)
        return Image.fromarray(
            np.ascontiguousarray(np.broadcast_to(rows[:, None], (side, side, 3)))
        )

    def area(self, points: Sequence[tuple[float, float]], colour: Colour, lit: bool = True) -> None:
        """A shape of the background: its colour in this light, or its outline in a drawing."""
        at = [(x * _FINE, y * _FINE) for x, y in points]
        if self.lined:
            self.canvas.polygon(at, fill=_PAPER)
            self.canvas.line([*at, at[0]], fill=_INK, width=_FINE, joint="curve")
            return
        self.canvas.polygon(at, fill=self._lit(colour) if lit else colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """A shining disc."""
        turns = np.linspace(0, 2 * np.pi, 36, endpoint=False)
        points = [(x + radius * np.cos(t), y + radius * np.sin(t)) for t in turns]
        self.area([(float(a), float(b)) for a, b in points], colour, lit=False)

    def _lit(self, colour: Colour) -> Colour:
        r, g, b = (round(c * k) for c, k in zip(colour, _LIGHTS[self.scene.time], strict=True))
        return r, g, b

    def wave(
        self, y: float, height: float, period: float, colour: Colour, *, sharp: bool = False
    ) -> None:
        """Ground up to a wavy edge at y."""
        x = np.linspace(-4, SIDE + 4, 70)
        phase = self.rng.uniform(0, 2 * np.pi)
        rise = np.sin(2 * np.pi * x / period + phase)
        edge = y - height * (np.abs(rise) if sharp else rise)
        points = [(float(a), float(b)) for a, b in zip(x, edge, strict=True)]
        self.area([(-4, SIDE + 4), *points, (SIDE + 4, SIDE + 4)], colour)

    def background(self) -> None:
        """Sky, what is in it, and the place."""
        if self.scene.place != "room":
            self._in_the_sky()
        getattr(self, f"_{self.scene.place}")()

    def _in_the_sky(self) -> None:
        rng, time, extras = self.rng, self.scene.time, self.scene.extras
        if time == "night" and not self.lined:
            for x, y in rng.uniform((2, 2), (SIDE - 2, 50), (16, 2)):
                self.disc(float(x), float(y), 0.7, (235, 235, 250))
        side = float(rng.choice((18, 110)) + rng.uniform(-4, 4))
        if "sun" in extras:
            low = time == "dusk"
            self.disc(side, 34 if low else 16, 10, (255, 110, 60) if low else (255, 226, 70))
        if "moon" in extras:
            self.disc(side, 17, 10, (250, 246, 214))
            for x, y, radius in ((-3, -2, 2), (3, 3, 1.5), (3, -4, 1)):
                self.disc(side + x, 17 + y, radius, (222, 216, 184))
        if "clouds" in extras:
            colour: Colour = (255, 255, 255) if time == "day" else (255, 206, 190)
            for x in (128 - side, 64):
                x, y = x + float(rng.uniform(-6, 6)), float(rng.uniform(12, 24))
                self._cloud(x, y, colour)

    def _cloud(self, x: float, y: float, colour: Colour) -> None:
        for dx, dy, radius in ((-8, 1, 5), (8, 1, 5), (-1, -2, 7.5)):
            self.disc(x + dx, y + dy, radius, colour)
        self.area([(x - 9, y), (x + 9, y), (x + 9, y + 6), (x - 9, y + 6)], colour, lit=False)

    def _meadow(self) -> None:
        self.wave(_HORIZON - 2, 6, 90, (140, 196, 104))
        self.wave(_HORIZON + 8, 3, 130, (112, 180, 84))
        for x, y in self.rng.uniform((4, 90), (SIDE - 4, 124), (9, 2)):
            self.area([(x - 2, y), (x, y - 5), (x + 2, y)], (78, 146, 62))

    def _beach(self) -> None:
        self.area([(-4, 62), (132, 62), (132, 132), (-4, 132)], (64, 150, 196))
        self.wave(84, 3, 110, (244, 248, 250))
        self.wave(87, 3, 110, (240, 216, 158))

    def _sea(self) -> None:
        self.area([(-4, 62), (132, 62), (132, 132), (-4, 132)], (72, 156, 206))
        for i, y in enumerate((78, 96, 114)):
            self.wave(y, 4, 26, ((56, 138, 194), (42, 118, 180), (32, 100, 164))[i], sharp=True)

    def _desert(self) -> None:
        self.wave(_HORIZON - 2, 9, 110, (236, 190, 112))
        self.wave(_HORIZON + 12, 6, 140, (222, 166, 88))
        x = float(self.rng.choice((12, 116)))
        for dx, y, h in ((0, 84, 30), (-6, 72, 10), (6, 74, 12)):
            left, right = x + dx - 2, x + dx + 2
            self.area([(left, y), (right, y), (right, y - h), (left, y - h)], (86, 140, 84))

    def _forest(self) -> None:
        for row, (y, colour) in enumerate(((78, (38, 92, 66)), (84, (30, 74, 52)))):
            first = -6 + 8 * row + float(self.rng.uniform(-2, 2))
            for x in (first + 16 * k for k in range(9)):
                top = y - float(self.rng.uniform(42, 56)) + 10 * row
                self.area([(x - 10, y), (x, top), (x + 10, y)], colour)
        self.area([(-4, 80), (132, 80), (132, 132), (-4, 132)], (88, 116, 62))

    def _snow(self) -> None:
        peak = float(self.rng.uniform(30, 98))
        self.area([(peak - 44, 76), (peak, 36), (peak + 44, 76)], (156, 172, 196))
        self.area([(peak - 13, 48), (peak, 36), (peak + 13, 48)], (250, 252, 255))
        self.wave(_HORIZON + 2, 4, 120, (238, 243, 250))
        self.wave(_HORIZON + 16, 3, 150, (224, 233, 245))

    def _street(self) -> None:
        x = -6.0
        while x < SIDE:
            wide, top = float(self.rng.uniform(20, 30)), float(self.rng.uniform(30, 50))
            grey = int(self.rng.integers(140, 180))
            self.area([(x, 80), (x, top), (x + wide, top), (x + wide, 80)], (grey, grey, grey + 8))
            for wx in (x + 5, x + wide - 9):
                for wy in (top + 6, top + 18):
                    panes = [(wx, wy), (wx + 4, wy), (wx + 4, wy + 6), (wx, wy + 6)]
                    night = self.scene.time == "night"
                    self.area(panes, (250, 220, 120) if night else (216, 224, 232), lit=not night)
            x += wide
        self.area([(-4, 78), (132, 78), (132, 86), (-4, 86)], (190, 188, 186))
        self.area([(-4, 86), (132, 86), (132, 132), (-4, 132)], (96, 96, 104))
        for dash in range(4, SIDE, 26):
            end = dash + 13
            self.area([(dash, 114), (end, 114), (end, 117), (dash, 117)], (236, 232, 214))

    def _room(self) -> None:
        self.area([(-4, -4), (132, -4), (132, 82), (-4, 82)], (236, 214, 190))
        x = 28.0 if self.rng.random() < 0.5 else 82.0
        sky = _SKIES[self.scene.time][1 if self.scene.time == "dusk" else 0]
        self.area([(x - 2, 8), (x + 24, 8), (x + 24, 42), (x - 2, 42)], (250, 250, 250))
        self.area([(x, 10), (x + 22, 10), (x + 22, 40), (x, 40)], sky, lit=False)
        self.area([(x + 10, 10), (x + 12, 10), (x + 12, 40), (x + 10, 40)], (250, 250, 250))
        self.area([(-4, 82), (132, 82), (132, 132), (-4, 132)], (176, 128, 88))
        for y in (94, 110):
            self.area([(-4, y), (132, y), (132, y + 1.2), (-4, y + 1.2)], (146, 102, 68))

    def things(self) -> None:
        """The things, on the ground, each with its own size."""
        count = len(self.scene.things)
        for thing in self.scene.things:
            size = self.rng.uniform(*_SIZES[count])
            x = _CENTRES[count][SLOTS.index(thing.slot)]
            y = 110 + self.rng.uniform(-5, 5)
            colour = COLOURS[thing.colour]
            darker = 0.45 if thing.colour == "white" else 0.35
            ink: Colour = (30, 30, 36) if self.lined else _mixed(colour, (20, 16, 30), 1 - darker)
            pen = Pen(
                canvas=self.canvas,
                x=(x + self.rng.uniform(-4, 4)) * _FINE,
                y=y * _FINE,
                size=size * _FINE,
                fill=colour,
                ink=ink,
                line=4,
            )
            SHAPES[thing.name](pen)


def _mixed(a: Colour, b: Colour, share: float) -> Colour:
    """`a` with a share of `b` in it."""
    first, second, third = (round(x + share * (y - x)) for x, y in zip(a, b, strict=True))
    return first, second, third


def _wash(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Watercolour: edges that run, pigment that lies unevenly, paper that shines through."""

    def field(cells: int) -> NDArray[np.float64]:
        coarse = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
        return np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float64)

    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    rows = np.clip(np.round(rows + 0.9 * field(16)), 0, SIDE - 1).astype(int)
    columns = np.clip(np.round(columns + 0.9 * field(16)), 0, SIDE - 1).astype(int)
    x = np.asarray(image.filter(ImageFilter.GaussianBlur(0.6)), dtype=np.float64)[rows, columns]
    thin = np.clip(0.22 + 0.09 * field(8), 0, 0.45)[..., None]
    x = x + thin * (np.array(_PAPER) - x)
    return Image.fromarray(np.clip(np.round(x), 0, 255).astype(np.uint8))
