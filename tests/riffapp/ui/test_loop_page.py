"""The page in Streamlit's test bench, on a tiny checkpoint of random weights.

That proves plumbing: that what a person sets reaches the model, that what the model makes reaches
the person, and that refusals are sentences. Of how loops sound it says nothing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from audio import files as sound_files
from audio.types import Tempo
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.studio.types import LoopRequest
from riffapp.ui.server import MAIN

Opened = Callable[..., AppTest]
Make = Callable[[AppTest], AppTest]
Works = Callable[[], list[Work]]
Requests = Callable[[], list[LoopRequest]]


@pytest.fixture
def make(work_off: Make) -> Make:
    """Press the button and have the loops made."""

    def pressed(at: AppTest) -> AppTest:
        at.button(key="make").click().run()
        assert not at.exception
        return work_off(at)

    return pressed


@pytest.fixture
def requests(works: Works, own_home: Path) -> Requests:
    """What makes each of the works again, the newest first."""
    return lambda: [wire.loads(work.task, own_home).request for work in works()]


@pytest.fixture
def changed(tiny: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the tiny checkpoint with other entries in its sound.json."""

    def made(**entries: object) -> Path:
        copy = tmp_path / "changed"
        shutil.copytree(tiny, copy)
        sound = json.loads((copy / "sound.json").read_text())
        (copy / "sound.json").write_text(json.dumps(sound | entries))
        return copy

    return made


def use(at: AppTest, work: Work, what: str) -> None:
    """Choose from a work's menu "Use"."""
    next(
        m
        for m in at.get("menu_button")
        if m.key in (f"use_loop_{work.id}", f"use_loop_past_{work.id}")
    ).set_value(what).run()


def faces(at: AppTest) -> list[dict[str, Any]]:
    """What the players in the browser are given."""
    return [json.loads(element.proto.json) for element in at.get("bidi_component")]


def texts(at: AppTest) -> str:
    return "\n".join(element.value for element in (*at.markdown, *at.caption))


def refusals(at: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in at.error]


def test_the_first_view_explains_itself_and_one_click_plays_a_loop(
    opened: Opened, make: Make
) -> None:
    at = opened()
    assert not at.exception and not at.error
    assert "press **Make a loop**" in at.markdown[0].value
    assert at.text_area(key="prompt").value == "house drums, saw bass"  # words that it knows
    assert not at.get("bidi_component")
    make(at)
    (face,) = faces(at)
    assert face["play"] is True


def test_a_take_is_exactly_as_long_as_its_tempo_says(
    opened: Opened, make: Make, works: Works
) -> None:
    at = opened()
    at.number_input(key="bpm").set_value(92.375)
    make(at)
    (work,), (face,) = works(), faces(at)
    n = Tempo(bpm=92.375, beats=8).samples(44100)
    assert sound_files.read(work.files[0].path).n == n
    assert face["seconds"] == n / 44100 and face["tracks"][0]["url"].startswith("/riffapp/files/")
    assert f"Seed {work.facts['seed']} · {n / 44100:.3f} s of sound" in texts(at)


def test_everything_that_is_set_reaches_the_request(
    opened: Opened, make: Make, requests: Requests
) -> None:
    at = opened()
    at.text_area(key="prompt").set_value("techno drums")
    at.text_input(key="negative").set_value("hi-hat")
    at.number_input(key="bpm").set_value(140.0)
    at.selectbox(key="key").select_index(0)
    at.number_input(key="seed").set_value(0)
    at.number_input(key="steps").set_value(1)
    at.number_input(key="cfg").set_value(1.0)
    at.selectbox(key="sampler").set_value("Euler")
    at.selectbox(key="schedule").set_value("Uniform")
    at.selectbox(key="rate").set_value(48000)
    at.selectbox(key="bit_depth").set_value("24")
    at.session_state["bars"], at.session_state["quality"] = 1, "draft"
    make(at)
    (r,) = requests()
    assert (r.prompt, r.negative, r.bpm, r.bars, r.key) == (
        "techno drums",
        "hi-hat",
        140.0,
        1,
        None,
    )
    assert (r.seed, r.steps, r.cfg, r.sampler, r.schedule) == (0, 1, 1.0, "Euler", "Uniform")
    assert (r.quality, r.rate, r.bit_depth) == ("draft", 48000, "24")


def test_an_empty_seed_is_a_new_one_each_time_and_a_kept_one_makes_the_same_loop(
    opened: Opened, make: Make, works: Works
) -> None:
    at = make(make(opened()))
    second, first = works()
    assert first.facts["seed"] != second.facts["seed"]
    use(at, first, "seed")
    assert at.number_input(key="seed").value == first.facts["seed"]
    make(at)
    made = works()[0].files[0].path.read_bytes()
    assert made == first.files[0].path.read_bytes()


def test_all_settings_of_a_work_come_back_at_a_click(
    opened: Opened, make: Make, works: Works
) -> None:
    at = opened()
    at.text_area(key="prompt").set_value("techno drums")
    at.number_input(key="bpm").set_value(97.5)
    at.selectbox(key="sampler").set_value("Euler")
    at.session_state["bars"] = 1
    make(at)
    (work,) = works()
    at.text_area(key="prompt").set_value("house")
    at.number_input(key="bpm").set_value(120.0).run()
    use(at, work, "all")
    assert at.text_area(key="prompt").value == "techno drums"
    assert at.number_input(key="bpm").value == 97.5
    assert at.selectbox(key="sampler").value == "Euler"
    assert at.session_state["bars"] == 1
    assert at.number_input(key="seed").value == work.facts["seed"]


def test_new_seed_fills_the_field(opened: Opened) -> None:
    at = opened()
    assert at.number_input(key="seed").value is None
    next(b for b in at.button if b.label == "New seed").click().run()
    assert at.number_input(key="seed").value is not None


def test_takes_have_one_seed_after_another_and_a_player_each(
    opened: Opened, make: Make, works: Works
) -> None:
    at = opened()
    at.number_input(key="takes").set_value(3)
    make(at)
    seeds = [work.facts["seed"] for work in reversed(works())]
    assert seeds == [seeds[0], seeds[0] + 1, seeds[0] + 2]
    assert [face["play"] for face in faces(at)] == [True, False, False]


def test_an_earlier_loop_stays_within_reach(opened: Opened, make: Make) -> None:
    at = make(make(opened()))
    assert "Earlier (1)" in [expander.label for expander in at.expander]
    assert len(faces(at)) == 2


def test_a_second_visit_finds_everything_again(opened: Opened, make: Make) -> None:
    first = opened()
    first.text_area(key="prompt").set_value("techno drums")
    first.number_input(key="bpm").set_value(97.5)
    make(first)
    second = opened()
    assert len(faces(second)) == 1
    assert second.text_area(key="prompt").value == "techno drums"
    assert second.number_input(key="bpm").value == 97.5
    assert second.number_input(key="seed").value is None  # another press is another loop
    assert faces(second)[0]["play"] is False  # nobody has asked for it in this visit


def test_what_waits_is_shown_and_can_be_cancelled(opened: Opened, works: Works) -> None:
    at = opened()
    at.button(key="make").click().run()
    (cancel,) = [button for button in at.button if button.label == "Cancel"]
    cancel.click().run()
    assert not [button for button in at.button if button.label == "Cancel"]
    assert [element.value for element in at.info] == ["Stopped before anything was done."]
    assert not works()


def test_a_deleted_loop_can_be_had_back(opened: Opened, make: Make, works: Works) -> None:
    at = make(opened())
    (work,) = works()
    at.button(key=f"delete_loop_{work.id}").click().run()
    assert not works() and not faces(at)
    at.button(key="undo_delete").click().run()
    assert len(works()) == 1 and len(faces(at)) == 1


def test_an_address_opens_the_page_as_it_was_set(opened: Opened) -> None:
    first = opened()
    first.text_area(key="prompt").set_value("techno drums")
    first.number_input(key="bpm").set_value(97.5)
    first.number_input(key="seed").set_value(7)
    first.button(key="link").click().run()
    assert first.query_params["bpm"] == "97.5"
    second = opened(address=first.query_params)
    assert second.text_area(key="prompt").value == "techno drums"
    assert second.number_input(key="bpm").value == 97.5
    assert second.number_input(key="seed").value == 7


@pytest.mark.parametrize("text", ["bpm=fast&key=H flat&bars=x", "prompt=" + "a" * 5000])
def test_a_strange_address_breaks_nothing(opened: Opened, text: str) -> None:
    told = dict(part.split("=") for part in text.split("&"))
    at = opened(address=told)
    assert not at.exception
    assert at.number_input(key="bpm").value == 124.0


def test_a_picture_says_in_words_what_it_shows(opened: Opened, make: Make) -> None:
    (face,) = faces(make(opened()))
    assert face["alt"] == (
        "Spectrogram of house drums, saw bass · A minor: 2 bars · 124 bpm · 3.871 s from left to "
        "right, 30 to 10000 Hz from bottom to top"
    )


def test_the_downloads_are_the_files_that_were_asked_for(
    opened: Opened, make: Make, works: Works
) -> None:
    at = opened()
    at.selectbox(key="suffix").set_value(".flac")
    make(at)
    links = [element.proto for element in at.get("link_button")]
    assert [link.label for link in links] == ["FLAC", "PNG"]
    assert all(link.url.startswith(f"/riffapp/files/{works()[0].id}/") for link in links)
    assert [file.path.suffix for file in works()[0].files] == [".flac", ".png"]


def test_chips_are_lit_by_the_prompt_and_write_into_it(opened: Opened) -> None:
    at = opened()
    chips = at.session_state["prompt_chips_words"]
    assert chips == ["house", "drums", "saw bass"]
    pills = next(group for group in at.button_group if group.key == "prompt_chips_words")
    assert "a" not in pills.options and "minor" not in pills.options  # keys have their own place
    pills.set_value([*chips, "techno"]).run()
    assert at.text_area(key="prompt").value == "house drums, saw bass, techno"
    pills = next(group for group in at.button_group if group.key == "prompt_chips_words")
    pills.set_value(["drums", "techno"]).run()
    assert at.text_area(key="prompt").value == "drums, techno"


def test_sorted_words_come_in_tabs_and_a_band_has_one_bass(
    opened: Opened, changed: Callable[..., Path]
) -> None:
    groups = {"drums": ["drums"], "bass": ["saw bass", "bass"], "bass line": ["rolling"]}
    at = opened(checkpoint=changed(groups=groups, words=["house", "drums", "saw bass", "rolling"]))
    assert [tab.label for tab in at.tabs] == ["Drums", "Bass"]

    def click(name: str, value: object) -> str:
        group = next(g for g in at.button_group if g.key == f"prompt_chips_{name}")
        group.set_value(value).run()
        return str(at.text_area(key="prompt").value)

    assert click("bass line", ["rolling"]) == "house drums, rolling saw bass"
    assert click("bass", "bass") == "house drums, rolling bass"


def test_a_word_that_was_never_taught_is_named_with_the_nearest_one(opened: Opened) -> None:
    at = opened()
    at.text_area(key="prompt").set_value("hause drums").run()
    assert "never taught “hause”" in texts(at)
    at.button(key="use_hause").click().run()
    assert at.text_area(key="prompt").value == "house drums"
    assert "never taught" not in texts(at)


def test_what_else_a_listener_should_know_stands_beside_the_loop(
    opened: Opened, make: Make, changed: Callable[..., Path]
) -> None:
    at = opened(checkpoint=changed(bars=[1]))
    make(at)
    (warning,) = (element.value.replace("\\", "") for element in at.warning)
    assert warning == "2 bars are beyond the training (1): they may wander."


def test_what_was_typed_is_shown_as_typed(opened: Opened, make: Make) -> None:
    at = opened()
    at.text_area(key="prompt").set_value("<b>house</b> $x$ :red[drums]")
    make(at)
    title = next(m.value for m in at.markdown if "A minor" in m.value)
    assert r"\<b\>house\</b\> \$x\$ \:red\[drums\]" in title


def test_an_empty_prompt_is_refused_in_a_sentence(opened: Opened, make: Make, works: Works) -> None:
    at = opened()
    at.text_area(key="prompt").set_value("   ")
    make(at)
    assert refusals(at) == [
        "The prompt is empty: say what to play, such as 'house drums, saw bass'."
    ]
    assert not works()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("bpm", 0.0, "Bpm 0 is outside 40 to 240: give one within."),
        ("steps", 0, "Steps 0 is outside 1 to 150: give one within."),
        ("cfg", 99.0, "Cfg 99 is outside 0 to 30: give one within."),
        ("seed", 2**32, "Seed 4294967296 is outside -1 to 4294967295: give one within."),
        ("takes", 0, "Takes 0 is outside 1 to 64: give one within."),
        (
            "takes",
            9,
            "Takes 9: the page makes 1 to 8 at a time; `riffapp loop --takes` makes more.",
        ),
    ],
)
def test_a_number_out_of_range_is_refused_in_a_sentence(
    opened: Opened, make: Make, works: Works, field: str, value: float | None, sentence: str
) -> None:
    at = opened()
    at.number_input(key=field).set_value(value)
    make(at)
    assert refusals(at) == [sentence]
    assert not works()


def test_a_refusal_goes_away_with_the_next_loop(opened: Opened, make: Make, works: Works) -> None:
    at = opened()
    at.text_area(key="prompt").set_value("")
    make(at)
    assert refusals(at)
    at.text_area(key="prompt").set_value("house drums")
    make(at)
    assert not refusals(at) and len(works()) == 1


def test_a_checkpoint_that_is_not_there_is_said_in_place_of_the_page(
    opened: Opened, tmp_path: Path
) -> None:
    at = opened(checkpoint=tmp_path / "nowhere")
    assert not at.exception
    (said,) = refusals(at)
    assert said.startswith("Unknown checkpoint '") and "give a folder" in said
    assert not at.button


def test_a_checkpoint_with_a_missing_file_is_said_when_a_loop_is_asked_for(
    opened: Opened, make: Make, changed: Callable[..., Path]
) -> None:
    broken = changed()
    (broken / "unet" / "config.json").unlink()
    at = make(opened(checkpoint=broken))
    (said,) = refusals(at)
    assert "unet" in said and said.endswith(".")
    assert at.button(key="make").disabled is False


def test_a_bad_environment_is_said_in_a_sentence(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIFFAPP_THREADS", "many")
    monkeypatch.setattr(monkeypatch, "setenv", lambda *_: None)
    assert refusals(opened()) == ["RIFFAPP_THREADS is 'many': give a whole number from 1 up."]


def test_a_model_that_has_gone_is_said_and_given_up() -> None:
    at = AppTest.from_file(str(MAIN), default_timeout=300)
    at.session_state["checkpoint"] = "/nowhere/my-model"
    at.run()
    assert not at.exception and "my-model" in at.error[0].value.replace("\\", "")
    assert at.session_state["checkpoint"] == "loops" and at.session_state["steps"] > 0
    at.run()
    assert not at.error and at.button(key="make")
