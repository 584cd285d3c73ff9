from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sdcore.errors import Cancelled, PromptError, RequestError, UnknownName
from sdcore.generate import generate
from sdcore.models.checkpoint import Checkpoint
from sdcore.types import Hires, ImageRequest, ImageResult, Start, Variation
from sdcore.xyz import AXES, Cell, Values, planned, run, sheets
from sdcore.xyz.values import reals, wholes

REQUEST = ImageRequest(prompt="a red house", width=64, height=32, steps=4, seed=7)
FULL = replace(
    REQUEST,
    hires=Hires(),
    start=Start(image=Image.new("RGB", (64, 32))),
    variation=Variation(),
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1, 5,10", (1, 5, 10)),
        ("1-5", (1, 2, 3, 4, 5)),
        ("5-1", (5, 4, 3, 2, 1)),
        ("1-10 (+3)", (1, 4, 7, 10)),
        ("10-1 (-3)", (10, 7, 4, 1)),
        ("1-10 [4]", (1, 4, 7, 10)),
    ],
)
def test_ranges_of_whole_numbers(line: str, expected: tuple[int, ...]) -> None:
    assert wholes(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [("0.1-0.3 (+0.1)", (0.1, 0.2, 0.3)), ("0-1 [5]", (0, 0.25, 0.5, 0.75, 1)), ("7", (7.0,))],
)
def test_ranges_of_numbers_end_where_they_say(line: str, expected: tuple[float, ...]) -> None:
    assert reals(line) == pytest.approx(expected) and len(reals(line)) == len(expected)


@pytest.mark.parametrize(
    ("axis", "line", "requests"),
    [
        ("Steps", "1,2", [{"steps": 1}, {"steps": 2}]),
        ("CFG Scale", "1-2 (+0.5)", [{"cfg": 1.0}, {"cfg": 1.5}, {"cfg": 2.0}]),
        ("Sampler", "euler, dpm++ 2m", [{"sampler": "Euler"}, {"sampler": "DPM++ 2M"}]),
        ("Prompt S/R", "red, blue", [{}, {"prompt": "a blue house"}]),
        ("Prompt order", "red, house", [{}, {"prompt": "a house red"}]),
        ("Size", "64x64", [{"height": 64}]),
        ("Eta", "0.5", [{"sampler_options": {"eta": 0.5}}]),
        ("Var. strength", "0.3", [{"variation": Variation(strength=0.3)}]),
    ],
)
def test_an_axis_changes_its_field(axis: str, line: str, requests: list[dict[str, Any]]) -> None:
    plan = planned(REQUEST, Values(axis=axis, line=line))
    found = [cell.request for cell in plan.cells.values()]
    assert found == [replace(REQUEST, **changes) for changes in requests]


@pytest.mark.parametrize("name", sorted(AXES))
def test_every_axis_refuses_nonsense_in_a_sentence_or_takes_it_as_a_name(name: str) -> None:
    try:
        planned(FULL, Values(axis=name, line="!, ?"))
    except (RequestError, PromptError) as error:
        assert str(error) and "\n" not in str(error)


def test_the_dearest_axis_is_outermost_and_places_are_the_plot_s() -> None:
    plan = planned(
        REQUEST,
        Values(axis="Checkpoint name", line="a,b"),
        Values(axis="Steps", line="1-3"),
        Values(axis="Seed", line="1,2"),
    )
    cells = list(plan.cells.values())
    assert [cell.checkpoint for cell in cells] == ["a"] * 6 + ["b"] * 6
    assert [cell.request.steps for cell in cells[:6]] == [1, 2, 3, 1, 2, 3]
    assert plan.cells[1, 2, 0] == Cell(request=replace(REQUEST, steps=3, seed=1), checkpoint="b")
    assert plan.size == (2, 3, 2)
    assert plan.labels[1] == ("Steps: 1", "Steps: 2", "Steps: 3")
    assert plan.extra["Y Values"] == "1-3"


def test_all_cells_have_one_seed_unless_they_are_told_to_vary() -> None:
    axes = (Values(axis="Steps", line="1-3"), Values(axis="CFG Scale", line="1,2"))
    random = replace(REQUEST, seed=-1)
    assert len({cell.request.seed for cell in planned(random, *axes).cells.values()}) == 1
    kept = planned(random, *axes, keeps_random=True)
    assert {cell.request.seed for cell in kept.cells.values()} == {-1}
    varied = planned(REQUEST, *axes, varies=(True, True, False))
    assert {p: c.request.seed - 7 for p, c in varied.cells.items()} == {
        (ix, iy, 0): ix + 3 * iy for ix in range(3) for iy in range(2)
    }


@pytest.mark.parametrize(
    ("axes", "error", "sentence"),
    [
        ([Values(axis="Stepz", line="1")], UnknownName, "unknown axis 'Stepz': nearest 'Steps'"),
        ([Values(axis="Steps", line="many")], RequestError, "many"),
        ([Values(axis="Prompt S/R", line="green, x")], PromptError, "'green' stands in no prompt"),
        ([Values(axis="Hires steps", line="3")], RequestError, "which the request lacks"),
        ([Values(axis="Steps", line="1-100"), Values(axis="Seed", line="1-100")], RequestError,
         "10000 cells: give values for at most 2000"),
        ([Values(axis="Steps", line="")], RequestError, ""),
    ],
)  # fmt: skip
def test_what_cannot_be_plotted_is_refused_before_work(
    axes: list[Values], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as refusal:
        planned(REQUEST, *axes)
    assert sentence in str(refusal.value)


def test_a_sheet_of_too_many_pixels_is_refused_before_work() -> None:
    large = replace(REQUEST, width=2048, height=2048)
    with pytest.raises(RequestError, match="megapixels"):
        planned(large, Values(axis="Steps", line="1-10"), Values(axis="Seed", line="1-10"))


def test_a_plot_is_drawn_and_a_cell_that_fails_is_blank(checkpoint: Checkpoint) -> None:
    plan = planned(
        REQUEST, Values(axis="Steps", line="1,0,2"), Values(axis="Prompt S/R", line="red, blue")
    )

    def draw(cell: Cell) -> ImageResult:
        return generate(checkpoint, cell.request)

    plot = run(plan, draw)
    assert set(plot.errors) == {(1, 0, 0), (1, 1, 0)}
    assert plot.errors[1, 0, 0] == "0 steps: give 1 to 1000"
    (sheet,) = sheets(plot)
    pixels = np.asarray(sheet)
    left, top = sheet.width - 3 * 64, sheet.height - 2 * 32
    assert left > 0 and top > 0
    first = np.asarray(plot.results[0, 0, 0].images[0])
    assert np.array_equal(pixels[top : top + 32, left : left + 64], first)
    assert (pixels[top : top + 64, left + 64 : left + 128] == 255).all()


def test_a_cancelled_plot_ends() -> None:
    def draw(cell: Cell) -> ImageResult:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run(planned(REQUEST, Values(axis="Steps", line="1-3")), draw)
