"""Scenes that are drawn by rule, 128 x 128 pixels, and the captions that name what is in them.

What `riffapp train embedded-pictures` learns from. Scene i of a set depends on (seed, i) alone. Of
all combinations of a thing, its colour and a place, one in ten is kept from training, and of all
captions one in twenty, so that prompts can be asked that training never saw.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from riffapp.studio.scene_things import COLOURS, SHAPES

THINGS = tuple(SHAPES)
PLURALS = {thing: f"{thing}s" for thing in THINGS} | {"box": "boxes", "fish": "fish"}
# How each place is said after what is in it, and alone.
PLACES = {
    "meadow": ("in a meadow", "on a meadow"),
    "beach": ("on a beach", "at the beach"),
    "sea": ("at sea", "on the sea"),
    "desert": ("in a desert", "in the desert"),
    "forest": ("in a forest", "in the forest"),
    "snow": ("in the snow", "on snow"),
    "street": ("on a street", "in the street"),
    "room": ("in a room", "inside a room"),
}
TIMES = {"day": ("by day", "in daylight"), "dusk": ("at dusk", "at sunset"), "night": ("at night",)}
STYLES = {
    "flat": ("flat colours", "flat"),
    "line drawing": ("line drawing", "ink drawing"),
    "pixel art": ("pixel art",),
    "watercolour": ("watercolour", "watercolor"),
}
SLOTS = ("left", "centre", "right")
EXTRAS = ("sun", "clouds", "moon")
_EXTRA_WORDS = {"sun": ("sun", "a sun"), "clouds": ("clouds",), "moon": ("moon", "a moon")}
_MIDDLE = ("in the middle", "in the centre")
_NUMBERS = {2: "two", 3: "three"}

_STYLE_SHARES = (0.61, 0.13, 0.13, 0.13)
_TIME_SHARES = (0.5, 0.25, 0.25)
_COUNT_SHARES = (0.05, 0.47, 0.34, 0.14)
_EXTRA_SHARE = 0.7
_PARTIAL = 0.2
_VAGUE = 0.07


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One thing that stands in a scene."""

    name: str
    colour: str
    slot: str


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is in a picture; things from left to right, extras in the sky."""

    things: tuple[Thing, ...]
    place: str
    time: str
    style: str
    extras: tuple[str, ...]
    # Of all that has no word: sizes, hills, waves.
    look: int


def scene_number(index: int, *, seed: int) -> Scene:
    """Scene `index` of the training set with this seed; none has a held-out combination."""
    rng = np.random.default_rng((seed, index))
    while has_held_out(scene := draw(rng)):
        pass
    return scene


def draw(rng: np.random.Generator) -> Scene:
    """Any scene, held-out combinations among them."""
    place, time = _one(rng, tuple(PLACES)), _one(rng, tuple(TIMES), _TIME_SHARES)
    count = int(rng.choice(4, p=_COUNT_SHARES))
    if count == 1:
        slots: tuple[str, ...] = (_one(rng, SLOTS, (0.25, 0.5, 0.25)),)
    else:
        slots = ((), (), ("left", "right"), SLOTS)[count]
    same = rng.random() < (0.0, 0.0, 0.25, 0.6)[count]
    first = _one(rng, THINGS), _one(rng, tuple(COLOURS))
    kinds = [first if same else (_one(rng, THINGS), _one(rng, tuple(COLOURS))) for _ in slots]
    possible = () if place == "room" else ("moon",) if time == "night" else ("sun", "clouds")
    return Scene(
        things=tuple(
            Thing(name=name, colour=colour, slot=slot)
            for (name, colour), slot in zip(kinds, slots, strict=True)
        ),
        place=place,
        time=time,
        style=_one(rng, tuple(STYLES), _STYLE_SHARES),
        extras=tuple(extra for extra in possible if rng.random() < _EXTRA_SHARE),
        look=int(rng.integers(2**31)),
    )


def held_out(thing: Thing, place: str) -> bool:
    """Whether this thing in this colour at this place is kept from training."""
    return zlib.crc32(f"{thing.colour} {thing.name} {place}".encode()) % 10 == 0


def has_held_out(scene: Scene) -> bool:
    """Whether some thing of the scene is kept from training where it is."""
    return any(held_out(thing, scene.place) for thing in scene.things)


def held_out_caption(text: str) -> bool:
    """Whether a caption is kept from training."""
    return zlib.crc32(text.encode()) % 20 == 0


def training_caption(scene: Scene, rng: np.random.Generator) -> str:
    """A phrasing of the scene that is not held out."""
    while held_out_caption(text := caption(scene, rng)):
        pass
    return text


def unseen_caption(scene: Scene, rng: np.random.Generator) -> str | None:
    """A phrasing that is held out and names all things, colours and the place, or None."""
    texts = (caption(scene, rng, explicit=True) for _ in range(400))
    return next((text for text in texts if held_out_caption(text)), None)


def caption(scene: Scene, rng: np.random.Generator, *, explicit: bool = False) -> str:
    """One of many phrasings; a part of what is there may go unsaid, nothing is said that is not.

    Of two or three things one may be named alone, then always with its side: so "a red ball on the
    left" is not a picture of nothing else, and two such prompts can be joined. With `explicit` all
    things, their colours and the place are said.
    """
    things, loose = scene.things, 0.0 if explicit else 1.0
    partial = len(things) > 1 and rng.random() < _PARTIAL * loose
    if partial:
        things = (things[int(rng.integers(len(things)))],)
    said = _things(things, rng, sides=True if partial else None, vague=_VAGUE * loose)
    if not said:
        said = _one(rng, ("an empty {}", "a {}", "{}")).format(scene.place)
        place = ""
    else:
        place = "" if rng.random() < 0.15 * loose else _one(rng, PLACES[scene.place])
    if place and rng.random() < 0.25:
        place = ", " + _one(rng, (scene.place, f"a {scene.place}"))
        text = said + place if rng.random() < 0.5 else f"{place[2:]}, {said}"
    else:
        text = f"{said} {place}".rstrip()
    return _around(text, scene, rng)


def _around(text: str, scene: Scene, rng: np.random.Generator) -> str:
    """The text with time, sky and style."""
    if rng.random() < (0.3 if scene.time == "day" else 0.8):
        words = _one(rng, TIMES[scene.time])
        text += f", {scene.time}" if rng.random() < 0.3 else f" {words}"
    for extra in scene.extras:
        if rng.random() < 0.4:
            words = _one(rng, _EXTRA_WORDS[extra])
            text += f", {words}" if rng.random() < 0.6 else f" with {words}"
    if rng.random() < (0.15 if scene.style == "flat" else 0.85):
        words = _one(rng, STYLES[scene.style])
        leads = scene.style != "flat" and rng.random() < 0.2
        text = f"{words} of {text}" if leads else f"{text}, {words}"
    return text


def _things(
    things: tuple[Thing, ...], rng: np.random.Generator, *, sides: bool | None, vague: float
) -> str:
    """The things in words, each with its side or none with it (None leaves it to chance)."""
    if not things:
        return ""
    first, count = things[0], len(things)
    if count > 1 and all((t.name, t.colour) == (first.name, first.colour) for t in things):
        return f"{_NUMBERS[count]} {_named(first, rng, vague, plural=True)}"
    if sides is None:
        sides = rng.random() < (0.5 if count < 3 else 0.3)
    order = list(things) if sides else [things[i] for i in rng.permutation(count)]
    named = []
    for thing in order:
        noun = _named(thing, rng, vague)
        text = f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
        if sides:
            side = _one(rng, _MIDDLE) if thing.slot == "centre" else f"on the {thing.slot}"
            text += f" {side}"
        named.append(text)
    if count == 1:
        return named[0]
    if rng.random() < 0.3:
        return ", ".join(named)
    return ", ".join(named[:-1]) + f" and {named[-1]}"


def _named(thing: Thing, rng: np.random.Generator, vague: float, *, plural: bool = False) -> str:
    """ "red ball", or in a share of `vague` each "ball" and "red thing"."""
    chance = float(rng.random())
    if chance < vague:
        return f"{thing.colour} {'things' if plural else 'thing'}"
    noun = PLURALS[thing.name] if plural else thing.name
    return noun if chance < 2 * vague else f"{thing.colour} {noun}"


def _one(
    rng: np.random.Generator, values: tuple[str, ...], shares: tuple[float, ...] | None = None
) -> str:
    if shares is None:
        return values[int(rng.integers(len(values)))]
    return values[int(rng.choice(len(values), p=shares))]
