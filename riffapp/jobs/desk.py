"""What a task gets to work with: models that stay loaded, a place for files, who watches."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from riffapp import naming
from riffapp.database import Database
from riffapp.gallery import Gallery, Made
from riffapp.jobs import wire
from riffapp.jobs.store import Job, Store
from riffapp.settings import Settings

if TYPE_CHECKING:
    from PIL.Image import Image

    from audio.types import Clip
    from riffapp.studio.checkpoints import Instrument
    from riffapp.studio.library import Library
    from riffapp.studio.text_to_audio import Progress
    from sdcore.types import Step

LIVE = "live"
NOTE = "worker.json"


class Task(Protocol):
    """What can be asked for: a frozen dataclass whose fields `wire` can write."""

    @property
    def title(self) -> str:
        """A few words for the queue."""
        ...

    def perform(self, desk: Desk) -> None:
        """Make it: keep each work as it is there, report each step. Raises what refuses it."""
        ...


class Models:
    """What a worker has in memory: one instrument, and the library of the image core.

    `NOTE` in the home says so, for the models page.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._instrument: Instrument | None = None
        self._named = ""
        self._library: Library | None = None

    def instrument(self, name: str) -> Instrument:
        """A checkpoint that knows how it sounds."""
        from riffapp.studio import checkpoints

        if self._instrument is None or self._named != name:
            self._instrument = None  # never two in memory
            gc.collect()
            settings = self._settings
            self._instrument = checkpoints.load(
                name,
                device=settings.device,
                threads=settings.threads,
                models=settings.roots,
            )
            self._named = name
            self.note()
        return self._instrument

    @property
    def library(self) -> Library:
        """The models of the settings."""
        from riffapp.studio.library import Library

        if self._library is None:
            self._library = Library(self._settings.roots, device=self._settings.device)
        return self._library

    def forget(self) -> None:
        """Let all of it go: something needs the memory, or has changed what lies in the folders."""
        self._instrument = self._library = None
        gc.collect()

    def note(self) -> None:
        """Write down who works here and what is loaded."""
        told = {"pid": os.getpid(), "checkpoint": self._named, "device": self._settings.device}
        self._settings.home.mkdir(parents=True, exist_ok=True)
        text = json.dumps(told)
        whole(self._settings.home / NOTE, lambda path: path.write_text(text, encoding="utf-8"))


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One job's place of work."""

    database: Database
    settings: Settings
    models: Models
    job: Job

    @property
    def made(self) -> int:
        """How many works of this job there are already, from a run that was cut off."""
        return Gallery(self.database).count_of(self.job.id)

    def path(self, number: int, suffix: str, **told: object) -> Path:
        """Where the `number`th work goes (0 the first): by the name pattern of the settings, whose
        fields are in `told`, in a folder for the day. The same for each run of a job, and for no
        other job."""
        counted = f"{self.job.id:05}" + (f"-{number + 1}" if number else "")
        day = time.strftime("%Y-%m-%d", time.localtime(self.job.asked_at))
        values = {"number": counted, "kind": self.job.kind, "date": day, **told}
        name = naming.filled(self.settings.name_pattern, values)
        path = self.settings.outputs / day / name.with_name(name.name + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def keep(self, number: int, made: Made) -> None:
        """The `number`th work is whole: into the gallery."""
        Gallery(self.database).add(made, owner=self.job.owner, job=self.job.id, number=number)

    def packed(self, task: Task) -> str:
        """A task as the text that makes its work again."""
        return wire.dumps(task, self.database.home)

    def step(self, done: int, total: int, stage: str = "") -> None:
        """Report a step. Raises Cancelled where the job's owner asked to stop."""
        from sdcore.errors import Cancelled

        if Store(self.database).report(self.job.id, done=done, total=total, stage=stage):
            raise Cancelled("stopped by the user")

    def progress(self, progress: Progress) -> None:
        """`step` in the shape that the sound side reports in."""
        self.step(progress.done, progress.total)

    def walked(self, step: Step) -> None:
        """`step` in the shape that the image core reports in; what there is by then is kept.

        Raises Interrupted where the job's owner asked to stop, Skipped for the next picture.
        """
        from sdcore.errors import Interrupted, Skipped

        store = Store(self.database)
        done = step.run * step.steps + step.index + 1
        total = max(step.runs * step.steps, 1)
        if store.report(self.job.id, done=done, total=total, stage=""):
            raise Interrupted
        if store.is_skipping(self.job.id):
            raise Skipped

    def show(self, picture: Image, sound: Clip | None = None) -> None:
        """A picture of what forms, and how that sounds, for who watches."""
        from audio import files

        if not self.settings.previews:
            return
        folder = self.database.home / LIVE
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / f"{self.job.id}.png"
        whole(place, lambda path: picture.save(path, "PNG", compress_level=1))
        if sound is not None:
            files.write(folder / f"{self.job.id}.wav", sound)
        Store(self.database).previewed(self.job.id)


def whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file under a temporary name and give it its own when it is whole."""
    part = path.with_name(f".{path.name}.part")
    try:
        write(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
