"""The room of speech in Streamlit's test bench: what is set reaches the voice, what was measured
reaches the page, refusals are sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from audio import files as sounds
from audio.align import melody_text
from audio.speech.espeak import Espeak
from audio.synth import band
from riffapp.database import Database
from riffapp.jobs import wire
from riffapp.jobs.store import Job, Store
from riffapp.jobs.tasks.speech import OWN_VOICE, Speech
from riffapp.ui.components import voices
from riffapp.ui.rooms.speech import SOUND
from riffapp.ui.visitor import SOMEBODY

Opened = Callable[..., AppTest]
WorkOff = Callable[[AppTest], AppTest]


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    loop = band.render(replace(band.draw(np.random.default_rng(1), bars=1), bpm=120.0))
    path = tmp_path_factory.mktemp("bed") / "my bed.wav"
    sounds.write(path, loop.clip, tempo=loop.tempo)
    return path


@pytest.fixture
def at(opened: Opened, bed: Path) -> AppTest:
    """The room with a short script over a sound."""
    page = opened("speech")
    page.text_area(key="speech_script").set_value("One two three.")
    page.segmented_control(key="speech_under").set_value(SOUND).run()
    return give(page, "speech_bed", bed)


@pytest.fixture
def asked(own_home: Path) -> Callable[[], Speech]:
    """What was asked for last."""

    def last() -> Speech:
        task: Speech = wire.loads(newest(own_home).task, own_home)
        return task

    return last


def give(at: AppTest, place: str, path: Path) -> AppTest:
    at.file_uploader(key=f"{place}_upload").set_value((path.name, path.read_bytes(), "")).run()
    return at


def newest(home: Path) -> Job:
    return max(Store(Database(home)).jobs(SOMEBODY), key=lambda job: job.id)


def press(at: AppTest) -> AppTest:
    at.button(key="speech_make").click().run()
    assert not at.exception
    return at


def refusals(at: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in at.error]


def texts(at: AppTest) -> str:
    return "\n".join(element.value for element in (*at.markdown, *at.caption)).replace("\\", "")


def test_a_script_is_spoken_over_a_sound(
    at: AppTest, work_off: WorkOff, asked: Callable[[], Speech], bed: Path
) -> None:
    at.segmented_control(key="speech_mode").set_value("rhythmic")
    at.selectbox(key="speech_voice").set_value("en-gb")
    at.selectbox(key="speech_character").set_value("f2")
    at.slider(key="speech_strength").set_value(80)
    assert not refusals(press(at))
    request, under = asked().request, asked().bed
    assert (request.voice, request.mode, request.strength) == ("en-gb+f2", "rhythmic", 0.8)
    assert under.file is not None and under.file.read_bytes() == bed.read_bytes()
    work_off(at)
    assert "anchors (onsets of vowels) within 10 ms" in texts(at)
    assert " LUFS, true peak " in texts(at)
    labels = [link.label for link in at.get("link_button")]
    assert labels == ["Mix", "Fit", "Voice", "Bed", "SRT", "WebVTT", "Report"]
    assert len(at.get("bidi_component")) == 1  # the player


def test_a_bed_of_words_is_planned_as_it_is_set(
    opened: Opened, asked: Callable[[], Speech]
) -> None:
    at = opened("speech")
    at.text_area(key="speech_words").set_value("house drums")
    at.number_input(key="speech_bpm").set_value(93.5)
    at.selectbox(key="speech_key").set_value("C minor")
    at.number_input(key="speech_seed").set_value(7).run()
    assert not refusals(press(at))
    request = asked().bed.request
    assert request is not None and asked().bed.file is None
    assert (request.prompt, request.bpm, request.seed) == ("house drums", 93.5, 7)
    assert request.key == "C minor" and request.steps == 2  # the tiny checkpoint's own


def test_all_of_advanced_reaches_the_task(at: AppTest, asked: Callable[[], Speech]) -> None:
    at.selectbox(key="speech_start").set_value("bar")
    at.selectbox(key="speech_grid").set_value("1/8")
    at.selectbox(key="speech_flow").set_value("laid back")
    at.selectbox(key="speech_melody").set_value("snap")
    at.slider(key="speech_swing").set_value(50)
    at.slider(key="speech_pull").set_value(20)
    for name, value in (("gap", 0.5), ("least", 0.7), ("most", 1.5), ("vibrato", 10.0)):
        at.number_input(key=f"speech_{name}").set_value(value)
    for name, value in (("glide", 90.0), ("above", 9.0), ("lufs", -19.0), ("peak", -2.0)):
        at.number_input(key=f"speech_{name}").set_value(value)
    at.number_input(key="speech_intro").set_value(0)
    at.number_input(key="speech_outro").set_value(1)
    at.toggle(key="speech_mono").set_value(True)
    at.text_input(key="speech_notes").set_value("C4 1/4 D4 1/4")
    at.text_area(key="speech_cast").set_value("Anna = en-gb+f3\nBob=de").run()
    assert not refusals(press(at))
    request = asked().request
    fit, balance = request.settings, request.balance
    assert (fit.starts_on, fit.subdivision, fit.flow) == ("bar", "1/8", "laid back")
    assert (fit.swing, fit.pull, fit.limits) == (0.5, 0.2, (0.7, 1.5))
    assert (fit.melody, fit.vibrato_cents, fit.glide_s) == ("snap", 10.0, 0.09)
    assert fit.tones == melody_text.parsed("C4 1/4 D4 1/4")
    assert (balance.margin_lu, balance.lufs, balance.true_peak_db) == (9.0, -19.0, -2.0)
    assert (request.gap_s, request.intro_bars, request.outro_bars) == (0.5, 0, 1)
    assert request.channels == 1
    assert request.voices == (("Anna", "en-gb+f3"), ("Bob", "de"))


def test_every_setting_of_a_work_comes_back(
    at: AppTest, work_off: WorkOff, asked: Callable[[], Speech]
) -> None:
    at.segmented_control(key="speech_mode").set_value("sung")
    at.slider(key="speech_swing").set_value(35)
    at.text_input(key="speech_notes").set_value("C4 1/4")
    at.number_input(key="speech_bed_bpm").set_value(121.0)
    at.text_area(key="speech_cast").set_value("Anna = de+m3")
    at.selectbox(key="speech_character").set_value("m3").run()
    before = (press(at), asked())[1]
    work_off(at)
    assert not refusals(at)
    at.text_area(key="speech_script").set_value("Something else.")
    at.segmented_control(key="speech_mode").set_value("talk")
    at.slider(key="speech_swing").set_value(0)
    at.text_input(key="speech_notes").set_value("")
    at.selectbox(key="speech_character").set_value("")
    at.segmented_control(key="speech_under").set_value("Made of words").run()
    use = next(m for m in at.get("menu_button") if str(m.key).startswith("use_speech_"))
    use.set_value("all").run()
    assert (press(at), asked())[1] == before


def test_a_script_can_come_from_a_file(opened: Opened, tmp_path: Path) -> None:
    script = tmp_path / "show.txt"
    script.write_text("From a file.\nSecond line.", encoding="utf-8")
    at = give(opened("speech"), "speech_file", script)
    assert at.text_area(key="speech_script").value == "From a file.\nSecond line."
    at.text_area(key="speech_script").set_value("Changed.").run()
    assert at.text_area(key="speech_script").value == "Changed."


def test_a_sound_that_is_sent_here_is_the_bed(opened: Opened, bed: Path, own_home: Path) -> None:
    at = opened("speech")
    at.session_state["speech_bed"] = wire.kept(bed, own_home)
    at.session_state["speech_bed_name"] = "sent.wav"
    at.run()
    assert at.segmented_control(key="speech_under").value == SOUND
    assert "sent.wav" in texts(at)


def test_a_recording_of_one_s_own_is_the_voice(
    at: AppTest, asked: Callable[[], Speech], tmp_path: Path
) -> None:
    engine = Espeak()
    take = tmp_path / "take.wav"
    sounds.write(take, engine.speak("One two three.", engine.voice("de")).clip)
    at.selectbox(key="speech_voice").set_value(OWN_VOICE).run()
    assert "No recording is given" in refusals(press(at))[0]
    at.selectbox(key="speech_language").set_value("de")
    give(at, voices.RECORDING, take)
    assert not refusals(press(at))
    assert asked().recording is not None and asked().language == "de"
    assert asked().recording.read_bytes() == take.read_bytes()


def test_what_is_not_drawn_any_more_is_not_asked_for(at: AppTest) -> None:
    """Streamlit forgets a widget that a run has not drawn before the next click."""
    at.selectbox(key="speech_voice").set_value(OWN_VOICE).run()
    at.selectbox(key="speech_voice").set_value("de").run()
    assert not refusals(press(at))


def test_models_are_named_by_who_sits_here_alone(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voices, "is_here", lambda: False)
    assert voices.MODEL not in opened("speech").selectbox(key="speech_voice").options
    monkeypatch.setattr(voices, "is_here", lambda: True)
    at = opened("speech")
    at.selectbox(key="speech_voice").set_value(voices.MODEL).run()
    assert "No model is named" in refusals(press(at))[0]
    at.text_input(key="speech_model").set_value("coqui:/somewhere").run()
    assert not refusals(press(at))
    monkeypatch.setattr(voices, "is_here", lambda: False)
    assert "by who sits at this computer alone" in refusals(press(at))[0]


def test_languages_have_names_that_people_know() -> None:
    named = list(voices.languages().items())
    assert named[0] == ("en-us", "English (America)") and ("de", "German") in named[:6]
    assert len(named) > 100
    names = [name for _, name in named[len(voices._FIRST_OF) :]]
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda at: at.text_area(key="speech_script").set_value("<emphasis>Hi"), "never closed"),
        (lambda at: at.text_area(key="speech_script").set_value(""), "nothing to say"),
        (lambda at: at.number_input(key="speech_intro").set_value(99), "an intro of 99 bars"),
        (lambda at: at.number_input(key="speech_gap").set_value(99.0), "a gap in seconds"),
        (lambda at: at.number_input(key="speech_least").set_value(3.0), "limits of stretch"),
        (lambda at: at.number_input(key="speech_vibrato").set_value(999.0), "vibrato"),
        (lambda at: at.number_input(key="speech_above").set_value(99.0), "voice above the bed"),
        (lambda at: at.number_input(key="speech_lufs").set_value(5.0), "give -"),
        (lambda at: at.text_input(key="speech_notes").set_value("X4 1/4"), "X4"),
        (lambda at: at.text_area(key="speech_cast").set_value("Anna"), "'Anna': give a name and"),
        (lambda at: at.number_input(key="speech_bed_bpm").set_value(9.0), "bpm 9 is outside"),
        (lambda at: at.button(key="speech_bed_remove").click(), "no bed is given"),
    ],
)
def test_what_cannot_be_is_a_sentence_before_anything_is_queued(
    at: AppTest, own_home: Path, change: Callable[[AppTest], Any], sentence: str
) -> None:
    change(at).run()
    press(at)
    (error,) = refusals(at)
    assert sentence.lower() in error.lower()
    assert not Store(Database(own_home)).jobs(SOMEBODY)


def test_a_depth_that_the_format_lacks_is_a_sentence(at: AppTest) -> None:
    at.session_state["speech_suffix"], at.session_state["speech_bit_depth"] = ".wav", "float"
    at.run()
    at.selectbox(key="speech_suffix").set_value(".flac")
    press(at)
    assert "FLAC holds 16 or 24 bit" in refusals(at)[0]
