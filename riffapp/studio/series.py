"""Many pictures of one wish: X/Y/Z plots, prompt matrices, prompts from a file."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from riffapp.studio.images import Drawn, ImageWish, drawn_of, make, noted
from riffapp.studio.library import Library

if TYPE_CHECKING:
    from sdcore.models.checkpoint import Checkpoint
    from sdcore.prompt.styles import Style
    from sdcore.types import ImageRequest, ImageResult, Step
    from sdcore.xyz import Cell, Plan, Values

Report = Callable[["Step"], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """Pictures in the order of their places, the sheets that show them side by side, and what the
    user should know."""

    pictures: tuple[Drawn, ...]
    sheets: tuple[Drawn, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Axes:
    """What a plot varies along columns, rows and sheets."""

    x: Values | None = None
    y: Values | None = None
    z: Values | None = None
    # Whether a seed of -1 is left to each cell, and along which axes the seed counts on.
    keeps_random: bool = False
    varies: tuple[bool, bool, bool] = (False, False, False)
    # Pixels between the pictures of a sheet.
    margin: int = 0


def plot(
    library: Library,
    wish: ImageWish,
    axes: Axes,
    *,
    styles: Mapping[str, Style] | None = None,
    on_step: Report,
) -> Series:
    """An X/Y/Z plot. A cell that fails is left blank, and a note says why.

    Raises sdcore's errors: whatever can be refused before any cell is drawn.
    """
    from sdcore.xyz import planned, run, sheets

    given = {"x": axes.x, "y": axes.y, "z": axes.z}
    plan = planned(wish.request, **given, keeps_random=axes.keeps_random, varies=axes.varies)
    for name in {cell.checkpoint or wish.checkpoint for cell in plan.cells.values()}:
        library.path(name)
    report = _Counted(on_step, len(plan.cells))
    used: dict[int, Checkpoint] = {}

    def draw(cell: Cell) -> ImageResult:
        from sdcore.generate import generate

        checkpoint = library.checkpoint(
            cell.checkpoint or wish.checkpoint, vae=cell.vae or wish.vae
        )
        asked = _styled(cell, styles or {})
        with library.computing(checkpoint, asked) as ready:
            result = generate(ready, asked, on_step=report, shelf=library.shelf)
        report.finished += 1
        used[id(result)] = checkpoint
        return result

    def drawn(result: ImageResult, extra: Mapping[str, str] | None = None) -> Drawn:
        return drawn_of(result, library, used[id(result)], wish, extra=extra)[0]

    done = run(plan, draw)
    whole = sheets(done, margin=axes.margin)
    results = [done.results[place] for place in sorted(done.results, key=lambda p: p[::-1])]
    failed = [f"{_named(plan, place)}: {said}" for place, said in sorted(done.errors.items())]
    told = drawn(results[0], plan.extra)
    return Series(
        pictures=tuple(drawn(result) for result in results),
        sheets=tuple(replace(told, picture=sheet) for sheet in whole),
        notes=noted([*failed, *(note for result in results for note in result.notes)], wish),
    )


def _styled(cell: Cell, styles: Mapping[str, Style]) -> ImageRequest:
    from sdcore.prompt.styles import applied

    asked = cell.request
    prompt, negative = applied(asked.prompt, asked.negative, cell.styles, styles)
    return replace(asked, prompt=prompt, negative=negative)


def _named(plan: Plan, place: tuple[int, int, int]) -> str:
    said = [labels[at] for labels, at in zip(plan.labels, place, strict=True) if labels[at]]
    return f"the cell {', '.join(said)}"


def matrix(
    library: Library,
    wish: ImageWish,
    *,
    over: Literal["prompt", "negative"] = "prompt",
    at_start: bool = False,
    different_seeds: bool = False,
    margin: int = 0,
    on_step: Report,
) -> Series:
    """Every combination of the parts that bars set off in the prompt, on one labelled sheet."""
    from sdcore.post.grid import Label, check_pixels, sheet
    from sdcore.prompt.matrix import matrix as combinations

    asked = replace(wish.request, seed=_drawn_seed(wish.request.seed))
    found = combinations(getattr(asked, over), at_start=at_start)
    columns = len(found.columns)
    check_pixels((asked.width, asked.height), columns, len(found.rows), margin=margin)
    wishes = []
    for number, text in enumerate(found.prompts):
        one = replace(asked, seed=asked.seed + (number if different_seeds else 0))
        one = replace(one, prompt=text) if over == "prompt" else replace(one, negative=text)
        wishes.append(replace(wish, request=one))
    series = _in_turn(library, wishes, on_step=on_step)

    lacking = len(wishes) - len(series.pictures)  # of a series that was stopped

    def legends(labels: Sequence[Any]) -> list[list[Label]]:
        return [[Label(text=one.text, is_active=one.is_on) for one in label] for label in labels]

    whole = sheet(
        [*(one.picture for one in series.pictures), *[None] * lacking],
        columns=columns,
        column_labels=legends(found.columns),
        row_labels=legends(found.rows) if len(found.rows) > 1 else (),
        margin=margin,
    )
    first = series.pictures[0]
    return replace(series, sheets=(replace(first, picture=whole),))


def lines(
    library: Library,
    wish: ImageWish,
    text: str,
    *,
    styles: Mapping[str, Style] | None = None,
    iterate_seed: bool = False,
    on_step: Report,
) -> Series:
    """The pictures of every line of a file of prompts.

    Args:
        text: as `sdcore.prompt.lines` reads it; a line changes the wish's request.
        iterate_seed: whether each line has the next seed where it names none.
    """
    from sdcore.errors import PromptError
    from sdcore.prompt.lines import read

    begun = replace(wish, request=replace(wish.request, seed=_drawn_seed(wish.request.seed)))
    wishes: list[ImageWish] = []
    for changes in read(text):
        number = len(wishes) if iterate_seed else 0
        one = replace(begun, request=replace(begun.request, seed=begun.request.seed + number))
        wishes.append(_changed(one, changes, styles or {}))
    if not wishes:
        raise PromptError("no line with a prompt: write one a line")
    return _in_turn(library, wishes, on_step=on_step)


def _changed(wish: ImageWish, changes: dict[str, Any], styles: Mapping[str, Style]) -> ImageWish:
    """A wish with what one line says."""
    from sdcore.prompt.styles import applied
    from sdcore.types import Faces, Variation

    asked, own = wish.request, dict(changes)
    checkpoint = own.pop("checkpoint", wish.checkpoint)
    repeats, names = own.pop("repeats", 1), own.pop("styles", ())
    if "faces" in own:
        own["faces"] = (asked.faces or Faces()) if own["faces"] else None
    varied = {key: own.pop(key) for key in list(own) if key.startswith("variation.")}
    if varied:
        width, height = (varied.pop(f"variation.resize_from.{s}", 0) for s in ("width", "height"))
        told = {key.removeprefix("variation."): value for key, value in varied.items()}
        if width > 0 and height > 0:
            told["resize_from"] = (width, height)
        own["variation"] = replace(asked.variation or Variation(), **told)
    asked = replace(asked, **own)
    prompt, negative = applied(asked.prompt, asked.negative, names, styles)
    asked = replace(asked, prompt=prompt, negative=negative, batch=asked.batch * repeats)
    return replace(wish, request=asked, checkpoint=checkpoint)


def _in_turn(library: Library, wishes: Sequence[ImageWish], *, on_step: Report) -> Series:
    report = _Counted(on_step, len(wishes))
    pictures: list[Drawn] = []
    notes: list[str] = []
    for wish in wishes:
        drawn, said = make(library, wish, on_step=report)
        report.finished += 1
        pictures += drawn
        notes += said
        if report.is_stopped:
            break
    return Series(pictures=tuple(pictures), notes=tuple(dict.fromkeys(notes)))


def _drawn_seed(seed: int) -> int:
    return secrets.randbelow(2**31) if seed == -1 else seed


class _Counted:
    """Steps of one request, counted as those of a whole series."""

    def __init__(self, report: Report, wishes: int) -> None:
        self.finished = 0
        self.is_stopped = False
        self._report, self._wishes = report, wishes

    def __call__(self, step: Step) -> None:
        from sdcore.errors import Interrupted, Skipped

        run = self.finished * step.runs + step.run
        try:
            self._report(replace(step, run=run, runs=self._wishes * step.runs))
        except Interrupted as stop:
            self.is_stopped = not isinstance(stop, Skipped)
            raise
