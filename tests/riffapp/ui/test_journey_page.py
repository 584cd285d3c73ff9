"""The room of journeys in Streamlit's test bench, on random weights: each way reaches the request,
refusals are sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from audio import files as sounds
from riffapp.database import Database
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.store import Store
from riffapp.jobs.tasks.journey import Passage, Piece
from riffapp.studio import files
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import Journey, LoopRequest, Mark, Variant
from riffapp.ui.rooms.journey import ENDS, JOURNEY, LOOP, OVER, TIMELINE, VARIANT
from riffapp.ui.visitor import SOMEBODY

Opened = Callable[..., AppTest]
WorkOff = Callable[[AppTest], AppTest]
Works = Callable[[], list[Work]]
Make = Callable[[AppTest], Piece | Passage]


@pytest.fixture
def at(opened: Opened) -> AppTest:
    page = opened("journey")
    page.number_input(key="journey_bpm").set_value(240.0)
    page.session_state["journey_quality"] = "draft"
    return page.run()


@pytest.fixture
def make(work_off: WorkOff, works: Works, own_home: Path) -> Make:
    """Press, have it made, and what makes it again."""

    def pressed(at: AppTest) -> Piece | Passage:
        at.button(key="journey_make").click().run()
        assert not at.exception and not refusals(at)
        work_off(at)
        task: Piece | Passage = wire.loads(works()[0].task, own_home)
        return task

    return pressed


@pytest.fixture
def loop(instrument: Instrument, tmp_path: Path) -> Path:
    wish = LoopRequest(prompt="house drums", bpm=240, bars=1, quality="draft")
    (take,) = make_loops(instrument, wish)
    files.save(take, tmp_path / "loop.wav")
    return tmp_path / "loop.wav"


def way(at: AppTest, name: str, **values: Any) -> AppTest:
    """The room on one of its ways, with these values set."""
    at.session_state["journey_mode"] = name
    at.run()
    for key, value in values.items():
        at.session_state[key] = value
    return at


def refusals(at: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in at.error]


def test_a_timeline_counts_bars_as_the_player_does(at: AppTest, make: Make) -> None:
    at.number_input(key="journey_bars").set_value(4)
    for row, (bar, words) in enumerate(((1.0, "house drums"), (2.5, "add saw bass"))):
        at.number_input(key=f"journey_bar_{row}").set_value(bar)
        at.text_input(key=f"journey_words_{row}").set_value(words)
    at.button(key="journey_remove_2").click().run()
    at.button(key="journey_remove_3").click().run()
    at.number_input(key="journey_blend").set_value(2.0)
    request = make(at).request
    assert request.prompt == "house drums" and request.timeline is not None
    assert request.timeline.marks == (Mark(bar=1.5, prompt="house drums, saw bass"),)
    assert request.timeline.blend_beats == 2 and request.closed


def test_a_line_more_stands_four_bars_on(at: AppTest) -> None:
    at.button(key="journey_add").click().run()
    assert at.number_input(key="journey_bar_4").value == 17
    assert at.text_input(key="journey_words_4").value == ""


def test_a_journey_goes_from_words_to_words(at: AppTest, make: Make, works: Works) -> None:
    told = {"from": "house drums", "to": "saw bass", "there": 9, "bars": 4, "end": ENDS}
    way(at, JOURNEY, **{f"journey_{name}": value for name, value in told.items()})
    request = make(at).request
    assert request.journey == Journey(prompt="saw bass", seed=9) and not request.closed
    (work,) = works()
    assert work.title == "house drums → saw bass" and not work.facts["loops"]


def test_a_journey_may_stay_where_it_is(at: AppTest, make: Make) -> None:
    way(at, JOURNEY, journey_share=0.5, journey_bars=1)
    request = make(at).request
    assert request.journey is not None and request.journey.share == 0.5


def test_a_variant_is_a_neighbour_of_a_seed(at: AppTest, make: Make, works: Works) -> None:
    told = {"variant": "house drums", "distance": 0.25, "neighbour": 3, "seed": 5, "takes": 2}
    way(at, VARIANT, **{f"journey_{name}": value for name, value in told.items()})
    at.session_state["journey_bars"] = 1
    request = make(at).request
    assert request.variant == Variant(seed=4, distance=0.25) and request.seed == 5
    assert len(works()) == 2


def test_a_passage_goes_over_a_given_sound(
    at: AppTest, make: Make, loop: Path, own_home: Path, work_off: WorkOff, works: Works
) -> None:
    way(at, OVER, journey_source=wire.kept(loop, own_home)).run()
    work_off(at)
    told = {"to": "saw bass", "points": 2, "strength": 0.5, "strength_there": 1.0, "seed_there": 3}
    for name, value in told.items():
        at.session_state[f"passage_{name}"] = value
    task = make(at)
    assert isinstance(task, Passage)
    assert (task.request.prompt, task.goal, task.points) == ("house drums", "saw bass", 2)
    assert (task.strength, task.goal_strength, task.goal_seed) == (0.5, 1.0, 3)
    assert sounds.duration_s(works()[0].files[0].path) == pytest.approx(2.0)


@pytest.mark.parametrize("mode", [TIMELINE, JOURNEY, VARIANT])
def test_use_all_brings_a_way_back(
    at: AppTest, mode: str, make: Make, works: Works, own_home: Path
) -> None:
    told = {"from": "house drums", "to": "saw bass", "variant": "techno", "distance": 0.6}
    told |= {"blend": 2.0, "share": 0.5, "end": ENDS, "bars": 16 if mode == TIMELINE else 1}
    way(at, mode, **{f"journey_{name}": value for name, value in told.items()})
    at.session_state["journey_words_2"] = "add saw bass"
    at.session_state["journey_steps"] = 1
    first = make(at)
    for name, value in {"mode": JOURNEY, "end": LOOP, "bars": 3, "share": None}.items():
        at.session_state[f"journey_{name}"] = value
    at.run()
    menus = at.get("menu_button")
    next(m for m in menus if m.key == f"use_journey_{works()[0].id}").set_value("all").run()
    assert at.session_state["journey_mode"] == mode
    assert make(at) == first


def test_use_all_brings_a_passage_back(
    at: AppTest, make: Make, loop: Path, own_home: Path, work_off: WorkOff, works: Works
) -> None:
    way(at, OVER, journey_source=wire.kept(loop, own_home)).run()
    work_off(at)
    at.session_state["passage_points"], at.session_state["passage_to"] = 2, "saw bass"
    first = make(at)
    way(at, TIMELINE, journey_source=None, passage_to="techno", passage_points=5).run()
    menus = at.get("menu_button")
    next(m for m in menus if m.key == f"use_journey_{works()[0].id}").set_value("all").run()
    assert make(work_off(at)) == first


@pytest.mark.parametrize(
    ("mode", "change", "sentence"),
    [
        (TIMELINE, {"journey_bar_0": 2.0}, "The first line stands at bar 2: give bar 1"),
        (TIMELINE, {"journey_bar_2": 3.0}, "Bar 3 stands after bar 5 in a piece of 16"),
        (TIMELINE, {"journey_bar_3": 17.0}, "Bar 17 stands after bar 9 in a piece of 16"),
        (TIMELINE, {"journey_words_1": " "}, "Bar 5 has no words: say what plays there"),
        (TIMELINE, {"journey_blend": 99.0}, "A blend in beats 99 is outside 0 to 64"),
        (TIMELINE, {"journey_bars": 1201}, "Bars 1201: a piece has 1 to 1200 bars"),
        (TIMELINE, {"journey_takes": 9}, "Takes 9: 1 to 8 are made at a time"),
        (TIMELINE, {"journey_bpm": 300.0}, "Bpm 300 is outside 40 to 240"),
        (JOURNEY, {"journey_to": ""}, "The journey's prompt is empty"),
        (JOURNEY, {"journey_share": 2.0}, "The journey's share 2 is outside 0 to 1"),
        (JOURNEY, {"journey_there": -9}, "The journey's seed -9 is outside -1"),
        (VARIANT, {"journey_neighbour": -9}, "The variant's seed -9 is outside -1"),
        (OVER, {}, "No sound is given: choose a file"),
    ],
)
def test_what_cannot_be_is_a_sentence_before_anything_waits(
    at: AppTest, mode: str, change: dict[str, Any], sentence: str, own_home: Path
) -> None:
    way(at, mode, **change)
    at.button(key="journey_make").click().run()
    (told,) = refusals(at)
    assert told.startswith(sentence)
    assert Store(Database(own_home)).jobs(SOMEBODY) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"passage_points": 1}, "1 steps: give 2 to 64"),
        ({"passage_strength": 0.0}, "Strength 0: give more than 0 and at most 1"),
        ({"passage_strength_there": 1.5}, "Strength 1.5: give more than 0 and at most 1"),
        ({"passage_to": " "}, "No words are given for the end"),
        ({"passage_seed_there": -3}, "Seed -3 is outside -1"),
    ],
)
def test_a_passage_that_cannot_be_is_a_sentence(
    at: AppTest,
    change: dict[str, Any],
    sentence: str,
    loop: Path,
    own_home: Path,
    work_off: WorkOff,
) -> None:
    way(at, OVER, journey_source=wire.kept(loop, own_home)).run()
    work_off(at)
    for name, value in change.items():
        at.session_state[name] = value
    at.button(key="journey_make").click().run()
    (told,) = refusals(at)
    assert told.startswith(sentence)
    assert Store(Database(own_home)).jobs(SOMEBODY, kinds=["journey"]) == []


def test_a_mask_that_leaves_all_as_it_is_is_a_sentence(
    at: AppTest, loop: Path, own_home: Path, work_off: WorkOff, tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "black.png")
    source, mask = (wire.kept(path, own_home) for path in (loop, tmp_path / "black.png"))
    way(at, OVER, journey_source=source, journey_mask=mask).run()
    work_off(at)
    at.button(key="journey_make").click().run()
    assert refusals(at) == ["The mask is black within the region: white is what is done again."]


def test_the_length_is_told_in_time(at: AppTest) -> None:
    at.number_input(key="journey_bars").set_value(100).run()
    assert any("1 min 40.0 s" in element.value for element in at.caption)
