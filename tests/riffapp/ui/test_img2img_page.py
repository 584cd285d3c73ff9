"""The room img2img in Streamlit's test bench: on random weights, and once on the embedded model.

What a browser draws is put where it arrives; the drawing itself is looked at in a browser.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from riffapp import settings
from riffapp.database import Database
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.store import Job, Store
from riffapp.studio.images import Outpaint, Redraw
from riffapp.ui.components.several import Given
from riffapp.ui.visitor import SOMEBODY
from sdcore.grow import Mk2Way, PoorMansWay
from sdcore.types import Alternative, Soft

Worked = Callable[[AppTest], AppTest]
Works = Callable[[], list[Work]]


@pytest.fixture
def at(opened: Callable[..., AppTest], tiny: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The room, asking for small pictures of the tiny checkpoint."""
    monkeypatch.setenv("RIFFAPP_IMAGE_CHECKPOINT", str(tiny))
    page = opened("img2img")
    assert not page.exception and page.title[0].value == "img2img"
    return put(page, prompt="house", steps=2, cfg=1.0, seed=5)


@pytest.fixture
def given(at: AppTest, picture: Path) -> AppTest:
    """The room with the picture of 64 x 64 pixels."""
    return give(at, picture)


def give(at: AppTest, picture: Path) -> AppTest:
    at.session_state["img2img_picture"] = wire.kept(picture, settings.load().home)
    at.session_state["img2img_picture_name"] = "photo.png"
    return at.run()


def put(at: AppTest, **values: Any) -> AppTest:
    for name, value in values.items():
        at.session_state[f"img2img_{name}"] = value
    return at


def draw(at: AppTest, place: str, *, size: tuple[int, int] = (64, 64), epoch: int = 0) -> AppTest:
    """What the browser sends when the left 24 columns were covered with red."""
    layer = Image.new("RGBA", size)
    layer.paste((255, 0, 0, 255), (0, 0, 24, size[1]))
    data = io.BytesIO()
    layer.save(data, "PNG")
    url = "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
    name = at.session_state["img2img_picture"].name
    at.session_state[f"img2img_{place}"] = {"id": f"{name}#{epoch}", "png": url}
    return at.run()


def press(at: AppTest) -> AppTest:
    at.button(key="make").click().run()
    assert not at.exception
    return at


def jobs() -> list[Job]:
    return Store(Database(settings.load().home)).jobs(SOMEBODY)


def asked(at: AppTest) -> Any:
    """The task that a press submits."""
    press(at)
    assert not [error.value for error in at.error]
    return wire.loads(max(jobs(), key=lambda job: job.id).task, settings.load().home)


def refusals(at: AppTest) -> str:
    return " ".join(element.value.replace("\\", "") for element in at.error)


def pixels(path: Path) -> np.ndarray[Any, Any]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def made(work: Work) -> np.ndarray[Any, Any]:
    file = work.file("picture")
    assert file is not None
    return pixels(file.path)


def test_a_picture_is_redrawn_at_its_own_size(
    given: AppTest, work_off: Worked, works: Works
) -> None:
    assert given.number_input(key="img2img_width").value == 64  # not the model's own 256
    work_off(press(put(given, start_strength=0.5)))
    (work,) = works()
    assert made(work).shape == (64, 64, 3) and "Denoising strength: 0.5" in given.code[0].value


def test_the_size_follows_a_new_picture_only_and_the_button(given: AppTest, tmp_path: Path) -> None:
    put(given, width=128)
    assert given.number_input(key="img2img_width").value == 128
    given.button(key="img2img_own_size").click().run()
    assert given.number_input(key="img2img_width").value == 64
    Image.new("RGB", (2052, 1026)).save(tmp_path / "large.png")
    give(given, tmp_path / "large.png")
    sides = [given.number_input(key=f"img2img_{side}").value for side in ("width", "height")]
    assert sides == [1024, 512]


def test_everything_about_the_start_reaches_the_task(given: AppTest) -> None:
    put(given, start_resize="Crop and resize", start_exact_steps=True, start_noise_multiplier=0.9)
    put(given, start_extra_noise=0.1, start_colour_correction=True)
    (canvas,) = asked(given).canvases
    assert canvas.start == {
        "strength": 0.75,
        "resize": "crop and resize",
        "exact_steps": True,
        "noise_multiplier": 0.9,
        "extra_noise": 0.1,
        "colour_correction": True,
    }
    assert canvas.mask is None and canvas.way == "img2img"


def test_only_what_is_drawn_is_done_again(
    given: AppTest, work_off: Worked, works: Works, picture: Path
) -> None:
    put(given, way="Inpaint", start_strength=0.9, mask_blur=0.0)
    work_off(press(draw(given, "masked")))
    (work,) = works()
    before, after = pixels(picture), made(work)
    assert np.array_equal(after[:, 24:], before[:, 24:])
    assert not np.array_equal(after[:, :24], before[:, :24])


def test_a_sketch_lies_on_what_is_redrawn(given: AppTest, work_off: Worked, works: Works) -> None:
    put(given, way="Sketch", start_strength=0.0)
    draw(given, "sketched")
    (canvas,) = asked(given).canvases
    assert canvas.mask is None and (np.asarray(Image.open(canvas.sketch))[:, :24, 0] == 255).all()
    put(given, way="Inpaint sketch", transparency=25, soft_on=True, soft_preservation=0.7)
    (canvas,) = asked(given).canvases
    assert canvas.opacity == 0.75 and canvas.mask["soft"] == Soft(preservation=0.7)
    assert canvas.mask["blur"] == (4.0, 4.0) and canvas.mask["content"] == "original"


def test_a_drawing_on_another_picture_is_not_taken(given: AppTest, tmp_path: Path) -> None:
    draw(put(given, way="Inpaint"), "masked")
    Image.new("RGB", (64, 64)).save(tmp_path / "other.png")
    press(give(given, tmp_path / "other.png"))
    assert "Nothing is masked" in refusals(given)


def test_a_mask_is_uploaded(given: AppTest, tmp_path: Path, work_off: Worked, works: Works) -> None:
    white = Image.new("L", (64, 64))
    white.paste(255, (0, 0, 64, 10))
    white.save(tmp_path / "mask.png")
    kept = wire.kept(tmp_path / "mask.png", settings.load().home)
    put(given, way="Inpaint upload", mask_file=kept, mask_inverted="Inpaint not masked")
    put(given, mask_only_masked="Only masked", mask_padding=4)
    work_off(press(given))
    assert "Mask mode: Inpaint not masked" in works()[0].facts["parameters"]
    assert "Inpaint area: Only masked, Masked area padding: 4" in works()[0].facts["parameters"]


def test_several_pictures_go_through_the_same_settings(
    at: AppTest, picture: Path, work_off: Worked, works: Works
) -> None:
    path = wire.kept(picture, settings.load().home)
    put(at, way="Batch", width=64, height=64)
    at.session_state["img2img_several"] = (Given(path=path, name="a"), Given(path=path, name="b"))
    assert len(asked(at.run()).canvases) == 2
    work_off(at)
    assert [work.facts["seed"] for work in works()] == [5, 5]


@pytest.mark.parametrize(
    ("script", "values", "wanted"),
    [
        (
            "Outpainting mk2",
            {"mk2_pixels": 64, "mk2_sides": ["left", "up"], "mk2_falloff": 2.0},
            {"script": Outpaint(way=Mk2Way(pixels=64, falloff=2.0), sides=("left", "up"))},
        ),
        (
            "Poor man's outpainting",
            {"poor_pixels": 32, "poor_content": "Latent noise", "poor_sides": ["down"]},
            {
                "script": Outpaint(
                    way=PoorMansWay(pixels=32, content="latent noise"), sides=("down",)
                )
            },
        ),
        (
            "Loopback",
            {"loopback_loops": 2, "loopback_last_strength": 0.3, "loopback_curve": "Lazy"},
            {"loops": 2, "last_strength": 0.3, "curve": "Lazy"},
        ),
        (
            "SD upscale",
            {"redraw_scale": 1.5, "redraw_overlap": 16, "redraw_upscaler": "Nearest"},
            {"script": Redraw(upscaler="Nearest", scale=1.5, overlap=16)},
        ),
    ],
)
def test_scripts_are_asked_as_they_are_set_and_come_back(
    given: AppTest, script: str, values: dict[str, Any], wanted: dict[str, Any]
) -> None:
    put(given, script=script)
    task = asked(put(given, **values))
    assert {name: getattr(task.wish, name) for name in wanted} == wanted
    put(given, script="None")
    back = filled(task)
    assert back.selectbox(key="img2img_script").value == script
    assert {name: back.session_state[f"img2img_{name}"] for name in values} == values


def filled(task: Any) -> AppTest:
    """The room after "Use all"."""

    def script() -> None:
        import streamlit as st

        from riffapp.ui.rooms import img2img

        if "task" in st.session_state:
            img2img.fill(st.session_state.pop("task"))
        img2img.page()

    back = AppTest.from_function(script, default_timeout=300)
    back.session_state["task"] = task
    back.run()
    assert not back.exception
    return back


def test_img2img_alternative_is_asked_and_comes_back(given: AppTest) -> None:
    put(given, script="img2img alternative test")
    put(given, alternative_prompt="noise", alternative_cfg=1.5, alternative_reverse="Plain")
    task = asked(given)
    assert task.canvases[0].start["alternative"] == Alternative(
        prompt="noise", cfg=1.5, reverse="plain"
    )
    back = filled(task)
    assert back.text_area(key="img2img_alternative_prompt").value == "noise"
    assert back.selectbox(key="img2img_alternative_reverse").value == "Plain"


def test_all_settings_come_back_with_picture_and_drawing(given: AppTest) -> None:
    put(given, way="Inpaint", mask_content="Fill", mask_blur=2.0, start_strength=0.6, soft_on=True)
    task = asked(draw(given, "masked"))
    back = filled(task)
    assert back.session_state["img2img_way"] == "Inpaint"
    assert back.number_input(key="img2img_mask_blur").value == 2.0
    assert back.checkbox(key="img2img_soft_on").value is True
    again = asked(back)
    assert again.canvases == task.canvases and again.wish.request == task.wish.request


def test_a_plot_varies_the_start(given: AppTest, work_off: Worked, works: Works) -> None:
    put(given, script="X/Y/Z plot", x_axis="Denoising", x_line="0.2, 0.8")
    work_off(press(given))
    (sheet,) = works()
    assert sheet.kind == "img2img" and made(sheet).shape[1] >= 128


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"start_strength": 2.0}, "A denoising strength of 2: give 0 to 1"),
        ({"way": "Inpaint"}, "Nothing is masked"),
        ({"way": "Inpaint sketch"}, "Nothing is masked"),
        ({"way": "Inpaint upload"}, "No mask: give a picture"),
        ({"way": "Batch"}, "No pictures: give some"),
        ({"script": "Loopback", "loopback_loops": 99}, "99 loops: give 1 to 32"),
        ({"script": "Loopback", "batch": 2}, "one picture at a time"),
        ({"script": "Outpainting mk2", "mk2_sides": []}, "Outpainting to no side"),
        ({"script": "Poor man's outpainting"}, "give fewer pixels"),
        ({"script": "SD upscale", "redraw_scale": 99.0}, "An upscale by 99"),
    ],
)
def test_a_refusal_is_a_sentence_and_nothing_is_queued(
    given: AppTest, values: dict[str, Any], sentence: str
) -> None:
    press(put(put(given, **{n: v for n, v in values.items() if n == "script"}), **values))
    assert sentence in refusals(given)
    assert jobs() == []


def test_no_picture_is_refused(at: AppTest) -> None:
    assert "No picture: give one to begin from" in refusals(press(at))


def test_transparency_out_of_range_is_refused(given: AppTest) -> None:
    draw(put(given, way="Inpaint sketch"), "sketched")
    assert "A mask transparency of 120" in refusals(press(put(given, transparency=120)))


def test_masks_and_drawings_of_another_size_are_refused(given: AppTest, tmp_path: Path) -> None:
    Image.new("L", (32, 32)).save(tmp_path / "mask.png")
    kept = wire.kept(tmp_path / "mask.png", settings.load().home)
    press(put(given, way="Inpaint upload", mask_file=kept))
    assert "A mask of 32 x 32 pixels on a picture of 64 x 64" in refusals(given)
    press(draw(put(given, way="Inpaint"), "masked", size=(32, 32)))
    assert "The drawing did not arrive whole" in refusals(given)


def test_what_a_browser_must_not_send_is_refused(given: AppTest) -> None:
    name = given.session_state["img2img_picture"].name
    url = "data:image/png;base64," + base64.b64encode(b"<svg onload=alert(1)>").decode()
    given.session_state["img2img_masked"] = {"id": f"{name}#0", "png": url}
    press(put(given, way="Inpaint"))
    assert "The drawing did not arrive whole" in refusals(given)


def test_a_picture_too_large_to_draw_on_is_said(at: AppTest, tmp_path: Path) -> None:
    Image.new("1", (4200, 4200)).save(tmp_path / "wall.png")
    give(put(at, way="Inpaint"), tmp_path / "wall.png")
    assert "too many to draw on" in at.warning[-1].value


def test_the_embedded_model_redraws_a_masked_part(
    opened: Callable[..., AppTest],
    picture: Path,
    work_off: Worked,
    works: Works,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RIFFAPP_IMAGE_CHECKPOINT", "loops")
    page = give(opened("img2img"), picture)
    put(page, prompt="house drums", steps=2, way="Inpaint", mask_blur=0.0, start_strength=1.0)
    work_off(press(draw(page, "masked")))
    (work,) = works()
    before, after = pixels(picture), made(work)
    assert "Model: loops" in work.facts["parameters"]
    assert np.array_equal(after[:, 24:], before[:, 24:])
    assert not np.array_equal(after[:, :24], before[:, :24])
