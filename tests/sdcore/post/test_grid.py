from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdcore.errors import RequestError
from sdcore.post.grid import Label, check_pixels, layout, sheet

RNG = np.random.default_rng(0)

LAYOUTS = [
    # count, rows, batch, prevent empty -> columns, rows
    (1, -1, 1, False, (1, 1)),
    (2, -1, 1, False, (2, 1)),
    (4, -1, 1, False, (2, 2)),
    (5, -1, 1, False, (3, 2)),
    (6, -1, 1, False, (3, 2)),
    (7, -1, 1, False, (3, 3)),
    (8, -1, 1, False, (3, 3)),
    (8, -1, 1, True, (4, 2)),
    (7, -1, 1, True, (7, 1)),
    (12, -1, 1, True, (4, 3)),
    (12, 0, 2, False, (6, 2)),
    (3, 0, 8, False, (1, 3)),
    (10, 3, 1, False, (4, 3)),
    (2, 5, 1, False, (1, 2)),
]


@pytest.mark.parametrize(("count", "rows", "batch", "prevent_empty", "expected"), LAYOUTS)
def test_a_sheet_has_the_references_columns_and_rows(
    count: int, rows: int, batch: int, prevent_empty: bool, expected: tuple[int, int]
) -> None:
    assert layout(count, rows=rows, batch=batch, prevent_empty=prevent_empty) == expected


def _pictures(count: int, w: int = 40, h: int = 30) -> list[Image.Image]:
    return [Image.fromarray(RNG.integers(0, 200, (h, w, 3), dtype=np.uint8)) for _ in range(count)]


def test_pictures_lie_row_by_row_and_what_lacks_is_blank() -> None:
    pictures = _pictures(5)
    found = sheet([pictures[0], None, *pictures[2:]], columns=3, margin=4)
    assert found.size == (3 * 40 + 2 * 4, 2 * 30 + 4)
    for number, picture in enumerate(pictures):
        x, y = number % 3 * 44, number // 3 * 34
        place = found.crop((x, y, x + 40, y + 30))
        assert (place.tobytes() == picture.tobytes()) == (number != 1)
    blank = found.crop((88, 34, 128, 64))
    assert blank.getextrema() == ((255, 255),) * 3 == found.crop((44, 0, 84, 30)).getextrema()


def test_labels_stand_at_the_left_and_above_and_move_no_pixel_of_a_picture() -> None:
    pictures = _pictures(4, 128, 96)
    found = sheet(
        pictures,
        columns=2,
        row_labels=[[Label(text="one")], [Label(text="another")]],
        column_labels=[[Label(text="a"), Label(text="b")], [Label(text="c")]],
    )
    left, top = found.width - 256, found.height - 192
    assert left > 0 and top > 0
    for number, picture in enumerate(pictures):
        x, y = left + number % 2 * 128, top + number // 2 * 96
        assert found.crop((x, y, x + 128, y + 96)).tobytes() == picture.tobytes()
    ink = np.asarray(found.convert("L")) < 128
    assert ink[:top, left : left + 128].any() and ink[:top, left + 128 :].any()
    assert ink[top : top + 96, :left].any() and ink[top + 96 :, :left].any()
    assert not ink[:top, :left].any()


def _struck(is_active: bool) -> np.ndarray:
    found = sheet(
        [Image.new("RGB", (280, 280), "white")],
        columns=1,
        row_labels=[[Label(text="i i i i i i", is_active=is_active)]],
    )
    return np.asarray(found.convert("L"))


def test_an_inactive_label_is_grey_and_struck_through() -> None:
    """Between the letters there is a gap in each row of pixels; struck through, one has none."""
    active, inactive = _struck(True), _struck(False)
    assert active.min() < 50 and inactive.min() > 120
    columns = np.flatnonzero((active < 200).any(axis=0))
    inside = np.s_[:, columns[0] : columns[-1] + 1]
    assert not (active[inside] < 200).all(axis=1).any()
    assert (inactive[inside] < 200).all(axis=1).any()


def test_a_label_wider_than_its_column_is_broken_between_words() -> None:
    def height(text: str) -> int:
        pictures: list[Image.Image] = [Image.new("RGB", (100, 100))]
        return sheet(pictures, columns=1, column_labels=[[Label(text=text)]]).height

    assert height("word word word word word word word") > height("word word")


def test_a_sheet_of_more_than_200_megapixels_is_refused_before_it_is_made() -> None:
    check_pixels((1000, 1000), 20, 10)
    with pytest.raises(RequestError, match="210 megapixels: give fewer"):
        check_pixels((1000, 1000), 21, 10)
    with pytest.raises(RequestError, match="megapixels"):
        sheet([Image.new("RGB", (1000, 1000))] * 201, columns=3)


def test_what_cannot_be_laid_out_is_refused() -> None:
    with pytest.raises(RequestError, match="at least one picture"):
        layout(0)
    with pytest.raises(RequestError, match="rows from -1"):
        layout(3, rows=-2)
    with pytest.raises(RequestError, match="at least one of both"):
        sheet([None], columns=1)
    with pytest.raises(RequestError, match="0 columns"):
        sheet(_pictures(2), columns=0)
    with pytest.raises(RequestError, match="1 row labels for 2 rows"):
        sheet(_pictures(2), columns=1, row_labels=[[Label(text="a")]])
