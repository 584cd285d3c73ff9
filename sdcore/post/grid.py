"""Sheets: pictures side by side, with what they show written along the edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isqrt

from PIL import Image, ImageDraw, ImageFont

from sdcore.errors import RequestError
from sdcore.resize import Size

# A sheet of more pixels is refused before anything is drawn for it.
MAX_PIXELS = 200_000_000
BACKGROUND = "white"
ACTIVE = "black"
INACTIVE = "#999999"
# The legends' letters: so many to a picture's side, and never smaller than can be read.
LETTERS = 20
MIN_FONT = 10

AnyFont = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, kw_only=True)
class Label:
    """One line of a legend."""

    text: str
    # An inactive one is struck through, in grey.
    is_active: bool = True


# The lines beside one row, or above one column.
Legend = Sequence[Label]


def layout(count: int, *, rows: int = -1, batch: int = 1, prevent_empty: bool = False) -> Size:
    """(columns, rows) of a sheet of `count` pictures.

    Args:
        rows: so many; 0 is as many as `batch`, -1 the square root of the count, rounded, or with
            `prevent_empty` the largest divisor of the count that is not above it.
    Raises:
        RequestError: nothing to lay out, or rows out of range.
    """
    if count < 1 or rows < -1 or batch < 1:
        raise RequestError(
            f"a sheet of {count} pictures in {rows} rows of a batch of {batch}: give at least one "
            "picture, and rows from -1"
        )
    if rows == 0:
        rows = batch
    elif rows == -1:
        rows = _divisor(count) if prevent_empty else round(count**0.5)
    rows = min(rows, count)
    return ceil(count / rows), rows


def _divisor(count: int) -> int:
    return next(n for n in range(isqrt(count), 0, -1) if count % n == 0)


def check_pixels(size: Size, columns: int, rows: int, *, margin: int = 0) -> None:
    """Refuses a sheet of columns x rows pictures of this size (width, height) that is too large.

    To be asked before the pictures are made.

    Raises:
        RequestError: more than 200 megapixels; says how many.
    """
    width = columns * size[0] + (columns - 1) * margin
    height = rows * size[1] + (rows - 1) * margin
    if width * height > MAX_PIXELS:
        raise RequestError(
            f"a sheet of {columns} x {rows} pictures of {size[0]} x {size[1]} has "
            f"{width * height / 1e6:.0f} megapixels: give fewer or smaller ones, at most "
            f"{MAX_PIXELS // 1_000_000} megapixels"
        )


def sheet(
    pictures: Sequence[Image.Image | None],
    *,
    columns: int,
    row_labels: Sequence[Legend] = (),
    column_labels: Sequence[Legend] = (),
    margin: int = 0,
) -> Image.Image:
    """The 'RGB' sheet of pictures, row by row; None and what lacks at the end are left blank.

    Args:
        columns: pictures in a row. Places are as large as the largest picture.
        row_labels: for each row the lines at its left; none is no space for them.
        column_labels: for each column the lines above it.
        margin: pixels between the pictures.
    Raises:
        RequestError: no picture, no column, labels that do not fit, or a sheet too large.
    """
    place = _place(pictures, columns)
    rows = ceil(len(pictures) / columns)
    for kind, labels, count in (("row", row_labels, rows), ("column", column_labels, columns)):
        if labels and len(labels) != count:
            raise RequestError(f"{len(labels)} {kind} labels for {count} {kind}s: give as many")
    check_pixels(place, columns, rows, margin=margin)
    font = _font(place)
    beside, above = (_wrapped(labels, font, place[0]) for labels in (row_labels, column_labels))
    left, top = _widest(beside, font), _highest(above, font)
    step_x, step_y = place[0] + margin, place[1] + margin
    size = (left + columns * step_x - margin, top + rows * step_y - margin)
    whole = Image.new("RGB", size, BACKGROUND)
    for number, picture in enumerate(pictures):
        if picture is not None:
            at = (left + number % columns * step_x, top + number // columns * step_y)
            whole.paste(picture.convert("RGB"), at)
    draw = ImageDraw.Draw(whole)
    for number, legend in enumerate(above):
        _write(draw, legend, font, (left + number * step_x + place[0] / 2, top / 2))
    for number, legend in enumerate(beside):
        _write(draw, legend, font, (left / 2, top + number * step_y + place[1] / 2))
    return whole


def _place(pictures: Sequence[Image.Image | None], columns: int) -> Size:
    """(width, height) of the largest picture."""
    there = [picture for picture in pictures if picture is not None]
    if not there or columns < 1:
        raise RequestError(
            f"a sheet of {len(there)} pictures in {columns} columns: give at least one of both"
        )
    return max(p.width for p in there), max(p.height for p in there)


def _font(place: Size) -> AnyFont:
    """The font that comes with pillow, in a size that suits the pictures."""
    return ImageFont.load_default(max(MIN_FONT, min(place) / LETTERS))


def _line(font: AnyFont) -> int:
    """Pixels from one line to the next."""
    top, bottom = font.getbbox("Äg|")[1::2]
    return ceil((bottom - top) * 1.4)


def _widest(legends: Sequence[Legend], font: AnyFont) -> int:
    """Pixels that the legends at the left take, with the space around them."""
    widths = [ceil(font.getlength(label.text)) for legend in legends for label in legend]
    return max(widths) + _line(font) if widths else 0


def _highest(legends: Sequence[Legend], font: AnyFont) -> int:
    """Pixels that the legends above take, with the space around them."""
    lines = max((len(legend) for legend in legends), default=0)
    return (lines + 1) * _line(font) if lines else 0


def _wrapped(legends: Sequence[Legend], font: AnyFont, width: int) -> list[list[Label]]:
    """The legends, their lines broken between words where they are wider than `width` pixels."""
    return [
        [
            Label(text=line, is_active=label.is_active)
            for label in legend
            for line in _lines(label.text, font, width)
        ]
        for legend in legends
    ]


def _lines(text: str, font: AnyFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _write(
    draw: ImageDraw.ImageDraw, legend: Legend, font: AnyFont, centre: tuple[float, float]
) -> None:
    """Lines one below the other around a centre, inactive ones struck through."""
    x, y = centre
    y -= (len(legend) - 1) * _line(font) / 2
    for label in legend:
        draw.text(
            (x, y), label.text, fill=ACTIVE if label.is_active else INACTIVE, font=font, anchor="mm"
        )
        if not label.is_active:
            half = font.getlength(label.text) / 2
            draw.line((x - half, y, x + half, y), fill=INACTIVE, width=max(1, _line(font) // 12))
        y += _line(font)
