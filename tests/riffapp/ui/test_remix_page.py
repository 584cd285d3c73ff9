"""The room of sound to sound in Streamlit's test bench, on random weights: a sound is opened first,
what is set reaches the request, refusals are sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from audio import files as sounds
from audio.types import Clip
from riffapp.database import Database
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.store import Job, Store
from riffapp.jobs.tasks.remix import Remix
from riffapp.studio import files
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import LoopRequest
from riffapp.ui.visitor import SOMEBODY

Opened = Callable[..., AppTest]
WorkOff = Callable[[AppTest], AppTest]
Works = Callable[[], list[Work]]


@pytest.fixture(scope="module")
def loop(instrument: Instrument, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop that a file of ours says the words of."""
    path = tmp_path_factory.mktemp("loop") / "loop.wav"
    wish = LoopRequest(
        prompt="house drums", negative="hi-hat", key="A minor", bpm=200, bars=1, quality="draft"
    )
    (take,) = make_loops(instrument, wish)
    files.save(take, path)
    return path


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clicks at 100 bpm, the first after 0.2 s, of no whole bars and no words."""
    samples = np.zeros((1, 200000), np.float32)
    for k in range(7):
        at = round((0.2 + k * 0.6) * 44100)
        samples[:, at : at + 200] = np.hanning(200)
    path = tmp_path_factory.mktemp("recording") / "hum.wav"
    sounds.write(path, Clip(samples=samples))
    return path


@pytest.fixture
def given(opened: Opened, own_home: Path) -> Callable[[Path], AppTest]:
    """The room with a sound that another one has sent."""

    def page(path: Path) -> AppTest:
        at = opened("remix")
        at.session_state["remix_source"] = wire.kept(path, own_home)
        at.session_state["remix_source_name"] = path.name
        at.session_state["remix_quality"] = "draft"
        return at.run()

    return page


@pytest.fixture
def jobs(own_home: Path) -> Callable[[str], list[Job]]:
    return lambda kind: Store(Database(own_home)).jobs(SOMEBODY, kinds=[kind])


@pytest.fixture
def make(work_off: WorkOff, works: Works, own_home: Path) -> Callable[[AppTest], Remix]:
    """Press, have it made, and what makes it again."""

    def pressed(at: AppTest) -> Remix:
        at.button(key="remix_make").click().run()
        assert not at.exception and not refusals(at)
        work_off(at)
        task: Remix = wire.loads(works()[0].task, own_home)
        return task

    return pressed


def refusals(at: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in at.error]


def captions(at: AppTest) -> str:
    return "\n".join(element.value.replace("\\", "") for element in at.caption)


def faces(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(element.proto.json) for element in at.get("bidi_component")]


def test_an_upload_is_opened_heard_and_remixed(
    opened: Opened, recording: Path, work_off: WorkOff, make: Callable[[AppTest], Remix]
) -> None:
    at = opened("remix")
    upload = (recording.name, recording.read_bytes(), "audio/wav")
    at.file_uploader(key="remix_source_upload").set_value(upload).run()
    assert not faces(at) and not refusals(at)
    work_off(at)
    (face,) = faces(at)
    assert face["name"] == "hum.wav" and face["picture"].startswith("/riffapp/given/")
    assert "Heard: " in captions(at) and "bpm (" in captions(at)
    at.session_state["remix_quality"] = "draft"
    at.text_area(key="remix_words").set_value("techno drums")
    at.slider(key="remix_strength").set_value(0.4)
    task = make(at)
    assert task.request.prompt == "techno drums" and task.strength == 0.4
    # Heard once: the remix is told.
    assert task.source.bpm is not None and task.request.bpm == round(task.source.bpm, 3)
    assert len(faces(at)) == 2


def test_without_words_it_is_what_its_file_was_asked_for(
    given: Callable[[Path], AppTest],
    loop: Path,
    work_off: WorkOff,
    make: Callable[[AppTest], Remix],
) -> None:
    request = make(work_off(given(loop))).request
    assert (request.prompt, request.negative, request.key) == ("house drums", "hi-hat", "A minor")
    assert (request.bpm, request.bars, request.closed, request.takes) == (200, 1, True, 1)


def test_words_key_and_what_to_leave_out_go_before_the_files_own(
    given: Callable[[Path], AppTest],
    loop: Path,
    work_off: WorkOff,
    make: Callable[[AppTest], Remix],
) -> None:
    at = work_off(given(loop))
    at.text_area(key="remix_words").set_value("techno drums")
    at.selectbox(key="remix_key").set_value("C major")
    at.text_input(key="remix_negative").set_value("saw bass")
    at.number_input(key="remix_seed").set_value(5)
    request = make(at).request
    assert (request.prompt, request.negative, request.key) == (
        "techno drums",
        "saw bass",
        "C major",
    )
    assert request.seed == 5


def test_a_sound_of_the_gallery_is_shown_at_once_with_its_own_picture(
    opened: Opened, work_off: WorkOff, works: Works, jobs: Callable[[str], list[Job]]
) -> None:
    at = opened("loop")
    at.session_state["bars"], at.session_state["quality"] = 1, "draft"
    at.button(key="make").click().run()
    work_off(at)
    (work,) = works()
    send = next(m for m in at.get("menu_button") if m.key == f"send_loop_{work.id}")
    send.set_value("remix").run()
    assert at.title[0].value == "Sound to sound" and jobs("source") == []
    (face,) = faces(at)
    digest = wire.kept(work.files[1].path, Path(work.files[0].path).parent).name
    assert face["picture"] == f"/riffapp/given/{digest}"


def test_a_typed_tempo_opens_it_anew(
    given: Callable[[Path], AppTest], recording: Path, work_off: WorkOff
) -> None:
    at = work_off(given(recording))
    at.number_input(key="remix_source_bpm").set_value(100.0)
    at.number_input(key="remix_source_first").set_value(0.2).run()
    assert not faces(at)
    work_off(at)
    (face,) = faces(at)
    assert face["beats"] == 12 and face["seconds"] == pytest.approx(12 * 0.6)


def test_an_opened_sound_is_not_opened_again_on_the_next_visit(
    given: Callable[[Path], AppTest],
    recording: Path,
    work_off: WorkOff,
    jobs: Callable[[str], list[Job]],
) -> None:
    work_off(given(recording))
    at = given(recording)
    assert len(faces(at)) == 1 and len(jobs("source")) == 1


def test_an_opening_goes_before_all_else_that_waits(
    given: Callable[[Path], AppTest], loop: Path, own_home: Path
) -> None:
    store = Store(Database(own_home))
    store.submit(SOMEBODY, "loop", "{}", title="a long piece")
    given(loop)
    assert [job.kind for job in store.jobs(SOMEBODY, states=["queued"])] == ["source", "loop"]


def test_a_sound_that_cannot_be_opened_says_why_by_its_own_name(
    given: Callable[[Path], AppTest], tmp_path: Path, work_off: WorkOff
) -> None:
    sounds.write(tmp_path / "nothing.wav", Clip(samples=np.zeros((1, 99999), np.float32)))
    at = work_off(given(tmp_path / "nothing.wav"))
    (told,) = refusals(at)
    assert "silent" in told and str(tmp_path) not in told
    at.button(key="remix_make").click().run()
    assert "The sound is not opened: wait until its picture is there." in refusals(at)


def test_another_sound_takes_its_tempo_along(given: Callable[[Path], AppTest], loop: Path) -> None:
    at = given(loop)
    at.number_input(key="remix_source_bpm").set_value(100.0).run()
    at.button(key="remix_source_remove").click().run()
    assert at.file_uploader(key="remix_source_upload").value is None
    at.session_state["remix_source"] = loop
    at.run()
    assert at.number_input(key="remix_source_bpm").value is None


def test_use_all_brings_source_and_settings_back(
    given: Callable[[Path], AppTest],
    recording: Path,
    work_off: WorkOff,
    works: Works,
    make: Callable[[AppTest], Remix],
) -> None:
    at = work_off(given(recording))
    at.text_area(key="remix_words").set_value("techno drums")
    first = make(at)
    at.button(key="remix_source_remove").click().run()
    at.text_area(key="remix_words").set_value("saw bass").run()
    menus = at.get("menu_button")
    next(m for m in menus if m.key == f"use_remix_{works()[0].id}").set_value("all").run()
    again = make(work_off(at))
    assert again == first
    assert works()[0].files[0].path.read_bytes() == works()[1].files[0].path.read_bytes()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"remix_words": ""}, "This sound says no words: say what to play"),
        ({"remix_steps": 0}, "Steps 0 is outside 1 to 150"),
        ({"remix_suffix": ".flac", "remix_bit_depth": "float"}, "FLAC holds 16 or 24 bit"),
        ({"remix_seed": -7}, "Seed -7 is outside -1"),
    ],
)
def test_what_cannot_be_is_a_sentence_before_anything_waits(
    given: Callable[[Path], AppTest],
    recording: Path,
    work_off: WorkOff,
    change: dict[str, object],
    sentence: str,
    jobs: Callable[[str], list[Job]],
) -> None:
    at = work_off(given(recording))
    at.session_state["remix_words"] = "techno drums"
    for name, value in change.items():
        at.session_state[name] = value
    at.button(key="remix_make").click().run()
    (told,) = refusals(at)
    assert told.startswith(sentence) and jobs("remix") == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("remix_source_bpm", 300.0, "Tempo 300 is outside 40 to 240 bpm"),
        ("remix_source_first", -1.0, "A bar that begins at -1 s"),
    ],
)
def test_a_tempo_that_cannot_be_is_not_opened(
    given: Callable[[Path], AppTest], loop: Path, name: str, value: float, sentence: str
) -> None:
    at = given(loop)
    at.number_input(key=name).set_value(value).run()
    (told,) = refusals(at)
    assert told.startswith(sentence)


def test_without_a_sound_it_says_what_to_do(opened: Opened) -> None:
    at = opened("remix")
    at.button(key="remix_make").click().run()
    assert refusals(at) == ["No sound is given: choose a file, or send one here from another room."]


def test_every_strength_says_what_it_means(opened: Opened) -> None:
    at = opened("remix")
    told = set()
    for strength in (0.0, 0.2, 0.4, 0.6, 1.0):
        at.slider(key="remix_strength").set_value(strength).run()
        told.add(captions(at))
    assert len(told) == 5
