"""The room txt2img in Streamlit's test bench: on random weights, and once on the embedded model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from riffapp import settings
from riffapp.database import Database
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.store import Job, Store
from riffapp.jobs.tasks.series import Lines, Matrix
from riffapp.studio.series import Axes
from riffapp.ui.visitor import SOMEBODY
from sdcore import infotext
from sdcore.types import Guidance, Hires, ImageRequest, Refiner, Variation
from sdcore.xyz import Values

Worked = Callable[[AppTest], AppTest]
Works = Callable[[], list[Work]]
SMALL = {"width": 64, "height": 64, "steps": 2, "cfg": 1.0, "seed": 5}


@pytest.fixture
def at(opened: Callable[..., AppTest], tiny: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The room, asking for small pictures of the tiny checkpoint."""
    monkeypatch.setenv("RIFFAPP_IMAGE_CHECKPOINT", str(tiny))
    page = opened("txt2img")
    assert not page.exception and page.title[0].value == "txt2img"
    return put(page, prompt="house drums", **SMALL)


def put(at: AppTest, **values: Any) -> AppTest:
    for name, value in values.items():
        at.session_state[f"txt2img_{name}"] = value
    return at


def press(at: AppTest, key: str = "make") -> AppTest:
    at.button(key=key).click().run()
    assert not at.exception
    return at


def jobs() -> list[Job]:
    return Store(Database(settings.load().home)).jobs(SOMEBODY)


def asked(at: AppTest) -> Any:
    """The task that a press submits."""
    press(at)
    assert not [error.value for error in at.error]
    last = max(jobs(), key=lambda job: job.id)
    return wire.loads(last.task, settings.load().home)


def refusals(at: AppTest) -> str:
    return " ".join(element.value.replace("\\", "") for element in at.error)


def notes(at: AppTest) -> str:
    return " ".join(element.value.replace("\\", "") for element in at.warning)


def size_of(work: Work) -> tuple[int, int]:
    file = work.file("picture")
    assert file is not None
    with Image.open(file.path) as picture:
        return picture.size


def test_a_press_makes_what_the_page_says_and_shows_it(
    at: AppTest, work_off: Worked, works: Works
) -> None:
    put(at, hires_on=True, hires_scale=1.5, hires_steps=1)
    work_off(press(at))
    (work,) = works()
    assert size_of(work) == (96, 96) and work.facts["seed"] == 5
    text = at.code[0].value
    assert text.startswith("house drums\nSteps: 2,") and "Hires upscale: 1.5" in text
    assert any(caption.value == "96 x 96 pixels" for caption in at.caption)


def test_the_embedded_model_draws_a_loop_s_picture_and_says_that_it_does(
    opened: Callable[..., AppTest],
    work_off: Worked,
    works: Works,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RIFFAPP_IMAGE_CHECKPOINT", "loops")
    page = opened("txt2img")
    assert "The embedded model **loops** paints spectrograms" in page.caption[0].value
    assert page.number_input(key="txt2img_width").value == 256  # as it likes it
    assert page.number_input(key="txt2img_steps").value == 16
    page.text_area(key="txt2img_prompt").set_value("house drums")
    page.number_input(key="txt2img_steps").set_value(2)
    work_off(press(page))
    (work,) = works()
    assert size_of(work) == (256, 128) and "Model: loops" in work.facts["parameters"]
    assert not notes(page)  # what the page says already is not said of each picture


def test_everything_that_is_set_reaches_the_request(at: AppTest, tiny: Path) -> None:
    put(at, negative="hats", sampler="Euler", schedule="Karras", batch=2, rounds=3)
    put(at, tiling="Across", clip_skip=2, emphasis="No norm", noise="NV", eta_noise_delta=7)
    put(at, compat="As A1111, defects too", discard_penultimate="Always")
    put(at, guidance_rescale=0.3, guidance_interval_0=0.1, guidance_interval_1=0.9)
    put(at, variation_on=True, variation_seed=9, variation_strength=0.2)
    put(at, variation_resize_from_0=32, variation_resize_from_1=64, options_s_churn=0.5)
    put(at, refiner_on=True, refiner_checkpoint=str(tiny), refiner_switch_at=0.5)
    put(at, hires_on=True, hires_upscaler="Lanczos", hires_strength=0.4, hires_width=96)
    put(at, hires_cfg=2.0, hires_sampler="Heun", hires_prompt="more")
    task = asked(at)
    assert (task.rounds, task.wish.checkpoint, task.wish.vae) == (3, str(tiny), None)
    assert task.wish.request == ImageRequest(
        prompt="house drums",
        negative="hats",
        **SMALL,
        sampler="Euler",
        schedule="Karras",
        batch=2,
        tiling="x",
        clip_skip=2,
        emphasis="No norm",
        noise="NV",
        eta_noise_delta=7,
        compat="a1111",
        discard_penultimate=True,
        guidance=Guidance(rescale=0.3, interval=(0.1, 0.9)),
        variation=Variation(seed=9, strength=0.2, resize_from=(32, 64)),
        sampler_options={"s_churn": 0.5},
        refiner=Refiner(checkpoint=str(tiny), switch_at=0.5),
        hires=task.wish.request.hires,
    )
    hires = Hires(
        upscaler="Lanczos", strength=0.4, width=96, cfg=2.0, sampler="Heun", prompt="more"
    )
    assert vars(task.wish.request.hires) == vars(hires)


def test_what_is_not_ticked_is_not_asked_for_and_is_there_again_when_it_is(at: AppTest) -> None:
    boxes = ("hires_on", "variation_on")
    put(at, **dict.fromkeys(boxes, True)).run()
    at.number_input(key="txt2img_hires_scale").set_value(4.0)
    at.number_input(key="txt2img_variation_strength").set_value(0.5).run()
    for box in boxes:
        at.checkbox(key=f"txt2img_{box}").uncheck()
    at.run().run()
    assert asked(at).wish.request == ImageRequest(prompt="house drums", **SMALL)
    for box in boxes:
        at.checkbox(key=f"txt2img_{box}").check()
    at.run()
    assert at.number_input(key="txt2img_hires_scale").value == 4.0
    assert asked(at).wish.request.variation.strength == 0.5


def test_open_seeds_are_drawn_before_the_job_waits(at: AppTest) -> None:
    put(at, seed=-1, variation_on=True, variation_strength=0.1)
    first, second = asked(at).wish.request, asked(at).wish.request
    assert first.seed >= 0 and first.variation.seed >= 0
    assert first.seed != second.seed


def test_a_batch_stands_in_a_grid_each_with_its_parameters(
    at: AppTest, work_off: Worked, works: Works
) -> None:
    put(at, batch=2, rounds=2)
    work_off(press(at))
    assert [work.facts["seed"] for work in works()] == [8, 7, 6, 5]
    shown = [expander.label for expander in at.expander if "Parameters" in expander.label]
    assert shown == ["Parameters"] * 4
    for seed, code in zip(range(5, 9), at.code, strict=True):
        assert f"Seed: {seed}," in code.value


def test_dice_reuse_and_swap(at: AppTest, work_off: Worked) -> None:
    work_off(press(put(at, width=32)))
    press(at, "txt2img_dice")
    assert at.number_input(key="txt2img_seed").value == -1
    press(at, "txt2img_reuse")
    assert at.number_input(key="txt2img_seed").value == 5
    press(at, "txt2img_swap")
    sides = [at.number_input(key=f"txt2img_{side}").value for side in ("width", "height")]
    assert sides == [64, 32]


def test_a_picture_s_text_in_the_prompt_box_fills_every_widget(at: AppTest) -> None:
    request = ImageRequest(
        prompt="a (house:1.2)",
        negative="noise",
        seed=77,
        width=72,
        height=40,
        steps=3,
        cfg=2.5,
        sampler="Heun",
        schedule="Exponential",
        tiling="xy",
        sampler_options={"s_noise": 0.9},
        guidance=Guidance(ngms=0.4, interval=(0.2, 0.8)),
        variation=Variation(seed=1, strength=0.3),
        hires=Hires(scale=1.5, steps=2, strength=0.25, schedule="Karras"),
    )
    press(put(at, prompt=infotext.text(request), hires_width=640), "txt2img_paste")
    assert not refusals(at) and not notes(at)
    back = asked(at).wish.request
    assert replace(back, hires=None) == replace(request, hires=None)
    assert request.hires is not None and vars(back.hires) == vars(request.hires)


def test_an_empty_prompt_box_reads_the_last_picture(at: AppTest, work_off: Worked) -> None:
    work_off(press(at))
    press(put(at, prompt="", seed=-1, steps=9), "txt2img_paste")
    assert at.text_area(key="txt2img_prompt").value == "house drums"
    assert at.number_input(key="txt2img_steps").value == 2


def test_what_the_text_names_and_is_not_here_is_said(at: AppTest, tiny: Path) -> None:
    text = "a\nSteps: 2, Sampler: DPM++ 2M Karras, Model: sd15, VAE: vae-ft, Hires upscaler: 4x"
    press(put(at, prompt=text), "txt2img_paste")
    assert "checkpoint 'sd15', which is not here: tiny stays" in notes(at)
    assert "VAE 'vae-ft'" in notes(at) and "Upscaler '4x' is not here: Latent" in notes(at)
    assert at.selectbox(key="txt2img_checkpoint").value == str(tiny)
    assert at.selectbox(key="txt2img_schedule").value == "Karras"


def test_numbers_that_no_widget_can_hold_leave_their_default(at: AppTest) -> None:
    text = f"a\nSteps: {10**30}, Sampler: Nobody's, CFG scale: nan, Seed: 5"
    press(put(at, prompt=text), "txt2img_paste")
    assert at.number_input(key="txt2img_steps").value == 20
    assert at.number_input(key="txt2img_cfg").value == 7.0
    assert "Sampling method 'Nobody's' is not here: DPM++ 2M in its place" in notes(at)
    asked(at)
    assert not notes(at)  # it was said, and taken note of


def test_a_prompt_that_is_no_picture_s_text_is_not_read(at: AppTest) -> None:
    press(at, "txt2img_paste")
    assert "No parameters to read" in refusals(at)
    assert at.text_area(key="txt2img_prompt").value == "house drums"


def test_all_settings_of_a_work_come_back(at: AppTest, work_off: Worked, works: Works) -> None:
    put(at, seed=-1, hires_on=True, hires_scale=1.5, rounds=2, tiling="Down")
    work_off(press(at))
    task = wire.loads(works()[0].task, settings.load().home)
    put(at, prompt="else", seed=1, hires_on=False, rounds=5, tiling="None")
    back = filled(task)
    assert back.checkbox(key="txt2img_hires_on").value is True
    assert back.selectbox(key="txt2img_tiling").value == "Down"
    again = asked(back)
    assert again.rounds == 1 and again.wish.request.seed == task.wish.request.seed
    assert infotext.text(again.wish.request) == infotext.text(task.wish.request)


def filled(task: Any) -> AppTest:
    """The room after "Use all"."""

    def script() -> None:
        import streamlit as st

        from riffapp.ui.rooms import txt2img

        if "task" in st.session_state:
            txt2img.fill(st.session_state.pop("task"))
        txt2img.page()

    back = AppTest.from_function(script, default_timeout=300)
    back.session_state["task"] = task
    back.run()
    assert not back.exception
    return back


def test_styles_and_wildcards_of_the_home_folder(at: AppTest, own_home: Path) -> None:
    (own_home / "styles.csv").write_text(
        'name,prompt,negative_prompt\nloud,"{prompt}, loud",quiet\n', encoding="utf-8"
    )
    (own_home / "wildcards").mkdir()
    (own_home / "wildcards" / "kit.txt").write_text("techno\n", encoding="utf-8")
    at.run()
    at.multiselect(key="txt2img_styles").set_value(["loud"])
    at.text_area(key="txt2img_prompt").set_value("__kit__ {drums}").run()
    request = asked(at).wish.request
    assert (request.prompt, request.negative) == ("techno drums, loud", "quiet")
    text = infotext.text(request)
    press(put(at, prompt=text, styles=[]), "txt2img_paste")
    assert at.text_area(key="txt2img_prompt").value == "techno drums"
    assert at.multiselect(key="txt2img_styles").value == ["loud"]


def test_a_matrix_and_a_plot_draw_their_sheets(at: AppTest, work_off: Worked, works: Works) -> None:
    put(at, prompt="house|drums", script="Prompt matrix")
    put(at, matrix_margin=2, cells=True)
    work_off(press(at))
    assert len(works()) == 3  # the sheet, and both pictures
    put(at, prompt="house", script="X/Y/Z plot", cells=False)
    put(at, x_axis="Sampler", x_names=["Euler", "Heun"], y_axis="Steps", y_line="1-2")
    work_off(press(at))
    assert len(works()) == 4
    text = works()[0].facts["parameters"]
    assert 'X Type: Sampler, X Values: "Euler,Heun", Y Type: Steps' in text
    put(at, script="None", x_axis="Nothing", prompt=text)
    press(at, "txt2img_paste")
    assert at.selectbox(key="txt2img_script").value == "X/Y/Z plot"
    assert at.multiselect(key="txt2img_x_names").value == ["Euler", "Heun"]
    task = asked(at)
    assert task.how == Axes(
        x=Values(axis="Sampler", line="Euler,Heun"), y=Values(axis="Steps", line="1-2")
    )


def test_a_plot_may_leave_the_seed_to_each_cell(at: AppTest) -> None:
    put(at, seed=-1, script="X/Y/Z plot", x_axis="Steps", x_line="1, 2", axes_varies_0=True)
    drawn = asked(at)
    assert drawn.wish.request.seed >= 0 and drawn.how.varies == (True, False, False)
    assert asked(put(at, axes_keeps_random=True)).wish.request.seed == -1


def test_prompts_come_from_the_box_or_a_file(at: AppTest, tmp_path: Path) -> None:
    put(at, script="Prompts from file or textbox", rounds=2)
    task = asked(put(at, lines_text="a\nb", lines_iterate_seed=True))
    assert task.how == Lines(text="a\nb", iterate_seed=True) and task.wish.request.batch == 2
    (tmp_path / "lines.txt").write_text("c\n", encoding="utf-8")
    kept = wire.kept(tmp_path / "lines.txt", settings.load().home)
    assert asked(put(at, lines_file=kept)).how == Lines(text="c\n", iterate_seed=True)


def test_a_matrix_is_asked_as_it_is_set(at: AppTest) -> None:
    put(at, prompt="a", negative="b|c", script="Prompt matrix")
    put(at, matrix_over="Negative prompt", matrix_at_start=True, matrix_different_seeds=True)
    assert asked(at).how == Matrix(over="negative", at_start=True, different_seeds=True)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"steps": 0}, "0 steps: give 1 to 1000"),
        ({"width": 65}, "65 pixels"),
        ({"batch": 0}, "A batch size of 0"),
        ({"rounds": 0}, "A batch count of 0: give 1 to 100"),
        ({"prompt": "<lora:nothing:1>"}, "Unknown LoRA 'nothing'"),
        ({"refiner_on": True}, "A refiner without a checkpoint"),
        ({"faces_on": True}, "No weight file of GFPGAN"),
        ({"hires_on": True, "hires_strength": 2.0}, "A second denoising strength of 2"),
        ({"options_eta": 0.5}, "Unknown option of this sampler 'eta'"),
        ({"script": "X/Y/Z plot"}, "A plot without an axis"),
        ({"script": "X/Y/Z plot", "x_axis": "Steps", "x_line": "many"}, "no whole number"),
        ({"script": "X/Y/Z plot", "x_axis": "Steps", "x_line": "1", "batch": 2}, "to 1"),
        ({"script": "Prompt matrix", "rounds": 2}, "set batch count and size to 1"),
        (
            {"script": "Prompts from file or textbox", "lines_text": "--steps many"},
            "--steps is 'many'",
        ),
    ],
)
def test_a_refusal_is_a_sentence_and_nothing_is_queued(
    at: AppTest, values: dict[str, Any], sentence: str
) -> None:
    press(put(at, **values))
    assert sentence in refusals(at)
    assert jobs() == []


def test_a_checkpoint_that_is_not_here_is_refused(
    opened: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIFFAPP_IMAGE_CHECKPOINT", "nothing")
    assert "Unknown checkpoint 'nothing'" in refusals(press(opened("txt2img")))
    assert jobs() == []


def test_what_only_the_model_can_refuse_is_the_job_s_sentence(
    opened: Callable[..., AppTest],
    work_off: Worked,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    monkeypatch.setenv("RIFFAPP_IMAGE_CHECKPOINT", str(broken))
    page = work_off(press(opened("txt2img")))
    assert "broken.safetensors" in refusals(page)
    assert [job.state for job in jobs()] == ["failed"]
