"""Many pictures of one wish: X/Y/Z plot, prompt matrix, prompts from a file or a text box."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from riffapp.jobs.desk import Desk
from riffapp.jobs.tasks.images import Canvas, Watch, keep, named
from riffapp.jobs.tasks.refusals import names, refuse_vae
from riffapp.studio.images import ImageWish
from riffapp.studio.series import Axes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from riffapp.studio.library import Library
    from riffapp.studio.series import Series
    from sdcore.models.shelf import Shelf
    from sdcore.prompt.styles import Style
    from sdcore.xyz import Cell


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Every combination of the parts that bars set off in one of the prompts."""

    over: Literal["prompt", "negative"] = "prompt"
    at_start: bool = False
    different_seeds: bool = False
    # Pixels between the pictures of the sheet.
    margin: int = 0


@dataclass(frozen=True, kw_only=True)
class Lines:
    """A prompt a line, or a line of A1111's --arguments."""

    text: str
    iterate_seed: bool = False


@dataclass(frozen=True, kw_only=True)
class Many:
    """A series. Its wish has its seeds drawn, but where a plot draws one for each cell, and no
    start or mask: those are the canvas's."""

    wish: ImageWish
    how: Axes | Matrix | Lines
    canvas: Canvas | None = None
    # A styles.csv for what lines and axes name.
    styles: Path | None = None
    # Whether each picture is kept beside the sheets; those of lines always are.
    cells: bool = False

    @property
    def kind(self) -> str:
        """The room that asks for it."""
        return "txt2img" if self.canvas is None else "img2img"

    @property
    def title(self) -> str:
        return named(self.wish.request.prompt) or f"{self.kind}: {type(self.how).__name__.lower()}"

    def refuse(self, library: Library, *, known: Collection[str] | None = None) -> None:
        """Nothing, if its parts can be read, are not too many, and name what is there.

        Raises as making it would; see `refusals.names` for `known`.
        """
        from sdcore.prompt import lines, matrix
        from sdcore.xyz import planned

        request, how = self.wish.request, self.how
        shelf = names(library, known=known)
        if isinstance(how, Matrix):
            matrix.matrix(getattr(request, how.over), at_start=how.at_start)
        elif isinstance(how, Lines):
            found = lines.read(how.text)
            for checkpoint in {one["checkpoint"] for one in found if "checkpoint" in one}:
                shelf.checkpoint(checkpoint)
            _refuse_loras({one.get("prompt", "") for one in found}, shelf)
        else:
            outlined = request if self.canvas is None else self.canvas.outlined(request)
            axes = how.x, how.y, how.z
            plan = planned(outlined, *axes, keeps_random=how.keeps_random, varies=how.varies)
            cells = plan.cells.values()
            for checkpoint in set(_checkpoints(cells)):
                shelf.checkpoint(checkpoint)
            for vae in {cell.vae for cell in cells}:
                refuse_vae(library, vae, known=known)
            _refuse_loras({cell.request.prompt for cell in cells}, shelf)

    def perform(self, desk: Desk) -> None:
        """The sheets first, then the pictures."""
        library = desk.models.library
        checkpoint = library.checkpoint(self.wish.checkpoint, vae=self.wish.vae)
        series = self._made(library, Watch(desk, checkpoint, stages=1))
        pictures = series.pictures if self.cells or not series.sheets else ()
        for number, one in enumerate((*series.sheets, *pictures)):
            keep(desk, number, one, task=self, kind=self.kind, notes=series.notes)

    def _made(self, library: Library, watch: Watch) -> Series:
        from riffapp.studio import series

        wish, how, styles = self.wish, self.how, self._styles()
        if self.canvas is not None:
            wish = replace(wish, request=self.canvas.laid(wish.request))
        if isinstance(how, Matrix):
            return series.matrix(library, wish, **vars(how), on_step=watch)
        if isinstance(how, Lines):
            counts = how.iterate_seed
            return series.lines(
                library, wish, how.text, styles=styles, iterate_seed=counts, on_step=watch
            )
        return series.plot(library, wish, how, styles=styles, on_step=watch)

    def _styles(self) -> Mapping[str, Style]:
        from sdcore.prompt import styles

        return {} if self.styles is None else styles.read(self.styles)


def _checkpoints(cells: Iterable[Cell]) -> Iterator[str]:
    """All that the cells of a plot are drawn with, or in part."""
    for cell in cells:
        refiner, hires = cell.request.refiner, cell.request.hires
        own = (cell.checkpoint, refiner and refiner.checkpoint, hires and hires.checkpoint)
        yield from filter(None, own)


def _refuse_loras(prompts: Iterable[str], shelf: Shelf) -> None:
    """Raises UnknownName for a LoRA that one of the prompts names and nobody has."""
    from sdcore.prompt import parse, schedule

    parts = (part for prompt in prompts for part in schedule(parse(prompt), steps=1))
    for name in {lora.name for part in parts for s in part.segments for lora in s.loras}:
        shelf.lora(name)
