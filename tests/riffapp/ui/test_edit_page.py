"""The room of edits in Streamlit's test bench, on random weights: what is drawn or typed reaches
the task, and refusals are sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from riffapp.database import Database
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.store import Store
from riffapp.jobs.tasks.edit import Edit, Extend
from riffapp.studio import files
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import LoopRequest
from riffapp.ui.components.player import Chosen, Face, Region
from riffapp.ui.rooms import edit as room
from riffapp.ui.rooms.edit import AGAIN, ON
from riffapp.ui.visitor import SOMEBODY

Opened = Callable[..., AppTest]
WorkOff = Callable[[AppTest], AppTest]
Works = Callable[[], list[Work]]
Make = Callable[[AppTest], Edit | Extend]
Draw = Callable[[Region | None], None]

BOXES = ("edit_from", "edit_to", "edit_low", "edit_high")


@pytest.fixture(scope="module")
def loop(instrument: Instrument, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bars at 240 bpm: two seconds."""
    path = tmp_path_factory.mktemp("loop") / "loop.wav"
    (take,) = make_loops(
        instrument, LoopRequest(prompt="house drums", bpm=240, bars=2, quality="draft")
    )
    files.save(take, path)
    return path


@pytest.fixture
def at(opened: Opened, loop: Path, own_home: Path, work_off: WorkOff) -> AppTest:
    """The room with a sound in it, opened."""
    page = opened("edit")
    page.session_state["edit_source"] = wire.kept(loop, own_home)
    page.session_state["edit_quality"], page.session_state["edit_takes"] = "draft", 1
    page.run()
    return work_off(page)


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch) -> Draw:
    """A hand that draws a region in the player, or takes it away."""

    def drawn(region: Region | None) -> None:
        def shown(face: Face, *, key: str) -> Chosen:
            assert key == "edit_player"
            return Chosen(region=region if face.selects else None, tracks=face.tracks)

        monkeypatch.setattr(room, "player", shown)

    return drawn


@pytest.fixture
def make(work_off: WorkOff, works: Works, own_home: Path) -> Make:
    """Press, have it made, and what makes it again."""

    def pressed(at: AppTest) -> Edit | Extend:
        at.button(key="edit_make").click().run()
        assert not at.exception and not refusals(at)
        work_off(at)
        task: Edit | Extend = wire.loads(works()[0].task, own_home)
        return task

    return pressed


def refusals(at: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in at.error]


def boxes(at: AppTest) -> list[Any]:
    return [at.session_state[name] for name in BOXES]


def test_what_is_drawn_stands_in_the_boxes_and_is_done_again(
    at: AppTest, draw: Draw, make: Make
) -> None:
    draw(Region(begin_s=0.25, end_s=1.0, low=0.0, high=0.5))
    at.run()
    assert boxes(at)[:3] == ["1.2", "2.1", None]
    assert 1500 < at.session_state["edit_high"] < 3000  # half of the mels below 16 kHz
    task = make(at)
    assert isinstance(task, Edit)
    assert (task.first_bar, task.last_bar, task.low_hz) == (0.25, 1.0, 0.0)
    assert task.request.prompt == "house drums"


def test_a_region_to_the_edges_leaves_the_boxes_open(at: AppTest, draw: Draw) -> None:
    draw(Region(begin_s=1.0, end_s=2.0, low=0.25, high=1.0))
    at.run()
    first, last, low, high = boxes(at)
    assert (first, last, high) == ("2.1", "", None) and low > 100


def test_a_region_that_is_taken_away_empties_the_boxes(at: AppTest, draw: Draw) -> None:
    draw(Region(begin_s=0.0, end_s=1.0, low=0.0, high=1.0))
    at.run()
    assert boxes(at) == ["", "2.1", None, None]
    draw(None)
    at.run()
    assert boxes(at) == ["", "", None, None]


def test_what_is_typed_goes_before_what_was_drawn(at: AppTest, draw: Draw, make: Make) -> None:
    draw(Region(begin_s=0.0, end_s=1.0, low=0.0, high=1.0))
    at.run()
    at.text_input(key="edit_from").set_value("1.3.50")
    at.text_input(key="edit_to").set_value(" 2 ")
    at.number_input(key="edit_low").set_value(100.0).run()
    task = make(at)
    assert isinstance(task, Edit)
    assert (task.first_bar, task.last_bar, task.low_hz) == (0.625, 1.0, 100.0)


def test_boxes_stay_after_a_visit_elsewhere(at: AppTest, draw: Draw) -> None:
    draw(Region(begin_s=0.0, end_s=1.0, low=0.0, high=1.0))
    at.run()
    draw(None)  # the player forgets with its page
    for name in ("loop", "edit"):
        at.session_state["going"] = name
        at.run()
    assert boxes(at) == ["", "2.1", None, None]


def test_boxes_stay_while_it_is_played_on(at: AppTest, draw: Draw) -> None:
    draw(Region(begin_s=0.0, end_s=1.0, low=0.0, high=1.0))
    at.run()
    for way in (ON, AGAIN):
        at.session_state["edit_way"] = way
        at.run()
    assert boxes(at) == ["", "2.1", None, None]


def test_takes_come_with_seeds_of_their_own(at: AppTest, make: Make, works: Works) -> None:
    at.text_input(key="edit_to").set_value("2")
    at.number_input(key="edit_takes").set_value(2)
    at.number_input(key="edit_seed").set_value(5)
    make(at)
    assert sorted(work.facts["seed"] for work in works()) == [5, 6]


def test_a_mask_says_where(
    at: AppTest, make: Make, own_home: Path, tmp_path: Path, works: Works
) -> None:
    white = np.zeros((32, 128), np.uint8)
    white[:16] = 255
    Image.fromarray(white).save(tmp_path / "mask.png")
    at.session_state["edit_mask"] = wire.kept(tmp_path / "mask.png", own_home)
    task = make(at)
    assert isinstance(task, Edit) and task.mask is not None and task.last_bar is None


def test_it_is_played_on_and_led_into(at: AppTest, make: Make, works: Works) -> None:
    at.session_state["edit_way"] = ON
    at.run()
    at.number_input(key="edit_before").set_value(1)
    at.number_input(key="edit_after").set_value(1)
    task = make(at)
    assert isinstance(task, Extend) and (task.before, task.after) == (1, 1)
    assert works()[0].facts["beats"] == 16


def test_a_result_is_edited_again_and_the_earlier_one_stays(
    at: AppTest, make: Make, works: Works, own_home: Path
) -> None:
    at.text_input(key="edit_to").set_value("2")
    first = make(at)
    send = next(m for m in at.get("menu_button") if m.key == f"send_edit_{works()[0].id}")
    send.set_value("edit").run()
    at.text_input(key="edit_from").set_value("2")
    at.text_input(key="edit_to").set_value("")
    second = make(at)
    assert second.source.path != first.source.path
    assert second.source.path.read_bytes() == works()[1].files[0].path.read_bytes()
    assert len(Store(Database(own_home)).jobs(SOMEBODY, kinds=["source"])) == 1


@pytest.mark.parametrize("way", ["again", "on"])
def test_use_all_brings_an_edit_back(at: AppTest, way: str, make: Make, works: Works) -> None:
    if way == "on":
        at.session_state["edit_way"] = ON
    else:
        at.text_input(key="edit_from").set_value("1.3")
        at.number_input(key="edit_high").set_value(500.0)
        at.number_input(key="edit_strength").set_value(0.5)
    at.text_area(key="edit_words").set_value("techno drums").run()
    first = make(at)
    at.session_state["edit_words"], at.session_state["edit_from"] = "", "2"
    at.session_state["edit_strength"], at.session_state["edit_high"] = 1.0, None
    at.button(key="edit_source_remove").click().run()
    menus = at.get("menu_button")
    next(m for m in menus if m.key == f"use_edit_{works()[0].id}").set_value("all").run()
    assert make(at) == first


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"edit_to": ""}, "Nothing is chosen: drag over the picture"),
        ({"edit_to": "9"}, "Bars 0 to 8 of 2: give a stretch within them"),
        ({"edit_from": "2", "edit_to": "1.3"}, "Bars 1 to 0.5 of 2"),
        ({"edit_from": "2.7"}, "'2.7' is no place: write bar.beat"),
        ({"edit_from": "0"}, "'0' is no place"),
        ({"edit_from": "two"}, "'two' is no place"),
        ({"edit_low": 300.0, "edit_high": 200.0}, "300 to 200 Hz is no band"),
        ({"edit_strength": 1.5}, "Strength 1.5 is outside 0 to 1"),
        ({"edit_takes": 9}, "Takes 9: 1 to 8 are made at a time"),
        ({"edit_seed": 2**32 - 1, "edit_takes": 2}, "2 takes from seed 4294967295 on pass"),
        ({"edit_way": ON, "edit_after": 0}, "0 bars before and 0 after: give 1 or more"),
        ({"edit_way": ON, "edit_after": -1}, "0 bars before and -1 after"),
        ({"edit_way": ON, "edit_after": 1200}, "Bars 1202: a piece has 1 to 1200 bars"),
        ({"edit_suffix": ".flac", "edit_bit_depth": "float"}, "FLAC holds 16 or 24 bit"),
        ({"edit_cfg": 99.0}, "Cfg 99 is outside 0 to 30"),
    ],
)
def test_what_cannot_be_is_a_sentence_before_anything_waits(
    at: AppTest, change: dict[str, Any], sentence: str, own_home: Path
) -> None:
    at.session_state["edit_to"] = "2"
    for name, value in change.items():
        at.session_state[name] = value
    at.button(key="edit_make").click().run()
    (told,) = refusals(at)
    assert told.startswith(sentence)
    assert Store(Database(own_home)).jobs(SOMEBODY, kinds=["edit"]) == []


def test_a_black_mask_is_a_sentence(at: AppTest, own_home: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "black.png")
    at.session_state["edit_mask"] = wire.kept(tmp_path / "black.png", own_home)
    at.button(key="edit_make").click().run()
    assert refusals(at) == ["The mask is black within the region: white is what is done again."]


def test_without_a_sound_it_says_what_to_do(opened: Opened) -> None:
    at = opened("edit")
    at.button(key="edit_make").click().run()
    (told,) = refusals(at)
    assert told.startswith("No sound is given: choose a file")
