"""Many loops in one go: a pack, which is one work with a row for each loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp.gallery import File, Made
from riffapp.jobs.desk import Desk
from riffapp.jobs.tasks import rows
from riffapp.jobs.tasks.loops import loop_facts
from riffapp.studio.packs import PackWish
from riffapp.studio.types import BEATS_PER_BAR, LONG_BARS, LoopRequest

if TYPE_CHECKING:
    from audio.types import SpectrogramParams
    from riffapp.studio.pack_files import Entry, PackLoop
    from riffapp.studio.packs import MadePack
    from riffapp.studio.text_to_audio import OnProgress, Progress
    from riffapp.studio.types import LoopResult

KIND = "pack"


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A pack; `batch_name` is what the giver of a batch file calls it."""

    wish: PackWish
    batch_name: str = ""

    @property
    def title(self) -> str:
        return self.wish.base.prompt or self.batch_name

    def perform(self, desk: Desk) -> None:
        """What a run that was cut off has made stays; what a stopped one has made is kept."""
        from riffapp.studio import packs
        from sdcore.errors import Cancelled

        if desk.made:
            return
        plan = packs.plan_pack(self.wish)
        folder = desk.path(0, "", words=self.title, kind=KIND)
        counter = _Counter(desk, folder, plan.loops)
        try:
            made = packs.make_pack(
                folder, plan, make=counter.make, zipped=True, on_progress=counter.progress
            )
        except Cancelled:
            if (left := packs.stopped(folder, plan)) is not None:
                desk.keep(0, self._kept(folder, left, counter.pace, desk))
            raise
        desk.keep(0, self._kept(folder, made, counter.pace, desk))

    def _kept(self, folder: Path, made: MadePack, pace: Mapping[str, float], desk: Desk) -> Made:
        from riffapp.studio import checkpoints
        from riffapp.studio.pack_files import INDEX, PLAN, TABLE

        assert made.archive is not None  # it was asked for
        count, seconds = len(made.entries), sum(entry.duration_s for entry in made.entries)
        loops = f"{count} loop{'s' * (count != 1)}"
        names = {entry.request.checkpoint for entry in made.entries}
        known = {name: checkpoints.read_sound(name).params for name in names}
        requests = [entry.request for entry in made.entries]
        facts = (_loop_facts(one, known[one.checkpoint]) for one in requests)
        told = list(zip(_titles(requests), facts, strict=True))
        beside = (("Table", TABLE), ("Index", INDEX), ("Plan", PLAN))
        first = [
            File(role="archive", path=made.archive, name=f"ZIP of {loops}"),
            *(File(role="text", path=folder / name, name=words) for words, name in beside),
        ]
        return Made(
            kind=KIND,
            title=f"{loops} · {self.title}",
            words=" ".join(sorted({entry.request.prompt for entry in made.entries}))[:2000],
            task=desk.packed(self),
            files=(*first, *_files(folder, made.entries)),
            facts={
                **rows.facts_of(told, first=len(first), pictures=True),
                "told": [f"{loops}, {seconds:.1f} s of sound"],
                **pace,
            },
            lines=made.notes,
        )


class _Counter:
    """Says which loop is being made, and shows each as it is there."""

    def __init__(self, desk: Desk, folder: Path, loops: Sequence[PackLoop]) -> None:
        self._desk, self._count, self._number = desk, len(loops), 0
        self._places = [folder / loop.picture for loop in loops]
        self._seconds, self._work = 0.0, 0

    def make(self, request: LoopRequest, on_progress: OnProgress) -> LoopResult:
        from riffapp.studio.text_to_audio import make_loops

        self._number = 1 + sum(place.exists() for place in self._places)
        instrument = self._desk.models.instrument(request.checkpoint)
        (result,) = make_loops(instrument, request, on_progress=on_progress)
        self._seconds += result.seconds
        self._work += work_of(request)
        if request.bars <= LONG_BARS:
            self._desk.show(result.picture, result.loop.clip)
        return result

    @property
    def pace(self) -> Mapping[str, float]:
        """Seconds for a step of a beat, under its name among facts; nothing before any loop."""
        return {"pace_s": self._seconds / self._work} if self._work else {}

    def progress(self, progress: Progress) -> None:
        self._desk.step(progress.done, progress.total, f"loop {self._number} of {self._count}")


def work_of(request: LoopRequest) -> int:
    """How much there is to do for a planned loop: its steps times its beats."""
    return (request.steps or 1) * request.bars * BEATS_PER_BAR


def _files(folder: Path, entries: Sequence[Entry]) -> Iterator[File]:
    """A sound and a picture for each loop."""
    for entry in entries:
        yield File(role="sound", path=folder / entry.file, name=entry.file)
        yield File(role="picture", path=folder / entry.picture, name=entry.picture)


# What a title says beside the words, where it is not the same of all.
_TOLD: Mapping[str, Callable[[Any], str]] = {
    "key": lambda key: key or "any key",
    "bpm": lambda bpm: f"{bpm:g} bpm",
    "bars": lambda bars: f"{bars} bar{'s' * (bars != 1)}",
    "negative": lambda words: f"without {words}" if words else "nothing left out",
    "cfg": lambda cfg: f"CFG {cfg:g}",
    "steps": lambda steps: f"{steps} steps",
    "sampler": str,
    "schedule": str,
    "quality": str,
    "checkpoint": lambda ref: Path(ref).name,
    "seed": lambda seed: f"seed {seed}",
}


def _titles(requests: Sequence[LoopRequest]) -> list[str]:
    """The words of each loop, and what else tells them apart; the seed where nothing else does."""
    varying = [name for name in _TOLD if len({getattr(one, name) for one in requests}) > 1]
    for names in (varying[:-1] if varying[-1:] == ["seed"] else varying, varying):
        titles = [
            " · ".join([one.prompt, *(_TOLD[name](getattr(one, name)) for name in names)])
            for one in requests
        ]
        if len(set(titles)) == len(titles):
            break
    return titles


def _loop_facts(request: LoopRequest, params: SpectrogramParams) -> Mapping[str, Any]:
    """What a player needs of a loop of the pack."""
    from audio import detail
    from riffapp.studio.drawing import tempo_of

    params = replace(params, rate=request.rate)
    shown = detail.finer(params) if request.detail else params
    return loop_facts(tempo_of(request), shown, closed=request.closed)
