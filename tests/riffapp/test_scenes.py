"""Drawn scenes: the same for a seed, named by their captions, and some kept from training."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from riffapp.studio import scenes
from riffapp.studio.scene_drawing import SIDE, picture
from riffapp.studio.scene_things import COLOURS
from riffapp.studio.scenes import PLURALS, THINGS, Scene, Thing

SEED = 1


def many(count: int = 2000) -> list[Scene]:
    return [scenes.scene_number(i, seed=SEED) for i in range(count)]


def lone(name: str, colour: str, **rest: object) -> Scene:
    plain = Scene(
        things=(Thing(name=name, colour=colour, slot="centre"),),
        place="meadow",
        time="day",
        style="flat",
        extras=(),
        look=3,
    )
    return replace(plain, **rest)


def test_a_scene_is_the_same_for_its_seed_and_number() -> None:
    assert many(20) == many(20)
    first, again = (scenes.scene_number(5, seed=SEED) for _ in range(2))
    assert np.array_equal(picture(first), picture(again))
    assert first != scenes.scene_number(5, seed=SEED + 1)


@pytest.mark.parametrize("style", scenes.STYLES)
def test_every_style_is_drawn_in_rgb_of_one_size(style: str) -> None:
    drawn = picture(lone("boat", "red", style=style))
    assert drawn.shape == (SIDE, SIDE, 3) and drawn.dtype == np.uint8


@pytest.mark.parametrize("name", THINGS)
def test_a_thing_shows_its_colour_where_it_stands(name: str) -> None:
    """In purple, of which the meadow has nothing: its pixels lie around the middle."""
    drawn = picture(lone(name, "purple")).astype(int)
    near = np.abs(drawn - np.array(COLOURS["purple"])).max(axis=-1) < 12
    assert near.sum() > 150
    rows, columns = np.nonzero(near)
    assert abs(columns.mean() - SIDE / 2) < 14
    assert rows.mean() > SIDE / 2


def test_no_training_scene_has_a_held_out_combination() -> None:
    assert not any(scenes.has_held_out(scene) for scene in many())
    total = [
        scenes.held_out(Thing(name=name, colour=colour, slot="left"), place)
        for name in THINGS
        for colour in COLOURS
        for place in scenes.PLACES
    ]
    assert 0.07 < np.mean(total) < 0.13


def test_no_training_caption_is_held_out_and_an_unseen_one_is() -> None:
    rng = np.random.default_rng(0)
    for scene in many(300):
        assert not scenes.held_out_caption(scenes.training_caption(scene, rng))
        unseen = scenes.unseen_caption(scene, rng)
        assert unseen is None or scenes.held_out_caption(unseen)


def _named(text: str) -> Counter[str]:
    """How often each thing is named, plurals by their number."""
    found: Counter[str] = Counter()
    for name in THINGS:
        single, plural = re.escape(name), re.escape(PLURALS[name])
        for number, count in (("two", 2), ("three", 3)):
            found[name] += count * len(re.findall(rf"\b{number} (?:\w+ )?{plural}\b", text))
        found[name] += len(re.findall(rf"\ban? (?:\w+ )?{single}\b", text))
    return +found


def test_captions_say_nothing_that_is_not_there() -> None:
    rng = np.random.default_rng(1)
    for scene in many():
        text = scenes.caption(scene, rng)
        names = Counter(thing.name for thing in scene.things)
        assert _named(text) <= names, text
        words = set(re.findall(r"[a-z]+", text))
        colours = {thing.colour for thing in scene.things}
        assert words & set(COLOURS) <= colours, text
        assert words & set(scenes.PLACES) <= {scene.place}, text
        assert words & set(scenes.EXTRAS) <= set(scene.extras), text
        assert words & {"dusk", "night"} <= {scene.time}, text


def test_explicit_captions_name_all_that_stands_there() -> None:
    rng = np.random.default_rng(2)
    for scene in many(1000):
        text = scenes.caption(scene, rng, explicit=True)
        assert _named(text) == Counter(thing.name for thing in scene.things), text
        assert all(thing.colour in text for thing in scene.things)
        assert scene.place in text


def test_a_thing_named_alone_among_others_has_its_side() -> None:
    rng = np.random.default_rng(3)
    sides = {"left": "on the left", "right": "on the right"}
    seen = 0
    for scene in (s for s in many(3000) if len(s.things) == 2):
        text = scenes.caption(scene, rng)
        if sum(_named(text).values()) + len(re.findall(r"things?\b", text)) == 1 and (
            "things" not in text
        ):
            seen += 1
            assert any(words in text for words in sides.values())
    assert seen > 50
