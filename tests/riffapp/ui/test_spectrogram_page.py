"""The room of spectrograms and finished sounds in Streamlit's test bench: each tool's task is what
its form says, each of its refusals is a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from audio import files as sounds
from audio import pictures
from audio.codec import analyse, to_image
from audio.detail import TAUGHT
from audio.synth import band
from audio.types import Clip
from riffapp.database import Database
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.store import Job, Store
from riffapp.jobs.tasks.finished import Clipping, Exporting, Parting, Stretching
from riffapp.jobs.tasks.spectrogram import Drawing, Hearing, OfFile, Playing, Refining
from riffapp.studio.arrange import Cuts, Export, Retiming
from riffapp.ui.rooms import finishing
from riffapp.ui.rooms.spectrogram import TOOLS
from riffapp.ui.visitor import SOMEBODY

Opened = Callable[..., AppTest]
WorkOff = Callable[[AppTest], AppTest]
Works = Callable[[], list[Work]]


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bar of the band at 120 bpm, its picture on the embedded grid beside it."""
    loop = band.render(replace(band.draw(np.random.default_rng(5), bars=1), bpm=120.0))
    path = tmp_path_factory.mktemp("song") / "my song.wav"
    sounds.write(path, loop.clip, tempo=loop.tempo)
    shown = analyse(loop.clip, TAUGHT, tempo=loop.tempo, circular=True)
    pictures.write(path.with_suffix(".png"), to_image(shown), TAUGHT, tempo=loop.tempo)
    return path


@pytest.fixture(scope="module")
def hum(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound that says no tempo."""
    path = tmp_path_factory.mktemp("hum") / "hum.wav"
    wave = 0.3 * np.sin(np.arange(66150) * 0.05)[None]
    sounds.write(path, Clip(samples=wave.astype(np.float32)))
    return path


@pytest.fixture
def asked(own_home: Path) -> Callable[[], Any]:
    """What was asked for last."""
    return lambda: wire.loads(newest(own_home).task, own_home)


def give(at: AppTest, path: Path) -> AppTest:
    upload = at.file_uploader(key="spectrogram_source_upload")
    upload.set_value((path.name, path.read_bytes(), "")).run()
    assert not at.exception
    return at


def tool(at: AppTest, name: str) -> AppTest:
    at.session_state["spectrogram_tool"] = name
    return at.run()


def number(at: AppTest, name: str, value: float | int | None) -> None:
    at.number_input(key=f"spectrogram_{name}").set_value(value)


def newest(home: Path) -> Job:
    return max(Store(Database(home)).jobs(SOMEBODY), key=lambda job: job.id)


def press(at: AppTest) -> AppTest:
    at.button(key="spectrogram_make").click().run()
    assert not at.exception
    return at


def refusals(at: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in at.error]


def offered(at: AppTest) -> list[str]:
    """The tools that can be chosen now."""
    (pills,) = (one for one in at.get("button_group") if one.key == "spectrogram_tool")
    return list(pills.options)


# ---- what can be done with what ---------------------------------------------------------------


def test_only_what_fits_the_file_is_offered(opened: Opened, song: Path) -> None:
    at = opened("spectrogram")
    assert len(offered(at)) == len(TOOLS)
    give(at, song)
    assert offered(at) == [t.words for t in TOOLS.values() if t.of == "sound"]
    give(at, song.with_suffix(".png"))
    assert offered(at) == ["Sound", "More detail"]
    assert at.session_state["spectrogram_tool"] == "play"


@pytest.mark.parametrize("name", list(TOOLS))
def test_without_a_file_each_tool_says_what_it_needs(opened: Opened, name: str) -> None:
    at = press(tool(opened("spectrogram"), name))
    assert refusals(at) == [f"Nothing is given: choose a {TOOLS[name].of}, or send one here."]


# ---- tasks ------------------------------------------------------------------------------------


def test_a_sound_is_drawn(
    opened: Opened, song: Path, asked: Callable[[], Any], work_off: WorkOff
) -> None:
    at = give(opened("spectrogram"), song)
    number(at, "bpm", 120.0)
    at.toggle(key="spectrogram_stereo").set_value(True)
    press(at)
    task = asked()
    assert isinstance(task, Drawing) and (task.bpm, task.stereo) == (120.0, True)
    assert task.name == song.name and Path(task.checkpoint).name == "tiny"
    work_off(at)
    assert any("8 beats" in one.value or "4 beats" in one.value for one in at.caption)
    assert len(at.image) == 1


def test_a_picture_is_played_and_refined(
    opened: Opened, song: Path, asked: Callable[[], Any], work_off: WorkOff
) -> None:
    at = give(opened("spectrogram"), song.with_suffix(".png"))
    number(at, "bpm", 90.0)
    at.selectbox(key="spectrogram_own_rate").set_value(48000)
    at.selectbox(key="spectrogram_suffix").set_value(".flac")
    at.selectbox(key="spectrogram_bit_depth").set_value("24").run()
    press(at)
    task = asked()
    assert isinstance(task, Playing) and (task.bpm, task.rate) == (90.0, 48000)
    assert (task.suffix, task.bit_depth, task.quality) == (".flac", "24", "fast")
    press(tool(at, "refine"))
    assert isinstance(asked(), Refining)
    work_off(at)
    assert not refusals(at) and len(at.get("bidi_component")) == 2  # one of them behind "Earlier"


def test_a_sound_is_heard(
    opened: Opened, song: Path, asked: Callable[[], Any], work_off: WorkOff
) -> None:
    at = tool(give(opened("spectrogram"), song), "hear")
    at.toggle(key="spectrogram_melody").set_value(False)
    number(at, "loop_bars", 1)
    press(at)
    assert isinstance(asked(), Hearing) and (asked().melody, asked().loop_bars) == (False, 1)
    work_off(at)
    told = "\n".join(one.value.replace("\\", "") for one in at.caption)
    assert "Tempo 120.00 bpm (in the file)" in told and "Key " in told
    assert [link.label for link in at.get("link_button")] == ["Report", "MIDI"]


def test_a_finished_sound_is_exported_as_it_is_set(
    opened: Opened, song: Path, asked: Callable[[], Any]
) -> None:
    at = tool(give(opened("spectrogram"), song), "export")
    for name, value in (("lufs", -20.0), ("peak", -2.0), ("repeat", 3), ("count_in", 1)):
        number(at, name, value)
    at.toggle(key="spectrogram_click").set_value(True)
    press(at)
    assert isinstance(asked(), Exporting)
    assert asked().wish == Export(lufs=-20.0, true_peak_db=-2.0, repeat=3, click=True, count_in=1)


def test_a_loop_of_the_gallery_is_retimed_from_its_picture(
    opened: Opened, asked: Callable[[], Any], work_off: WorkOff, works: Works
) -> None:
    at = opened("loop")
    at.button(key="make").click().run()
    work_off(at)
    (work,) = works()
    send = next(m for m in at.get("menu_button") if str(m.key).startswith("send_loop"))
    send.set_value("spectrogram").run()
    assert at.title[0].value == "Spectrogram ⇄ sound"
    tool(at, "retime")
    number(at, "new_bpm", 140.0)
    number(at, "semitones", 2.0)
    at.session_state["spectrogram_times"] = "Half time"
    press(at)
    task, picture = asked(), work.file("picture")
    assert isinstance(task, Stretching)
    assert task.wish == Retiming(bpm=140.0, times=2.0, semitones=2.0)
    assert task.picture is not None and picture is not None
    assert task.picture.read_bytes() == picture.path.read_bytes()


def test_a_stranger_s_sound_has_no_picture(
    opened: Opened, hum: Path, asked: Callable[[], Any]
) -> None:
    at = tool(give(opened("spectrogram"), hum), "retime")
    number(at, "from_bpm", 100.0)
    number(at, "new_bpm", 110.0)
    press(at)
    assert asked().picture is None and asked().wish == Retiming(bpm=110.0, from_bpm=100.0)


def test_a_sound_is_taken_apart(
    opened: Opened,
    song: Path,
    asked: Callable[[], Any],
    work_off: WorkOff,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = tool(give(opened("spectrogram"), song), "part")
    press(at)
    assert isinstance(asked(), Parting) and asked().model is None
    work_off(at)
    labels = [link.label for link in at.get("link_button")]
    assert labels == ["Original", "Harmonic", "Percussive"]
    monkeypatch.setattr(finishing, "is_here", lambda: False)
    at.run()
    assert not any(one.key == "spectrogram_model" for one in at.selectbox)


def test_clips_are_cut_by_bars_or_by_time(
    opened: Opened, song: Path, asked: Callable[[], Any], work_off: WorkOff
) -> None:
    at = tool(give(opened("spectrogram"), song), "clip")
    for name, value in (("count", 3), ("bars", 1), ("clip_bpm", 120.0), ("first", 0.0)):
        number(at, name, value)
    number(at, "clip_seed", 4)
    press(at)
    assert asked().wish == Cuts(count=3, bars=1, bpm=120.0, first_beat_s=0.0, seed=4)
    at.session_state["spectrogram_by"] = "Time"
    at.run()
    number(at, "clip_ms", 250.0)
    press(at)
    assert isinstance(asked(), Clipping)
    assert asked().wish == Cuts(count=3, bars=None, duration_ms=250.0, seed=4)
    work_off(at)
    assert sum("clip-00" in b.label.replace("\\", "") for b in at.button) == 6  # of both


# ---- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "of", "changes", "sentence"),
    [
        ("draw", "song", {"bpm": 113.0}, "which is no whole number"),
        ("draw", "song", {"bpm": 9.0}, "bpm 9 is outside"),
        ("play", "picture", {"bpm": 999.0}, "bpm 999 is outside"),
        ("play", "plain", {"bpm": 120.0}, "counted by time and says no tempo"),
        ("refine", "plain", {}, "does not say its tempo"),
        ("hear", "song", {"loop_bars": 0}, "loops of 0 bars"),
        ("export", "song", {"lufs": 9.0}, "loudness 9"),
        ("export", "song", {"repeat": 0}, "0 repeats"),
        ("export", "hum", {"count_in": 1}, "hum.wav says no tempo: a click needs one"),
        ("retime", "hum", {"new_bpm": 90.0}, "hum.wav says no tempo"),
        ("retime", "song", {"semitones": 99.0}, "99 semitones"),
        ("clip", "song", {"count": 0}, "0 clips"),
        ("clip", "song", {"bars": 0}, "clips of 0 bars"),
    ],
)
def test_what_cannot_be_is_a_sentence_before_anything_is_queued(
    opened: Opened,
    song: Path,
    hum: Path,
    tmp_path: Path,
    own_home: Path,
    name: str,
    of: str,
    changes: dict[str, float],
    sentence: str,
) -> None:
    plain = tmp_path / "plain.png"
    Image.new("RGB", (64, 512)).save(plain)
    given = {"song": song, "hum": hum, "picture": song.with_suffix(".png"), "plain": plain}
    at = tool(give(opened("spectrogram"), given[of]), name)
    for field, value in changes.items():
        number(at, field, value)
    press(at)
    (error,) = refusals(at)
    assert sentence.lower() in error.lower()
    assert not Store(Database(own_home)).jobs(SOMEBODY)


def test_a_model_without_its_files_is_a_sentence(
    opened: Opened, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finishing, "is_here", lambda: True)
    at = tool(give(opened("spectrogram"), song), "part")
    at.selectbox(key="spectrogram_model").set_value("htdemucs").run()
    at.text_input(key="spectrogram_weights").set_value("/nowhere").run()
    assert "No folder with the files of htdemucs" in refusals(press(at))[0]


# ---- and back ---------------------------------------------------------------------------------

SOME: list[Callable[[Path], OfFile]] = [
    lambda p: Drawing(source=p, name="a.wav", bpm=120.0, stereo=True),
    lambda p: Hearing(source=p, name="a.wav", melody=False, loop_bars=1),
    lambda p: Exporting(source=p, name="a.wav", suffix=".ogg", wish=Export(lufs=None, repeat=2)),
    lambda p: Stretching(
        source=p, name="a.wav", bit_depth="24", wish=Retiming(bpm=99.0, times=0.5, quality="best")
    ),
    lambda p: Parting(source=p, name="a.wav"),
    lambda p: Clipping(source=p, name="a.wav", wish=Cuts(count=2, bars=1, bpm=120.0)),
    lambda p: Clipping(source=p, name="a.wav", wish=Cuts(count=2, duration_ms=100.0, seed=3)),
    lambda p: Playing(source=p.with_suffix(".png"), name="a.png", bpm=99.0, rate=48000),
    lambda p: Refining(source=p.with_suffix(".png"), name="a.png", quality="best"),
]


@pytest.mark.parametrize("make", SOME)
def test_every_setting_of_a_work_comes_back(
    opened: Opened,
    song: Path,
    own_home: Path,
    tiny: Path,
    asked: Callable[[], Any],
    make: Callable[[Path], OfFile],
) -> None:
    """As if the work were there: the page asks for the very same task again."""
    task = make(song)
    if isinstance(task, Drawing):
        task = replace(task, checkpoint=str(tiny))
    written = wire.dumps(task, own_home)
    at = opened("spectrogram")
    script = "import streamlit as st\nfrom riffapp.ui.rooms.spectrogram import fill\n"
    filling = AppTest.from_string(script + "fill(st.session_state.task)", default_timeout=60)
    filling.session_state["task"] = wire.loads(written, own_home)
    filling.run()
    assert not filling.exception
    for name in ("kept", "spectrogram_source", "spectrogram_source_name"):
        at.session_state[name] = filling.session_state[name]
    for name, value in filling.session_state["kept"].items():
        at.session_state[name] = value
    press(at.run())
    assert not refusals(at)
    assert asked() == wire.loads(written, own_home)
