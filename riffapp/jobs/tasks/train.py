"""A LoRA, a word or a checkpoint learned from somebody's own recordings or pictures."""

from __future__ import annotations

import csv
import filecmp
import io
import itertools
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffapp.errors import UsageError
from riffapp.gallery import File, Made
from riffapp.jobs.desk import Desk, whole
from riffapp.jobs.tasks.given import named, second_name
from riffapp.jobs.tasks.loops import loop_facts

if TYPE_CHECKING:
    from riffapp.settings import Settings
    from riffapp.studio.text_to_audio import Progress
    from riffapp.studio.train_own import OwnTraining, Trained

KIND = "train"
WORK = "training"  # the home's folder in which trainings go on, each by its job's number
WORDS = {"lora": "LoRA", "embedding": "word", "full": "checkpoint"}
# What sdcore calls what lies in the folders of models.
_KINDS = {"lora": "LoRA", "embedding": "embedding", "full": "checkpoint"}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A recording or a picture, what its giver calls it, and what it shows."""

    path: Path
    name: str
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Something to be learned of samples, or of a folder on this machine; the other fields are
    those of `OwnTraining`."""

    name: str
    samples: tuple[Sample, ...] = ()
    folder: Path | None = None
    what: str = "lora"
    checkpoint: str = "loops"
    trigger: str = ""
    bpm: float | None = None
    size: int | None = None
    steps: int | None = None
    batch: int | None = None
    lr: float | None = None
    rank: int = 8
    text: bool = False
    vectors: int = 4
    begins_as: str = ""
    seed: int = 0
    previews: int = 100

    @property
    def title(self) -> str:
        return f"{self.name} · {WORDS.get(self.what, self.what)}"

    def refuse(self, settings: Settings) -> None:
        """Raises UsageError and sdcore's errors for what can be told before anything is read."""
        from riffapp.studio import files, own_data, train_own

        sounds = {sample.path.suffix in files.SOUND_SUFFIXES for sample in self.samples}
        if self.folder is not None:
            own_data.kind_of(self.folder)
        elif not sounds:
            raise UsageError("nothing to learn from: give recordings, or pictures")
        elif len(sounds) > 1:
            raise UsageError("recordings and pictures: one of them is learned, take the other out")
        train_own.refuse(self._wish(settings, folder=Path(), work=Path()))
        _refuse_taken(settings, self.what, self.name)

    def perform(self, desk: Desk) -> None:
        """Goes on from the last state of a run that was cut off; a stop keeps what was learned."""
        if desk.made:
            return
        work = desk.database.home / WORK / str(desk.job.id)
        try:
            self._train(desk, work)
        finally:  # but not where the process ends, which goes on then
            shutil.rmtree(work, ignore_errors=True)

    def _train(self, desk: Desk, work: Path) -> None:
        from riffapp.studio import own_data, train_own

        desk.step(0, 0, "loading the model")
        desk.models.forget()  # for its memory; a new word is read when a model is loaded again
        folder = self._laid(work / "data") if self.folder is None else self.folder
        watch = _Watch(desk, work)
        trained = train_own.train_own(
            self._wish(desk.settings, folder=folder, work=work),
            on_preview=watch.seen,
            on_file=watch.heard,
            on_progress=watch.learned,
        )
        self._keep(trained, own_data.kind_of(folder), watch, desk)

    def _wish(self, settings: Settings, *, folder: Path, work: Path) -> OwnTraining:
        from riffapp.studio.train_own import OwnTraining

        same = {f.name for f in fields(OwnTraining)} & {f.name for f in fields(self)} - {"folder"}
        return OwnTraining(
            **{name: getattr(self, name) for name in same},
            folder=folder,
            work=work,
            models=settings.roots,
            device=settings.device,
            threads=settings.threads,
        )

    def _laid(self, folder: Path) -> Path:
        """The samples in a folder, under their names, with what they show."""
        from riffapp.studio.own_data import CAPTIONS

        folder.mkdir(parents=True, exist_ok=True)
        table = io.StringIO(newline="")
        for name, sample in zip(_names(self.samples), self.samples, strict=True):
            second_name(sample.path, folder / name)
            if caption := " ".join(sample.caption.split()):
                csv.writer(table).writerow((name, caption))
        whole(folder / CAPTIONS, lambda path: path.write_text(table.getvalue(), encoding="utf-8"))
        return folder

    def _keep(self, trained: Trained, kind: str, watch: _Watch, desk: Desk) -> None:
        """The result among the models, and how it sounds or looks into the gallery."""
        place = _placed(trained.path, self.what, desk.settings)
        files, facts = _shown(watch.last, desk, self.name)
        if place.is_file():
            copy = desk.path(0, place.suffix, words=f"{self.name} {WORDS[self.what]}")
            second_name(place, copy)
            files.append(File(role="archive", path=copy, name=WORDS[self.what]))
        count, steps = trained.examples, watch.steps
        made = Made(
            kind=KIND,
            title=f"{place.stem} · {WORDS[self.what]}",
            words=f"{self.name} {self.trigger}",
            task=desk.packed(self),
            files=tuple(files),
            facts={
                **facts,
                "told": [
                    f"{count} example{'s' * (count != 1)}, {steps} step{'s' * (steps != 1)}, "
                    f"last loss {trained.loss:.4f}",
                    f"It lies in {_home(place, desk.settings)}, where prompts find it",
                ],
                "step_s": watch.step_s,
                **self._used(place, kind),
            },
            lines=trained.notes,
        )
        desk.keep(0, made)

    def _used(self, place: Path, kind: str) -> dict[str, str]:
        """What to put into the words of which room, and what stands before it where none do."""
        inserts = {"lora": f"<lora:{place.stem}:1>", "embedding": place.stem}
        if self.what not in inserts:
            return {"checkpoint": str(place)}
        caption = self.samples[0].caption if self.samples and self.what == "lora" else ""
        return {
            "insert": inserts[self.what],
            "into": "loop" if kind == "sounds" else "txt2img",
            "words": ", ".join(filter(None, (self.trigger, caption))),
        }


class _Watch:
    """What is told of a training while it goes on."""

    def __init__(self, desk: Desk, work: Path) -> None:
        self._desk, self._began = desk, (0, 0.0)
        self.steps, self.step_s = 0, 0.0  # seconds of a step, previews with it
        # The newest preview, if there is one.
        self.last: Path | None = max(work.glob("previews/step_*"), default=None)

    def heard(self, name: str, number: int, count: int) -> None:
        self._desk.step(0, 0, f"opening {name}, {number + 1} of {count}")

    def learned(self, progress: Progress) -> None:
        """Raises Interrupted where the owner asked to stop: what was learned is kept."""
        from sdcore.errors import Cancelled, Interrupted

        now, self.steps = time.monotonic(), progress.done
        if self._began[0] == 0:
            self._began = (progress.done, now)
        elif progress.done > self._began[0]:
            self.step_s = (now - self._began[1]) / (progress.done - self._began[0])
        try:
            self._desk.step(progress.done, progress.total, "learning")
        except Cancelled as stop:
            raise Interrupted from stop

    def seen(self, path: Path) -> None:
        from PIL import Image

        from audio import files as sounds

        self.last = path
        with Image.open(path.with_suffix(".png")) as picture:
            self._desk.show(picture, sounds.read(path) if path.suffix == ".wav" else None)


def _names(samples: Sequence[Sample]) -> list[str]:
    """A name for each, by which no two are the same."""
    found: list[str] = []
    for sample in samples:
        name = Path(named(sample.path, sample.name))
        tries = (name.stem if n == 1 else f"{name.stem}-{n}" for n in itertools.count(1))
        taken = {one.casefold() for one in found}
        found.append(
            next(f"{s}{name.suffix}" for s in tries if f"{s}{name.suffix}".casefold() not in taken)
        )
    return found


def _refuse_taken(settings: Settings, what: str, name: str) -> None:
    """Raises UsageError for a name that a model of its kind has already."""
    from riffapp.studio import checkpoints
    from sdcore.models.folders import Folders

    there = Folders(roots=settings.roots).all(_KINDS[what])  # type: ignore[arg-type]
    taken = {found.name.rpartition("/")[2].casefold() for found in there}
    if what == "full":
        taken |= {known.casefold() for known in checkpoints.names()}
    if name.casefold() in taken:
        raise UsageError(f"there is a {WORDS[what]} '{name}' already: give another name")


def _placed(result: Path, what: str, settings: Settings) -> Path:
    """The result in the folder of models, under its name or, where that is taken, one like it."""
    from riffapp.studio.train_own import HOMES

    folder = settings.models / HOMES[what]
    folder.mkdir(parents=True, exist_ok=True)
    for n in itertools.count(1):
        stem = result.stem if n == 1 else f"{result.stem}-{n}"
        place = folder / f"{stem}{result.suffix}"
        if not place.exists():
            shutil.move(result, place)
            return place
        if place.is_file() and filecmp.cmp(result, place, shallow=False):
            return place  # a run that was cut off has put it there
    raise AssertionError("unreachable: counting has no end")


def _shown(last: Path | None, desk: Desk, name: str) -> tuple[list[File], dict[str, Any]]:
    """The last preview, among what is finished, and what a player needs of it."""
    from audio import files as sounds
    from audio import pictures

    if last is None:
        return [], {}
    place = desk.path(0, ".png", words=f"{name} preview")
    second_name(last.with_suffix(".png"), place)
    picture = File(role="picture", path=place)
    if last.suffix == ".png":
        return [picture], {}
    second_name(last, place.with_suffix(".wav"))
    tempo, params = sounds.read_loop(last), pictures.read(place).params
    assert tempo is not None and params is not None  # ours say both
    facts = dict(loop_facts(tempo, params, closed=True))
    return [File(role="sound", path=place.with_suffix(".wav")), picture], facts


def _home(place: Path, settings: Settings) -> str:
    """A place as it is told: below the home folder, from there on."""
    inside = place.is_relative_to(settings.home)
    return f"{place.relative_to(settings.home)} of the home folder" if inside else str(place)
