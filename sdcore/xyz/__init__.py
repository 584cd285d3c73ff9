"""X/Y/Z plots: a request drawn for every value of up to three axes.

`planned` refuses what is too large and says in which order the cells are drawn, the dearest axis
(another checkpoint) changing least often; `run` draws them; `sheets` lays them out.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from PIL.Image import Image

from sdcore.errors import Cancelled, RequestError, SdError, lookup
from sdcore.post.grid import Label, check_pixels, sheet
from sdcore.types import ImageRequest, ImageResult
from sdcore.xyz.axes import AXES, Axis, Cell

__all__ = ["AXES", "Axis", "Cell", "Plan", "Plot", "Values", "planned", "run", "sheets"]

MAX_CELLS = 2000
Place = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Values:
    """One axis and its values, as they are typed: "1-5", "Euler, Heun"."""

    axis: str
    line: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is drawn where. Places are (x, y, z), each from 0."""

    # In the order in which they are to be drawn.
    cells: Mapping[Place, Cell]
    # Of the columns, the rows and the sheets; one empty label where there is no such axis.
    labels: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    # What the pictures' texts say of the plot.
    extra: Mapping[str, str]

    @property
    def size(self) -> Place:
        """Columns, rows and sheets."""
        x, y, z = (len(labels) for labels in self.labels)
        return x, y, z


@dataclass(frozen=True, kw_only=True, eq=False)
class Plot:
    """What came of a plan; a cell that failed has a sentence instead of a result."""

    plan: Plan
    results: Mapping[Place, ImageResult] = field(default_factory=dict)
    errors: Mapping[Place, str] = field(default_factory=dict)


def planned(
    request: ImageRequest,
    x: Values | None = None,
    y: Values | None = None,
    z: Values | None = None,
    *,
    keeps_random: bool = False,
    varies: Sequence[bool] = (False, False, False),
) -> Plan:
    """The cells of up to three axes around a request of one image.

    Args:
        request: what all cells have in common; a seed of -1 is drawn once for all of them.
        x, y, z: columns, rows and sheets.
        keeps_random: whether a seed of -1 is left to each cell.
        varies: whether each step along x, y, z has another seed: seed + ix + iy X + iz X Y, of
            the axes that vary.

    Raises:
        UnknownName: no such axis, or value. PromptError: words that are not in the prompt.
        RequestError: values that cannot be read, a part that the request lacks, too many cells,
        or a sheet of more than 200 megapixels.
    """
    if request.batch != 1:
        raise RequestError(f"a plot draws one picture a cell: {request.batch} were asked")
    if request.seed == -1 and not keeps_random:
        request = replace(request, seed=secrets.randbelow(2**32 - MAX_CELLS))
    axes = [_read(values) for values in (x, y, z)]
    counts = [len(values) for _, _, values in axes]
    cells = counts[0] * counts[1] * counts[2]
    if cells > MAX_CELLS:
        raise RequestError(f"{cells} cells: give values for at most {MAX_CELLS}")
    check_pixels((request.width, request.height), counts[0], counts[1])
    found: dict[Place, Cell] = {}
    for place in _order(axes):
        cell = Cell(request=request)
        # The dearest first, so that a checkpoint is there when a VAE is put into it.
        for number in sorted(range(3), key=lambda n: -axes[n][1].cost):
            _, axis, values = axes[number]
            cell = axis.apply(cell, values[place[number]])
        found[place] = replace(cell, request=_seeded(cell.request, place, counts, varies))
    labels = [
        tuple(axis.label(name, value) if name else "" for value in values)
        for name, axis, values in axes
    ]
    return Plan(
        cells=found,
        labels=(labels[0], labels[1], labels[2]),
        extra=_said(("X", x), ("Y", y), ("Z", z)),
    )


def run(plan: Plan, draw: Callable[[Cell], ImageResult]) -> Plot:
    """Every cell drawn; one that fails is left blank, and says why.

    Raises:
        Cancelled: as soon as a drawing does.
    """
    results: dict[Place, ImageResult] = {}
    errors: dict[Place, str] = {}
    for place, cell in plan.cells.items():
        try:
            results[place] = draw(cell)
        except Cancelled:
            raise
        except SdError as error:
            errors[place] = str(error)
            continue
        if results[place].is_interrupted:
            break
    return Plot(plan=plan, results=results, errors=errors)


def sheets(plot: Plot, *, margin: int = 0) -> tuple[Image, ...]:
    """One 'RGB' sheet for each value of z, with legends; blank where a cell failed.

    Raises:
        RequestError: no cell was drawn.
    """
    if not plot.results:
        raise RequestError("no cell of the plot could be drawn: see what each says")
    columns, rows, depth = plot.plan.size
    above, beside, _ = plot.plan.labels
    made = []
    for iz in range(depth):
        places = [(ix, iy, iz) for iy in range(rows) for ix in range(columns)]
        found = [plot.results.get(place) for place in places]
        if not any(found):
            continue
        made.append(
            sheet(
                [None if result is None else result.images[0] for result in found],
                columns=columns,
                column_labels=[[Label(text=text)] for text in above] if any(above) else (),
                row_labels=[[Label(text=text)] for text in beside] if any(beside) else (),
                margin=margin,
            )
        )
    return tuple(made)


_NO_AXIS = Axis(read=lambda line: (None,), apply=lambda cell, value: cell)
_Read = tuple[str, Axis, tuple[Any, ...]]


def _read(values: Values | None) -> _Read:
    if values is None:
        return "", _NO_AXIS, (None,)
    axis = lookup(AXES, values.axis, "axis")
    found = axis.read(values.line)
    if not found:
        raise RequestError(f"the axis '{values.axis}' has no values: give some, such as 1-5")
    return values.axis, axis, found


def _order(axes: Sequence[_Read]) -> list[Place]:
    """Places with the dearest axis outermost; of equal ones z, y, x."""
    counts = [len(values) for _, _, values in axes]
    outer = sorted(range(3), key=lambda n: (-axes[n][1].cost, -n))
    places = []
    for indices in product(*(range(counts[n]) for n in outer)):
        at = dict(zip(outer, indices, strict=True))
        places.append((at[0], at[1], at[2]))
    return places


def _seeded(
    request: ImageRequest, place: Place, counts: Sequence[int], varies: Sequence[bool]
) -> ImageRequest:
    if request.seed == -1 or not any(varies):
        return request
    seed, stride = request.seed, 1
    for index, count, is_varied in zip(place, counts, varies, strict=True):
        if is_varied:
            seed += index * stride
            stride *= count
    return replace(request, seed=seed)


def _said(*axes: tuple[str, Values | None]) -> dict[str, str]:
    """The plot's keys in a picture's text."""
    said = {"Script": "X/Y/Z plot"}
    for letter, values in axes:
        if values is not None:
            said |= {f"{letter} Type": values.axis, f"{letter} Values": values.line}
    return said
