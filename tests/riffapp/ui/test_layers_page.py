"""The room of layers in Streamlit's test bench, on random weights: what is set reaches the plan,
what the player is mixed like reaches the files, refusals are sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.tasks.layers import Layers
from riffapp.ui.components import player
from riffapp.ui.components.player import Chosen, Face
from riffapp.ui.rooms import layers

Opened = Callable[..., AppTest]
WorkOff = Callable[[AppTest], AppTest]
Works = Callable[[], list[Work]]


@pytest.fixture
def at(opened: Opened) -> AppTest:
    """The room with two quick layers."""
    page = opened("layers")
    page.button(key="layers_remove_2").click().run()
    page.text_input(key="layers_words_0").set_value("house drums")
    page.text_input(key="layers_words_1").set_value("saw bass")
    page.number_input(key="layers_bpm").set_value(200.0)
    page.session_state["layers_bars"], page.session_state["layers_quality"] = 1, "draft"
    return page.run()


@pytest.fixture
def make(work_off: WorkOff) -> WorkOff:
    def pressed(at: AppTest) -> AppTest:
        at.button(key="layers_make").click().run()
        assert not at.exception and not refusals(at)
        return work_off(at)

    return pressed


@pytest.fixture
def task(own_home: Path) -> Callable[[Work], Layers]:
    return lambda work: wire.loads(work.task, own_home)


@pytest.fixture
def mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener who has made the first track softer and muted the second one."""

    def heard(face: Face, _: object) -> Chosen:
        drums, bass = face.tracks
        tracks = (replace(drums, gain_db=-6.0), replace(bass, muted=True))
        return Chosen(region=None, tracks=tracks)

    monkeypatch.setattr(layers, "chosen", heard)


def refusals(at: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in at.error]


def test_every_row_becomes_a_layer_on_the_common_grid(
    at: AppTest, make: WorkOff, works: Works, task: Callable[[Work], Layers]
) -> None:
    at.number_input(key="layers_gain_1").set_value(-3.0)
    at.session_state["layers_flags_1"] = ["Solo"]
    at.number_input(key="layers_seed_1").set_value(7)
    make(at)
    (work,) = works()
    plan = task(work).plan
    assert [(one.name, one.prompt, one.gain_db) for one in plan.layers] == [
        ("drums", "house drums", 0.0),
        ("bass", "saw bass", -3.0),
    ]
    assert plan.layers[1].solo and plan.layers[1].request.seed == 7
    assert {(one.request.bpm, one.request.bars) for one in plan.layers} == {(200, 1)}
    assert plan.layers[1].request.key == "A minor"
    assert [one.name for one in work.files if one.role == "part"] == ["drums", "bass"]


def test_a_layer_more_has_a_player_that_is_not_there_yet(at: AppTest) -> None:
    at.button(key="layers_add").click().run()
    assert at.text_input(key="layers_name_2").value == "lead"
    assert at.text_input(key="layers_words_2").value == "pluck lead"
    at.button(key="layers_remove_0").click().run()
    names = [one.value for one in at.text_input if one.label == "Name of the layer"]
    assert names == ["bass", "lead"]


def test_a_common_seed_makes_the_same_layers(
    at: AppTest, make: WorkOff, works: Works, task: Callable[[Work], Layers]
) -> None:
    at.number_input(key="layers_seed").set_value(11)
    make(at)
    make(at)
    second, first = works()
    assert task(second).plan == task(first).plan
    assert second.files[0].path.read_bytes() == first.files[0].path.read_bytes()


def test_an_open_seed_is_a_new_one_each_time(
    at: AppTest, make: WorkOff, works: Works, task: Callable[[Work], Layers]
) -> None:
    make(at)
    make(at)
    seeds = {one.request.seed for work in works() for one in task(work).plan.layers}
    assert len(seeds) == 4


@pytest.mark.usefixtures("mixed")
def test_mixing_again_takes_the_players_faders_and_no_layer_anew(
    at: AppTest, make: WorkOff, work_off: WorkOff, works: Works, task: Callable[[Work], Layers]
) -> None:
    make(at)
    at.button(key="layers_mix").click().run()
    work_off(at)
    again, first = works()
    assert again.facts["mixer"]["drums"]["gain_db"] == -6 and again.facts["mixer"]["bass"]["muted"]
    seeds = [[one.request.seed for one in task(work).plan.layers] for work in (again, first)]
    assert seeds[0] == seeds[1] and task(again).before == first.id


@pytest.mark.usefixtures("mixed")
def test_one_layer_alone_gets_a_new_take(
    at: AppTest, make: WorkOff, work_off: WorkOff, works: Works, task: Callable[[Work], Layers]
) -> None:
    make(at)
    next(m for m in at.get("menu_button") if m.key == "layers_retake").set_value("drums").run()
    work_off(at)
    again, first = (task(work).plan.layers for work in works())
    assert again[0].request.seed != first[0].request.seed
    assert again[1].request == first[1].request and again[0].gain_db == -6


def test_untouched_faders_stay_as_the_layers_were_made(
    at: AppTest, make: WorkOff, work_off: WorkOff, works: Works
) -> None:
    at.number_input(key="layers_gain_0").set_value(-30.0)  # beyond what the player's faders reach
    assert player.GAIN_DB[0] > -30
    make(at)
    at.button(key="layers_mix").click().run()
    work_off(at)
    assert [work.facts["mixer"]["drums"]["gain_db"] for work in works()] == [-30, -30]


def test_use_all_brings_every_row_back(
    at: AppTest, make: WorkOff, works: Works, task: Callable[[Work], Layers]
) -> None:
    at.number_input(key="layers_gain_1").set_value(-3.0)
    at.session_state["layers_flags_0"] = ["Mute"]
    make(at)
    (work,) = works()
    at.button(key="layers_remove_1").click().run()
    at.number_input(key="layers_bpm").set_value(90.0).run()
    use = next(m for m in at.get("menu_button") if m.key == f"use_layers_{work.id}")
    use.set_value("all").run()
    assert at.number_input(key="layers_bpm").value == 200
    assert at.text_input(key="layers_words_1").value == "saw bass"
    assert at.number_input(key="layers_gain_1").value == -3
    make(at)
    again, first = works()
    assert task(again).plan == task(first).plan


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"layers_name_1": "drums"}, "Layers 'drums' and 'drums' would share their files"),
        ({"layers_name_1": "a/b"}, "Layer name 'a/b': give up to 32 letters"),
        ({"layers_words_1": " "}, "Layer 'bass': the prompt is empty"),
        ({"layers_gain_1": 99.0}, "Gain 99 dB of layer 'bass' is outside -60 to 24"),
        ({"layers_bpm": 300.0}, "Layer 'drums': bpm 300 is outside 40 to 240"),
        ({"layers_flags_0": ["Mute"], "layers_flags_1": ["Mute"]}, "Every layer is muted"),
        ({"layers_steps": 0}, "Layer 'drums': steps 0 is outside 1 to 150"),
        ({"layers_seed_1": -5}, "Layer 'bass': seed -5 is outside -1 to 4294967295"),
    ],
)
def test_what_cannot_be_is_a_sentence_before_anything_waits(
    at: AppTest, change: dict[str, object], sentence: str
) -> None:
    for name, value in change.items():
        at.session_state[name] = value
    at.button(key="layers_make").click().run()
    (told,) = refusals(at)
    assert told.startswith(sentence)
    assert not at.get("progress")


def test_words_that_the_model_was_never_taught_are_named(at: AppTest) -> None:
    at.text_input(key="layers_words_1").set_value("zorp bass").run()
    assert any("zorp" in element.value for element in at.warning)


def test_what_is_set_is_there_after_a_visit_elsewhere(at: AppTest) -> None:
    at.text_input(key="layers_words_1").set_value("techno drums").run()
    for room in ("loop", "layers"):
        at.session_state["going"] = room
        at.run()
    assert at.text_input(key="layers_words_1").value == "techno drums"
    assert at.number_input(key="layers_bpm").value == 200


def test_a_format_that_cannot_be_mixed_gives_way(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIFFAPP_SUFFIX", ".mp3")
    assert opened("journey").selectbox(key="journey_suffix").value == ".mp3"
    assert opened("layers").selectbox(key="layers_suffix").value == ".wav"


def test_a_checkpoint_that_is_not_there_is_a_sentence(opened: Opened, tmp_path: Path) -> None:
    at = opened("layers", checkpoint=tmp_path / "nowhere")
    assert not at.exception
    assert refusals(at)[0].startswith("Unknown checkpoint")
