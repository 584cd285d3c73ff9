"""Series as jobs, on a tiny checkpoint of random weights: plumbing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from riffapp.errors import UsageError
from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.tasks.images import Canvas
from riffapp.jobs.tasks.series import Lines, Many, Matrix
from riffapp.studio.images import ImageWish
from riffapp.studio.library import Library
from riffapp.studio.series import Axes
from sdcore.errors import SdError
from sdcore.types import ImageRequest
from sdcore.xyz import Values

Performed = Callable[[str, Many], list[Work]]


@pytest.fixture
def wish(tiny: Path) -> ImageWish:
    request = ImageRequest(prompt="house", seed=5, width=32, height=32, steps=1, cfg=1.0)
    return ImageWish(request=request, checkpoint=str(tiny))


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    path = tmp_path / "styles.csv"
    path.write_text('name,prompt,negative_prompt\nloud,"{prompt}, loud",quiet\n', encoding="utf-8")
    return path


def _size(work: Work) -> tuple[int, int]:
    file = work.file("picture")
    assert file is not None
    with Image.open(file.path) as made:
        return made.size


def _worded(wish: ImageWish, prompt: str) -> ImageWish:
    return replace(wish, request=replace(wish.request, prompt=prompt))


def test_a_plot_is_one_labelled_sheet_and_its_cells_where_they_are_wanted(
    performed: Performed, wish: ImageWish, found: Any
) -> None:
    axes = Axes(x=Values(axis="Seed", line="5-6"), y=Values(axis="Steps", line="1, 2"))
    (sheet,) = performed("txt2img", Many(wish=wish, how=axes))
    assert _size(sheet)[0] >= 2 * 32 and "Script: X/Y/Z plot" in sheet.facts["parameters"]
    task = wire.loads(sheet.task, found.home)
    assert task.how.x.line == "5-6"
    works = performed("txt2img", replace(task, cells=True))
    assert len(works) == 5 and [work.facts["seed"] for work in works[1:]] == [5, 6, 5, 6]


def test_a_plot_s_styles_come_from_the_file(
    performed: Performed, wish: ImageWish, styles: Path
) -> None:
    axes = Axes(x=Values(axis="Styles", line="None, loud"))
    works = performed("txt2img", Many(wish=wish, how=axes, styles=styles, cells=True))
    assert "house, loud\nNegative prompt: quiet" in works[2].facts["parameters"]


def test_a_matrix_of_the_negative_prompt(performed: Performed, wish: ImageWish) -> None:
    wish = replace(wish, request=replace(wish.request, negative="a|b"))
    how = Matrix(over="negative", different_seeds=True)
    works = performed("txt2img", Many(wish=wish, how=how, cells=True))
    assert [work.facts["seed"] for work in works[1:]] == [5, 6]
    assert "Negative prompt: a, b\n" in works[2].facts["parameters"]


def test_lines_are_kept_each_for_itself(performed: Performed, wish: ImageWish) -> None:
    how = Lines(text="drums\n--prompt bass --steps 2", iterate_seed=True)
    works = performed("txt2img", Many(wish=wish, how=how))
    assert [work.facts["seed"] for work in works] == [5, 6]
    assert works[1].facts["parameters"].startswith("bass\nSteps: 2,")


def test_a_series_may_begin_from_a_picture(
    performed: Performed, wish: ImageWish, picture: Path
) -> None:
    canvas = Canvas(picture=picture, start={"strength": 0.5})
    axes = Axes(x=Values(axis="Denoising", line="0, 1"))
    (sheet,) = performed("img2img", Many(wish=wish, how=axes, canvas=canvas))
    assert sheet.kind == "img2img" and _size(sheet)[0] >= 2 * 32


@pytest.mark.parametrize(
    ("how", "prompt", "sentence"),
    [
        (Matrix(), "|".join("abcdefghijklm"), "the prompt matrix has 12 parts"),
        (Lines(text="--steps many"), "a", "--steps is 'many'"),
        (Axes(x=Values(axis="Stepz", line="1")), "a", "unknown axis 'Stepz'"),
        (Axes(x=Values(axis="Steps", line="")), "a", "without values"),
        (Axes(x=Values(axis="Prompt S/R", line="b, c")), "a", "'b' stands in no prompt"),
        (Axes(x=Values(axis="Hires steps", line="1")), "a", "which the request lacks"),
        (Axes(x=Values(axis="Mask blur", line="1")), "a", "which the request lacks"),
        (Axes(x=Values(axis="Checkpoint name", line="no")), "a", "unknown checkpoint 'no'"),
        (Axes(x=Values(axis="Refiner checkpoint", line="no")), "a", "unknown checkpoint 'no'"),
        (Axes(x=Values(axis="VAE", line="no")), "a", "unknown VAE 'no'"),
        (Axes(x=Values(axis="Prompt", line="<lora:no:1>")), "a", "unknown LoRA 'no'"),
        (Lines(text="--prompt a --sd_model no"), "a", "unknown checkpoint 'no'"),
        (Lines(text="<lora:no:1>"), "a", "unknown LoRA 'no'"),
    ],
)
def test_what_cannot_be_a_series_is_refused_without_a_model(
    wish: ImageWish, how: Axes | Matrix | Lines, prompt: str, sentence: str
) -> None:
    with pytest.raises((SdError, UsageError), match=sentence):
        Many(wish=_worded(wish, prompt), how=how).refuse(Library(device="cpu"))


def test_an_axis_of_img2img_is_not_refused_where_there_is_a_picture(wish: ImageWish) -> None:
    canvas = Canvas(picture=Path("nowhere.png"), mask={})
    Many(wish=wish, how=Axes(x=Values(axis="Mask blur", line="1")), canvas=canvas).refuse(
        Library(device="cpu")
    )
