"""Loops and pieces from words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from riffapp.gallery import File, Made
from riffapp.jobs.desk import Desk
from riffapp.studio.types import BEATS_PER_BAR, LONG_BARS, LoopRequest

if TYPE_CHECKING:
    from PIL.Image import Image

    from audio.types import SpectrogramParams, Tempo
    from riffapp.studio.types import LoopResult


@dataclass(frozen=True, kw_only=True)
class Loops:
    """Takes of one wish; `request` is planned, its seed drawn."""

    request: LoopRequest
    suffix: str = ".wav"
    # The page's name for it: "loop", or "journey" for what changes on its way.
    kind: str = "loop"

    @property
    def title(self) -> str:
        return self.request.prompt

    def perform(self, desk: Desk) -> None:
        """Each take as it comes; those of a run that was cut off are not made twice."""
        from riffapp.studio.text_to_audio import Progress, make_loops

        takes, first = self.request.takes, desk.made
        if first == takes:
            return
        instrument = desk.models.instrument(self.request.checkpoint)

        def report(progress: Progress) -> None:
            each = progress.total // (takes - first)
            take = min(first + (progress.done - 1) // each, takes - 1)
            stage = f"take {take + 1} of {takes}" if takes > 1 else ""
            desk.step(first * each + progress.done, takes * each, stage)

        def forming(picture: Image, take: LoopRequest) -> None:
            desk.show(picture, _draft(picture, take, instrument.sound.params))

        made = make_loops(
            instrument,
            _from(self.request, first),
            on_progress=report,
            on_forming=forming if desk.settings.previews else None,
        )
        for number, take in enumerate(made, start=first):
            desk.keep(number, self._kept(take, number, desk))

    def _kept(self, take: LoopResult, number: int, desk: Desk) -> Made:
        from riffapp.studio import files

        request = take.request
        path = desk.path(
            number,
            self.suffix,
            words=" ".join(filter(None, (request.prompt, request.key))),
            bpm=request.bpm,
            bars=request.bars,
            seed=request.seed,
        )

        def rendered(share: float) -> None:  # of a long piece: its picture is drawn by now
            desk.step(number + 1, self.request.takes, f"its sound, {share:.0%}")

        saved = files.save(take, path, on_share=rendered)
        return Made(
            kind=self.kind,
            title=request.prompt if request.key is None else f"{request.prompt} · {request.key}",
            words=f"{request.prompt} {request.negative} {request.key or ''}",
            task=desk.packed(replace(self, request=request)),
            files=(File(role="sound", path=saved.sound), File(role="picture", path=saved.picture)),
            facts=loop_facts(take.tempo, take.params, closed=request.closed)
            | {
                "prompt": request.prompt,
                "seed": request.seed,
                "made_s": take.seconds,
                "rtf": take.rtf,
            },
            lines=take.warnings,
        )


def loop_facts(tempo: Tempo, params: SpectrogramParams, *, closed: bool) -> dict[str, Any]:
    """What a player needs to know of a sound on a beat grid and its picture."""
    return {
        "seconds": tempo.samples(params.rate) / params.rate,
        "rate": params.rate,
        "bpm": tempo.bpm,
        "beats": tempo.beats,
        "meter": BEATS_PER_BAR,
        "loops": closed,
        "params": params.to_json(),
    }


def _from(planned: LoopRequest, first: int) -> LoopRequest:
    """The request for the takes from `first` on."""
    takes = planned.takes - first
    if planned.variant is not None and planned.variant.distance > 0:
        variant = replace(planned.variant, seed=planned.variant.seed + first)
        return replace(planned, variant=variant, takes=takes)
    return replace(planned, seed=planned.seed + first, takes=takes)


def _draft(picture: Image, take: LoopRequest, params: SpectrogramParams) -> Any:
    """How a picture that still forms sounds, quickly."""
    from riffapp.studio.drawing import tempo_of
    from riffapp.studio.text_to_audio import render

    if take.bars > LONG_BARS:
        return None
    tempo = tempo_of(take)
    shown = replace(params, rate=take.rate)
    return render(picture, shown, tempo, quality="draft", closed=take.closed).clip
