"""A sound re-imagined under other words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from riffapp.jobs.desk import Desk
from riffapp.jobs.tasks import sources
from riffapp.jobs.tasks.sources import Source
from riffapp.studio.types import LoopRequest

KIND = "remix"


@dataclass(frozen=True, kw_only=True)
class Remix:
    """A source anew, as long as it was and in its own tempo; `request` is planned.

    `strength` 0 gives the source back, 1 leaves its length and tempo alone.
    """

    source: Source
    request: LoopRequest
    strength: float = 0.6
    suffix: str = ".wav"

    @property
    def title(self) -> str:
        return self.request.prompt

    def perform(self, desk: Desk) -> None:
        """One sound, drawn on the source's picture."""
        from riffapp.studio.remake import reimagine

        if desk.made:
            return
        instrument = desk.models.instrument(self.request.checkpoint)
        remade = reimagine(
            instrument,
            self.source.canvas(instrument.sound),
            self.request,
            strength=self.strength,
            on_progress=desk.progress,
        )
        sources.keep(
            desk,
            0,
            remade,
            kind=KIND,
            title=f"{self.title} · strength {self.strength:g}",
            task=replace(self, request=remade.request),
            suffix=self.suffix,
        )
