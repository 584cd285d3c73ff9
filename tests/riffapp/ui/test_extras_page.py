"""The room Extras in Streamlit's test bench."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from riffapp import settings
from riffapp.database import Database
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.store import Store
from riffapp.jobs.tasks.extras import Enlarge, Face
from riffapp.ui.components.several import Given
from riffapp.ui.visitor import SOMEBODY

Worked = Callable[[AppTest], AppTest]
Works = Callable[[], list[Work]]


@pytest.fixture
def at(opened: Callable[..., AppTest]) -> AppTest:
    page = opened("extras")
    assert not page.exception and page.title[0].value == "Extras"
    return page


@pytest.fixture
def given(at: AppTest, picture: Path) -> AppTest:
    """The room with a picture of 64 x 64 pixels."""
    at.session_state["extras_picture"] = wire.kept(picture, settings.load().home)
    at.session_state["extras_picture_name"] = "photo.png"
    return at.run()


def put(at: AppTest, **values: Any) -> AppTest:
    for name, value in values.items():
        at.session_state[f"extras_{name}"] = value
    return at


def press(at: AppTest) -> AppTest:
    at.button(key="make").click().run()
    assert not at.exception
    return at


def size_of(work: Work) -> tuple[int, int]:
    file = work.file("picture")
    assert file is not None
    with Image.open(file.path) as picture:
        return picture.size


def refusals(at: AppTest) -> str:
    return " ".join(element.value.replace("\\", "") for element in at.error)


def test_a_picture_is_made_four_times_as_large(
    given: AppTest, work_off: Worked, works: Works
) -> None:
    work_off(press(given))
    (work,) = works()
    assert size_of(work) == (256, 256) and work.title == "photo.png"


def test_a_size_is_asked_for_and_everything_comes_back(
    given: AppTest, work_off: Worked, works: Works
) -> None:
    put(given, by_or_to="Scale to", upscaler="Nearest", second="Lanczos")
    work_off(press(put(given, width=96, height=128, crop=False, share=0.25)))
    (work,) = works()
    assert size_of(work) == (128, 128)
    task = wire.loads(work.task, settings.load().home)
    assert (task.to, task.crop, task.second, task.share) == ((96, 128), False, "Lanczos", 0.25)
    back = filled(task)
    assert back.session_state["extras_by_or_to"] == "Scale to"
    assert back.number_input(key="extras_width").value == 96
    assert back.selectbox(key="extras_second").value == "Lanczos"
    press(back)
    newest = max(Store(Database(settings.load().home)).jobs(SOMEBODY), key=lambda job: job.id)
    assert wire.loads(newest.task, settings.load().home) == task


def filled(task: Enlarge) -> AppTest:
    """The room after "Use all"."""

    def script() -> None:
        import streamlit as st

        from riffapp.ui.rooms import extras

        if "task" in st.session_state:
            extras.fill(st.session_state.pop("task"))
        extras.page()

    back = AppTest.from_function(script, default_timeout=300)
    back.session_state["task"] = task
    back.run()
    assert not back.exception
    return back


def test_a_batch_is_worked_through(
    at: AppTest, picture: Path, work_off: Worked, works: Works
) -> None:
    path = wire.kept(picture, settings.load().home)
    at.session_state["extras_several"] = (Given(path=path, name="a"), Given(path=path, name="b"))
    work_off(press(put(at, way="Batch Process", scale=1.5)))
    assert sorted(work.title for work in works()) == ["a", "b"]


def test_of_several_uploads_the_good_ones_are_taken_and_the_others_say_why(
    at: AppTest, picture: Path, work_off: Worked, works: Works
) -> None:
    put(at, way="Batch Process", scale=1.5).run()
    files = [("a.png", picture.read_bytes(), "image/png"), ("b.png", b"<svg/>", "image/png")]
    at.file_uploader(key="extras_several_upload").set_value(files).run()
    assert "B.png is a text" in refusals(at)
    work_off(press(at))
    assert [work.title for work in works()] == ["a.png"]


def test_faces_alone_leave_the_size(picture: Path) -> None:
    faces = (Face(restorer="CodeFormer", visibility=0.8, weight=0.3),)
    task = Enlarge(pictures=(picture,), names=("a",), upscaler="None", to=1.0, faces=faces)
    back = filled(task)
    assert back.checkbox(key="extras_upscale_on").value is False
    assert back.number_input(key="extras_CodeFormer_weight").value == 0.3
    assert back.number_input(key="extras_CodeFormer_visibility").value == 0.8


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"scale": 99.0}, "An upscale by 99"),
        ({"GFPGAN_on": True}, "No weight file of GFPGAN"),
        ({"upscale_on": False}, "Nothing to do: tick Upscale"),
        ({"way": "Batch Process"}, "No pictures: give some"),
        ({"picture": None}, "No picture: give one to work on"),
    ],
)
def test_a_refusal_is_a_sentence(given: AppTest, values: dict[str, Any], sentence: str) -> None:
    assert sentence in refusals(press(put(given, **values)))
