"""The image rooms, pressed as a person does, on the embedded checkpoint."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from riffapp.studio.images import Drawn
from riffapp.ui.image_work import ImageWorker, Job
from riffapp.ui.rooms import images
from sdcore.types import ignore


def _png(size: tuple[int, int] = (64, 64)) -> bytes:
    data = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def _room(name: str) -> AppTest:
    def script(name: str) -> None:
        from riffapp.ui.rooms import images

        getattr(images, name)()

    return AppTest.from_function(script, kwargs={"name": name}, default_timeout=120)


def _press(page: AppTest) -> AppTest:
    next(b for b in page.button if b.label == "Generate").click()
    page.run()
    return page


def _drawn(page: AppTest, key: str) -> list[Drawn]:
    job: Job = page.session_state[f"{key}_job"]
    job.wait(120)
    assert job.error is None and job.finished
    page.run()
    assert not page.exception
    return job.drawn


def test_txt2img_draws_what_it_says() -> None:
    page = _room("txt2img").run()
    assert not page.exception
    page.text_area(key="t2i_prompt").set_value("house drums")
    page.slider(key="t2i_steps").set_value(2)
    page.slider(key="t2i_width").set_value(64)
    page.slider(key="t2i_height").set_value(64)
    page.number_input(key="t2i_seed").set_value(5)
    page.checkbox(key="t2i_hires").set_value(True)
    page.slider(key="t2i_scale").set_value(1.5)
    (drawn,) = _drawn(_press(page), "t2i")
    assert drawn.picture.size == (96, 96) and "Seed: 5" in drawn.text
    assert any("Steps: 2" in code.value for code in page.code)


def test_a_refusal_is_said_on_the_page() -> None:
    page = _room("txt2img").run()
    page.text_area(key="t2i_prompt").set_value("a <lora:nothing:1>")
    page = _press(page)
    page.session_state["t2i_job"].wait(120)
    page.run()
    assert "nothing" in page.error[0].value


def test_img2img_wants_a_picture() -> None:
    page = _press(_room("img2img").run())
    assert "no picture: give one to begin from" in page.error[0].value.replace("\\", "").lower()


def test_img2img_begins_from_the_picture_and_keeps_what_the_mask_leaves() -> None:
    class Upload:
        def __init__(self, data: bytes) -> None:
            self.getvalue = lambda: data

    white = io.BytesIO()
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 24, 64))
    mask.save(white, "PNG")
    request = images._begun(
        {"prompt": "house", "steps": 2, "cfg": 1.0, "width": 64, "height": 64},
        picture=Upload(_png()),
        start={"strength": 0.9, "resize": "just resize"},
        covers=Upload(white.getvalue()),
        mask={"blur": (0.0, 0.0), "content": "original", "soft": False},
    )
    from riffapp.studio.images import ImageWish, make
    from riffapp.studio.library import Library

    (drawn,), _ = make(Library(device="cpu"), ImageWish(request=request))
    before = np.asarray(Image.open(io.BytesIO(_png())))
    assert np.array_equal(np.asarray(drawn.picture)[:, 24:], before[:, 24:])


@pytest.mark.parametrize("room", ["extras", "info"])
def test_the_other_rooms_open(room: str) -> None:
    page = _room(room).run()
    assert not page.exception and page.title[0].value.lower() == room


def test_extras_enlarge_and_keep_the_text() -> None:
    drawn, _ = images._enhanced(ignore, ignore, picture=_png(), wish={"to": 2.0})
    assert drawn[0].picture.size == (128, 128)


def test_a_defect_does_not_end_the_worker() -> None:
    worker = ImageWorker()

    def fail(report: Any, show: Any) -> Any:
        raise RuntimeError("a defect")

    first, second = worker.submit(fail), worker.submit(lambda report, show: ([], ("done",)))
    second.wait(10)
    assert first.error is not None and second.notes == ("done",)


def test_a_job_that_is_stopped_interrupts_at_its_next_step() -> None:
    from sdcore.errors import Interrupted
    from sdcore.types import Step

    def make(report: Any, show: Any) -> Any:
        import torch

        show(Image.new("RGB", (8, 8)))
        report(Step(index=0, steps=2, sigma=1.0, x0=torch.zeros(1)))
        job.stop()
        with pytest.raises(Interrupted):
            report(Step(index=1, steps=2, sigma=1.0, x0=torch.zeros(1)))
        return [], ("kept",)

    job = Job(make)
    job.run()
    assert job.notes == ("kept",) and job.share == 1.0
    assert job.preview is not None and job.preview.size == (8, 8)
