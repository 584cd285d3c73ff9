"""The embedded image checkpoint: what it draws, read from its pictures by the judge.

A short twin of `riffapp evaluate --checkpoint pictures`, on words that it is surest of.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from riffapp.settings import Settings
from riffapp.studio import checkpoints, model_cards
from riffapp.studio.checkpoints import EMBEDDED, PICTURE_FILE
from riffapp.studio.evaluate_picture_tools import Watched, asked
from riffapp.studio.picture_judge import PICTURE_JUDGE_FILE, PictureJudge
from riffapp.studio.train_pictures import picture_facts
from sdcore.models.load import load

PROMPTS = {
    "a red car on a beach by day": ("car", "red", "beach"),
    "a blue house in a meadow by day": ("house", "blue", "meadow"),
    "a yellow boat at sea by day": ("boat", "yellow", "sea"),
    "a green tree in the snow by day": ("tree", "green", "snow"),
    "a pink flower in a forest by day": ("flower", "pink", "forest"),
    "a purple ball in a room by day": ("ball", "purple", "room"),
}


@pytest.fixture(scope="module")
def watched() -> Watched:
    return Watched(
        checkpoint=load(EMBEDDED / "pictures", device="cpu"),
        judge=PictureJudge.load(EMBEDDED / PICTURE_JUDGE_FILE),
    )


def test_it_draws_the_thing_in_its_colour_at_its_place(watched: Watched) -> None:
    seen = {text: watched.see(asked(text, seed=i)) for i, text in enumerate(PROMPTS)}
    there = [
        (thing, colour) in {(one.name, one.colour) for one in seen[text].things}
        for text, (thing, colour, _) in PROMPTS.items()
    ]
    assert sum(there) >= 5
    assert all(seen[text].place == place for text, (_, _, place) in PROMPTS.items())


def test_it_is_small_and_whole_and_its_facts_are_what_the_recipe_writes() -> None:
    folder = EMBEDDED / "pictures"
    weights = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    assert 1e6 < weights <= 40e6
    written = json.loads((folder / PICTURE_FILE).read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(picture_facts()))
    card = (folder / "README.md").read_text(encoding="utf-8")
    for heading in ("Data", "Recipe", "Measured", "Limits"):
        assert f"## {heading}" in card
    assert model_cards.licence(folder, {}) == "GPL-3.0-or-later"


def test_all_embedded_weights_together_are_small() -> None:
    assert sum(file.stat().st_size for file in EMBEDDED.rglob("*.safetensors")) <= 120e6


def test_it_is_what_pictures_are_made_with_and_what_it_likes_is_asked_of_it(
    tmp_path: Path, riffapp: Callable[..., Any]
) -> None:
    assert Settings(home=tmp_path).image_checkpoint == "pictures"
    assert checkpoints.liked("pictures")["width"] == 128
    assert "car" in checkpoints.taught("pictures")["things"]
    done = riffapp("txt2img", "a red car", "--seed", 3, "--steps", 2, "-o", tmp_path / "a.png")
    assert done.code == 0, done.err
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (128, 128)
        assert "CFG scale: 4" in picture.info["parameters"]
        assert np.asarray(picture.convert("L")).std() > 1
