"""A part of a sound done again, and a sound played on: the rest stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from riffapp.jobs.desk import Desk
from riffapp.jobs.tasks import sources
from riffapp.jobs.tasks.sources import Source
from riffapp.studio.types import LoopRequest

if TYPE_CHECKING:
    from riffapp.studio.canvas import Canvas
    from riffapp.studio.checkpoints import Instrument
    from riffapp.studio.remake import Remade
    from riffapp.studio.text_to_audio import OnProgress, Progress

    Make = Callable[[Instrument, Canvas, LoopRequest, OnProgress], Remade]

KIND = "edit"


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Takes of a region done again; `request` is planned, take i has its seed + i.

    Bars are counted from 0 and the last one is not in it; None is all the time, or all up to the
    top. Of a mask white is done again, black stays.
    """

    source: Source
    request: LoopRequest
    first_bar: float | None = None
    last_bar: float | None = None
    low_hz: float = 0.0
    high_hz: float | None = None
    mask: Path | None = None
    strength: float = 1.0
    takes: int = 1
    suffix: str = ".wav"

    @property
    def title(self) -> str:
        return f"{self.request.prompt} · {self._where}"

    def perform(self, desk: Desk) -> None:
        from riffapp.studio.remake import Region, mask_at, redo

        mask = None if self.mask is None else mask_at(self.mask)
        region = Region(
            first_bar=self.first_bar,
            last_bar=self.last_bar,
            low_hz=self.low_hz,
            high_hz=self.high_hz,
        )
        _perform(
            self,
            desk,
            lambda instrument, canvas, request, told: redo(
                instrument,
                canvas,
                request,
                region=region,
                mask=mask,
                strength=self.strength,
                on_progress=told,
            ),
        )

    @property
    def _where(self) -> str:
        """'bars 2.1 to 3.1, 0 to 200 Hz': bar and beat from 1 on, as the player counts."""
        first, last = self.first_bar or 0.0, self.last_bar
        span = f"{place(first)} to {place(last or 0.0)}"
        times = f"from {place(first)}" if last is None else f"bars {span}"
        if last is None and first == 0:
            times = "all of it"
        if self.low_hz == 0 and self.high_hz is None:
            return times
        top = "the top" if self.high_hz is None else f"{self.high_hz:g} Hz"
        return f"{times}, {self.low_hz:g} Hz to {top}"


@dataclass(frozen=True, kw_only=True)
class Extend:
    """Takes of a sound led into by `before` bars and played on for `after`.

    `request` is planned, take i has its seed + i.
    """

    source: Source
    request: LoopRequest
    before: int = 0
    after: int = 0
    takes: int = 1
    suffix: str = ".wav"

    @property
    def title(self) -> str:
        ways = ((self.before, "before"), (self.after, "after"))
        told = ", ".join(f"{bars} {_bars(bars)} {where}" for bars, where in ways if bars)
        return f"{self.request.prompt} · {told}"

    def perform(self, desk: Desk) -> None:
        from riffapp.studio.remake import extend

        _perform(
            self,
            desk,
            lambda instrument, canvas, request, told: extend(
                instrument,
                canvas,
                request,
                before=self.before,
                after=self.after,
                on_progress=told,
            ),
        )


def place(bar: float) -> str:
    """A place in bars from 0 on as bar and beat from 1 on: '2.1', '2.3.50' half a beat later."""
    from riffapp.studio.types import BEATS_PER_BAR

    hundredths = round(bar * BEATS_PER_BAR * 100)
    beats, rest = divmod(hundredths, 100)
    whole, beat = divmod(beats, BEATS_PER_BAR)
    return f"{whole + 1}.{beat + 1}" + (f".{rest:02}" if rest else "")


def _perform(task: Edit | Extend, desk: Desk, make: Make) -> None:
    """Each take as it comes; those of a run that was cut off are not made twice."""
    if desk.made == task.takes:
        return
    instrument = desk.models.instrument(task.request.checkpoint)
    canvas = task.source.canvas(instrument.sound)
    for number in range(desk.made, task.takes):
        request = replace(task.request, seed=task.request.seed + number)
        remade = make(instrument, canvas, request, _told(desk, number, task.takes))
        sources.keep(
            desk,
            number,
            remade,
            kind=KIND,
            title=task.title,
            task=replace(task, request=remade.request, takes=1),
            suffix=task.suffix,
        )


def _told(desk: Desk, number: int, takes: int) -> OnProgress:
    def report(progress: Progress) -> None:
        stage = f"take {number + 1} of {takes}" if takes > 1 else ""
        desk.step(number * progress.total + progress.done, takes * progress.total, stage)

    return report


def _bars(n: int) -> str:
    return "bar" if n == 1 else "bars"
