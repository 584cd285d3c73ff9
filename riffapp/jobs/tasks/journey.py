"""Pieces that change on their way: from words, and over a given sound in Riffusion's way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from riffapp.gallery import Made
from riffapp.jobs.desk import Desk
from riffapp.jobs.tasks import sources
from riffapp.jobs.tasks.loops import Loops
from riffapp.jobs.tasks.sources import Source
from riffapp.studio.types import LoopRequest

if TYPE_CHECKING:
    from riffapp.studio.types import LoopResult

KIND = "journey"


@dataclass(frozen=True, kw_only=True)
class Piece(Loops):
    """Takes of a timeline, a journey or a variant; `request` is planned, its seeds drawn."""

    kind: str = KIND

    @property
    def title(self) -> str:
        variant, told = self.request.variant, " → ".join(self._words)
        return told if variant is None else f"{told} · variant {variant.distance:g}"

    @property
    def _words(self) -> list[str]:
        """Everything that is said on the way."""
        request, later = self.request, []
        if request.timeline is not None:
            later = [mark.prompt for mark in request.timeline.marks]
        if request.journey is not None:
            later = [request.journey.prompt]
        return [request.prompt, *later]

    def _kept(self, take: LoopResult, number: int, desk: Desk) -> Made:
        made = super()._kept(take, number, desk)
        return replace(made, title=self.title, words=f"{made.words} {' '.join(self._words)}")


@dataclass(frozen=True, kw_only=True)
class Passage:
    """The source drawn `points` times, first under the request, at last under the goal's words.

    `request` is planned. What is None at the goal is as at the first step. Where the mask is black
    the source stays.
    """

    source: Source
    request: LoopRequest
    goal: str
    goal_seed: int | None = None
    goal_strength: float | None = None
    points: int = 8
    strength: float = 0.75
    mask: Path | None = None
    suffix: str = ".wav"

    @property
    def title(self) -> str:
        return f"{self.request.prompt} → {self.goal}"

    def perform(self, desk: Desk) -> None:
        """One piece of all steps."""
        from riffapp.studio.passage import Goal, travel
        from riffapp.studio.remake import mask_at

        if desk.made:
            return
        instrument = desk.models.instrument(self.request.checkpoint)
        remade = travel(
            instrument,
            self.source.canvas(instrument.sound),
            self.request,
            Goal(prompt=self.goal, seed=self.goal_seed, strength=self.goal_strength),
            points=self.points,
            strength=self.strength,
            mask=None if self.mask is None else mask_at(self.mask),
            on_progress=desk.progress,
        )
        planned = replace(remade.request, journey=None, bars=self.request.bars)
        sources.keep(
            desk,
            0,
            remade,
            kind=KIND,
            title=self.title,
            task=replace(self, request=planned),
            suffix=self.suffix,
        )
