"""Image jobs of the page: each in a thread of its own turn, watched and not waited for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from riffapp.settings import Settings
from riffapp.studio.images import Drawn
from riffapp.studio.library import Library
from riffapp.ui.work import sentence_for

if TYPE_CHECKING:
    from PIL.Image import Image

    from sdcore.types import Step

Made = tuple[list[Drawn], tuple[str, ...]]
Report = Callable[["Step"], None]
Show = Callable[["Image"], None]


class Job:
    """One press of a button. The worker writes, pages read."""

    def __init__(self, make: Callable[[Report, Show], Made]) -> None:
        self.drawn: list[Drawn] = []
        # What forms, as it looks by now.
        self.preview: Image | None = None
        self.notes: tuple[str, ...] = ()
        self.error: str | None = None
        self.share = 0.0
        self._make = make
        self._stop = threading.Event()
        self._finished = threading.Event()

    @property
    def finished(self) -> bool:
        return self._finished.is_set()

    def stop(self) -> None:
        """Ask for an end within one step; what there is by then is kept."""
        self._stop.set()

    def wait(self, timeout_s: float | None = None) -> None:
        """Until it is over, or for `timeout_s`."""
        self._finished.wait(timeout_s)

    def run(self) -> None:
        """The worker's turn; no error leaves it."""
        try:
            self.drawn, self.notes = self._make(self._advance, self._show)
        except Exception as error:  # the thread must outlive any picture
            self.error = sentence_for(error)
        finally:
            self._finished.set()

    def _show(self, picture: Image) -> None:
        self.preview = picture

    def _advance(self, step: Step) -> None:
        from sdcore.errors import Interrupted

        self.share = (step.run * step.steps + step.index + 1) / max(step.runs * step.steps, 1)
        if self._stop.is_set():
            raise Interrupted


class ImageWorker:
    """A thread that takes jobs in turn."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="pictures", daemon=True).start()

    def submit(self, make: Callable[[Report, Show], Made]) -> Job:
        """Queue what makes pictures."""
        job = Job(make)
        self._jobs.put(job)
        return job

    def _serve(self) -> None:
        while True:
            self._jobs.get().run()


@cache
def image_worker() -> ImageWorker:
    """This process's one worker for pictures."""
    return ImageWorker()


@cache
def library(roots: tuple[Path, ...], device: str) -> Library:
    """The models of the settings, loaded once for all visitors."""
    return Library(roots, device=device)


def library_of(found: Settings) -> Library:
    """The library that the settings mean."""
    return library(found.models_dirs, found.device)
