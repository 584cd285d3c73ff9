"""The page in Streamlit's test bench, on a tiny checkpoint of random weights.

That proves plumbing: that what a person sets reaches the model, that what the model makes reaches
the person, and that refusals are sentences. Of how loops sound it says nothing.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from audio.types import Tempo
from riffapp.studio.checkpoints import Sound
from riffapp.studio.types import LoopResult
from riffapp.ui.rooms import loop
from riffapp.ui.server import MAIN

Page = Callable[..., AppTest]


@pytest.fixture
def page(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    """Opens the page on a checkpoint, the tiny one where none is named."""

    def opened(checkpoint: Path = tiny) -> AppTest:
        monkeypatch.setenv("RIFFAPP_CHECKPOINT", str(checkpoint))
        monkeypatch.setenv("RIFFAPP_DEVICE", "cpu")
        monkeypatch.setenv("RIFFAPP_THREADS", "1")
        return AppTest.from_file(str(MAIN), default_timeout=300).run()

    return opened


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


def make(at: AppTest) -> AppTest:
    """Press the button; the run ends when the loops are there."""
    at.button(key="make").click().run()
    assert not at.exception
    return at


def takes(at: AppTest) -> list[LoopResult]:
    """What has been made, the newest work's takes first."""
    return [take for work in at.session_state["works"] for take in work.takes]


def faces(at: AppTest) -> list[dict[str, object]]:
    """What the players in the browser are given."""
    return [json.loads(element.proto.json) for element in at.get("bidi_component")]


def texts(at: AppTest) -> str:
    return "\n".join(element.value for element in (*at.markdown, *at.caption))


def refusals(at: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in at.error]


def test_the_first_view_explains_itself_and_one_click_plays_a_loop(page: Page) -> None:
    at = page()
    assert not at.exception and not at.error
    assert "press **Make a loop**" in at.markdown[0].value
    assert at.text_area(key="prompt").value == "house drums, saw bass"  # words that it knows
    assert not at.get("bidi_component")
    make(at)
    (face,) = faces(at)
    assert face["play"] is True


def test_a_take_is_exactly_as_long_as_its_tempo_says(page: Page) -> None:
    at = page()
    at.number_input(key="bpm").set_value(92.375)
    make(at)
    (take,), (face,) = takes(at), faces(at)
    n = Tempo(bpm=92.375, beats=8).samples(44100)
    assert take.loop.clip.n == n
    assert isinstance(face["channels"], list)
    (wave,) = (np.frombuffer(base64.b64decode(text), "<i2") for text in face["channels"])
    assert np.abs(wave / 32768 - take.loop.clip.samples[0]).max() <= 0.5 / 32768 + 1e-9
    assert f"Seed {take.request.seed} · {n / 44100:.3f} s of sound" in texts(at)


def test_everything_that_is_set_reaches_the_request(page: Page) -> None:
    at = page()
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
    (take,) = takes(at)
    r = take.request
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
    page: Page,
) -> None:
    at = make(make(page()))
    second, first = takes(at)
    assert first.request.seed != second.request.seed
    at.session_state["seed"] = first.request.seed
    make(at)
    assert np.array_equal(takes(at)[0].loop.clip.samples, first.loop.clip.samples)


def test_keep_this_seed_and_new_seed_fill_the_field(page: Page) -> None:
    at = make(page())
    (take,) = takes(at)
    work = at.session_state["works"][0]
    at.button(key=f"seed_{work.id}_0").click().run()
    assert at.number_input(key="seed").value == take.request.seed
    next(b for b in at.button if b.label == "New seed").click().run()
    assert at.number_input(key="seed").value != take.request.seed


def test_takes_have_one_seed_after_another_and_a_player_each(page: Page) -> None:
    at = page()
    at.number_input(key="takes").set_value(3)
    make(at)
    seeds = [take.request.seed for take in takes(at)]
    assert seeds == [seeds[0], seeds[0] + 1, seeds[0] + 2]
    assert [face["name"] for face in faces(at)] == ["take 1", "take 2", "take 3"]
    assert [face["play"] for face in faces(at)] == [True, False, False]


def test_an_earlier_loop_stays_within_reach(page: Page) -> None:
    at = make(make(page()))
    assert "Earlier takes (1)" in [expander.label for expander in at.expander]
    assert len(faces(at)) == 2


def test_a_picture_says_in_words_what_it_shows(page: Page) -> None:
    (face,) = faces(make(page()))
    assert face["alt"] == (
        "Spectrogram of the loop, house drums, saw bass: 2 bars at 124 bpm from left to right, "
        "30 to 10000 Hz from bottom to top"
    )


def test_the_downloads_are_named_after_the_take(page: Page) -> None:
    at = page()
    at.selectbox(key="suffix").set_value(".flac")
    make(at)
    labels = [element.proto.label for element in at.get("download_button")]
    assert labels == ["FLAC", "PNG"]


def test_chips_are_lit_by_the_prompt_and_write_into_it(page: Page) -> None:
    at = page()
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
    page: Page, changed: Callable[..., Path]
) -> None:
    groups = {"drums": ["drums"], "bass": ["saw bass", "bass"], "bass line": ["rolling"]}
    at = page(changed(groups=groups, words=["house", "drums", "saw bass", "rolling"]))
    assert [tab.label for tab in at.tabs] == ["Drums", "Bass"]

    def click(name: str, value: object) -> str:
        group = next(g for g in at.button_group if g.key == f"prompt_chips_{name}")
        group.set_value(value).run()
        return str(at.text_area(key="prompt").value)

    assert click("bass line", ["rolling"]) == "house drums, rolling saw bass"
    assert click("bass", "bass") == "house drums, rolling bass"


def test_a_word_that_was_never_taught_is_named_with_the_nearest_one(page: Page) -> None:
    at = page()
    at.text_area(key="prompt").set_value("hause drums").run()
    assert "never taught “hause”" in texts(at)
    at.button(key="use_hause").click().run()
    assert at.text_area(key="prompt").value == "house drums"
    assert "never taught" not in texts(at)


def test_what_else_a_listener_should_know_stands_beside_the_loop(
    page: Page, changed: Callable[..., Path]
) -> None:
    at = page(changed(bars=[1]))
    make(at)
    (warning,) = (element.value.replace("\\", "") for element in at.warning)
    assert warning == "2 bars are beyond the training (1): they may wander."


def test_what_was_typed_is_shown_as_typed(page: Page) -> None:
    at = page()
    at.text_area(key="prompt").set_value("<b>house</b> $x$ :red[drums]")
    make(at)
    title = next(m.value for m in at.markdown if "A minor" in m.value)
    assert r"\<b\>house\</b\> \$x\$ \:red\[drums\]" in title


def test_an_empty_prompt_is_refused_in_a_sentence(page: Page) -> None:
    at = page()
    at.text_area(key="prompt").set_value("   ")
    make(at)
    assert refusals(at) == [
        "The prompt is empty: say what to play, such as 'house drums, saw bass'."
    ]
    assert not at.session_state["works"]


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
    page: Page, field: str, value: float | None, sentence: str
) -> None:
    at = page()
    at.number_input(key=field).set_value(value)
    make(at)
    assert refusals(at) == [sentence]
    assert not at.session_state["works"]


def test_a_refusal_goes_away_with_the_next_loop(page: Page) -> None:
    at = page()
    at.text_area(key="prompt").set_value("")
    make(at)
    assert refusals(at)
    at.text_area(key="prompt").set_value("house drums")
    make(at)
    assert not refusals(at) and len(takes(at)) == 1


def test_a_checkpoint_that_is_not_there_is_said_in_place_of_the_page(
    page: Page, tmp_path: Path
) -> None:
    at = page(tmp_path / "nowhere")
    assert not at.exception
    (said,) = refusals(at)
    assert said.startswith("Unknown checkpoint '") and "give a folder" in said
    assert not at.button


def test_a_checkpoint_with_a_missing_file_is_said_when_a_loop_is_asked_for(
    page: Page, changed: Callable[..., Path]
) -> None:
    broken = changed()
    (broken / "unet" / "config.json").unlink()
    at = make(page(broken))
    (said,) = refusals(at)
    assert "unet" in said and said.endswith(".")
    assert at.button(key="make").disabled is False


def test_work_that_ends_while_the_page_is_drawn_leaves_no_grey_button(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = loop._results

    def late(sound: Sound) -> None:
        for work in loop._works():
            work.wait()
        drawn(sound)

    monkeypatch.setattr(loop, "_results", late)
    at = make(page())
    assert len(takes(at)) == 1
    assert at.button(key="make").disabled is False


def test_a_bad_environment_is_said_in_a_sentence(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIFFAPP_THREADS", "many")
    monkeypatch.setattr(monkeypatch, "setenv", lambda *_: None)
    assert refusals(page()) == ["RIFFAPP_THREADS is 'many': give a whole number from 1 up."]
