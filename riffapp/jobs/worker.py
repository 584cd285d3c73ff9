"""The process that makes everything: it takes jobs in turn and keeps the models in memory.

One at a time for each home folder, which a lock sees to; who holds it knows that whatever is said
to be running is the work of a dead one.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from filelock import FileLock

from riffapp.database import Database
from riffapp.errors import RiffappError, blame
from riffapp.jobs import wire
from riffapp.jobs.desk import LIVE, Desk, Models, Task
from riffapp.jobs.store import Job, State, Store
from riffapp.settings import Settings

LOCK = "worker.lock"
IDLE_S = 0.05
NICE = 10
OLD_S = 3600.0
KEPT_S = 86400.0
LIVE_S = 60.0  # how long what formed is kept after its end
_LOG = logging.getLogger(__name__)
_DEFECT = (
    "something inside riffapp broke, which is not your fault: try other settings, and look into "
    "the terminal where riffapp runs for what happened"
)


class Worker:
    """Takes jobs from a database."""

    def __init__(
        self, database: Database, settings: Settings, *, read: Callable[[], Settings] | None = None
    ) -> None:
        """`read` gives the settings as they are by now; None keeps them."""
        self._database = database
        self._settings = settings
        self._read = read
        self._store = Store(database)
        self._models = Models(settings)
        self._job: Job | None = None
        self._leaving = threading.Event()

    def serve(self) -> None:
        """Take jobs until `leave`; waits first until no other worker is at this home."""
        with FileLock(self._database.home / LOCK):
            for job in self._store.recover():
                _LOG.warning("job %d (%s) was cut off", job.id, job.title)
            self._sweep()
            self._settings.models.mkdir(parents=True, exist_ok=True)  # looked into from the first
            self._models.note()
            self._warm()
            while not self._leaving.is_set():
                if not self.turn():
                    self._leaving.wait(IDLE_S)

    def turn(self) -> bool:
        """Perform the next job, if there is one."""
        job = self._store.take()
        if job is None:
            return False
        self._follow()
        self._job = job
        self._tidy()
        state, reason = self._outcome(job)
        if not self._leaving.is_set():
            self._store.finish(job.id, state, reason)
        self._job = None
        return True

    def _follow(self) -> None:
        """What a person has set since then holds from this job on."""
        if self._read is None:
            return
        with suppress(RiffappError):  # a damaged file changes nothing; the page says it
            found = self._read()
            if found != self._settings:
                self._settings, self._models = found, Models(found)

    def leave(self) -> None:
        """Stop taking jobs; the one in hand waits again."""
        self._leaving.set()
        if self._job is not None:
            self._store.give_back(self._job.id)

    def _outcome(self, job: Job) -> tuple[State, str]:
        from sdcore.errors import Cancelled

        try:
            task: Task = wire.loads(job.task, self._database.home)
            desk = Desk(
                database=self._database, settings=self._settings, models=self._models, job=job
            )
            task.perform(desk)
        except Cancelled:
            return "cancelled", "stopped while it was being made"
        except Exception as error:  # the worker must outlive any job
            return "failed", sentence_for(error)
        if self._store.is_stopping(job.id):  # an interrupted picture is kept as it was by then
            return "cancelled", "stopped while it was being made"
        return "succeeded", ""

    def _sweep(self) -> None:
        """Away with what a killed server left half-written among the inputs long ago."""
        for path in (self._database.home / wire.INPUTS).glob("*.part"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > OLD_S:
                    path.unlink()

    def _tidy(self) -> None:
        """Away with what formed in earlier jobs; a page may still be looking at the last one. What
        the server keeps beside it, small pictures and sounds as WAV, goes after a day."""
        for path in (self._database.home / LIVE).glob("*"):
            limit_s = LIVE_S if path.stem.isdecimal() else KEPT_S
            with suppress(OSError):  # the server may be writing there, and has folders of its own
                if time.time() - path.stat().st_mtime > limit_s:
                    path.unlink()

    def _warm(self) -> None:
        """The first loop need not wait for its checkpoint."""
        try:
            self._models.instrument(self._settings.checkpoint)
        except Exception as error:  # said when a loop is asked for
            _LOG.debug("checkpoint %s not loaded ahead: %s", self._settings.checkpoint, error)


def serve(
    settings: Settings, *, parent: TextIO, read: Callable[[], Settings] | None = None
) -> None:
    """Work until `parent`, the other end of which the server holds, is closed."""
    with suppress(AttributeError, OSError):  # the page goes first
        os.nice(NICE)
    worker = Worker(Database(settings.home), settings, read=read)

    def watch() -> None:
        while parent.read(1):
            pass
        worker.leave()
        # A step may take long, and nobody is left who waits for it.
        time.sleep(0.2)
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()
    worker.serve()


def sentence_for(error: Exception) -> str:
    """What a person is told of an error; a defect of ours goes into the log in full."""
    told = blame(error)
    if told is not None:
        return told[1]
    _LOG.error("a job failed", exc_info=error)
    return _DEFECT


def main() -> None:
    """`python -m riffapp.jobs`: started by the keeper, which holds its standard input."""
    from riffapp import settings

    logging.basicConfig(format="riffapp worker: %(message)s", stream=sys.stderr)
    serve(settings.load(), parent=sys.stdin, read=settings.load)
