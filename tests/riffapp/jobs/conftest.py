"""A desk on the tiny checkpoint, and a worker that works in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from riffapp import settings
from riffapp.database import Database
from riffapp.gallery import Gallery, Work
from riffapp.jobs import wire
from riffapp.jobs.desk import Desk, Models, Task
from riffapp.jobs.store import Job, Store
from riffapp.settings import Settings
from riffapp.studio.checkpoints import Instrument

THREADS = {"RIFFAPP_THREADS": "1"}


@pytest.fixture
def found(tiny: Path, tmp_path: Path) -> Settings:
    """Settings whose home and outputs are this test's own."""
    told = {"HOME": str(tmp_path / "home"), "CHECKPOINT": str(tiny), "DEVICE": "cpu"}
    return settings.load({f"RIFFAPP_{name}": text for name, text in told.items()} | THREADS)


@pytest.fixture
def database(found: Settings) -> Database:
    return Database(found.home)


@pytest.fixture
def models(found: Settings, instrument: Instrument) -> Models:
    """Models with the tiny instrument in memory already."""
    made = Models(found)
    made._instrument, made._named = instrument, found.checkpoint
    return made


@pytest.fixture
def performed(
    found: Settings, database: Database, models: Models
) -> Callable[[str, Task], list[Work]]:
    """Performs a task as the worker would, through the queue and its JSON; its works come out.

    An error that refuses it comes out too.
    """

    def perform(kind: str, task: Task) -> list[Work]:
        store = Store(database)
        number = store.submit("ann", kind, wire.dumps(task, database.home), title=task.title)
        job = store.take()
        assert job is not None and job.id == number
        read: Task = wire.loads(job.task, database.home)
        read.perform(Desk(database=database, settings=found, models=models, job=job))
        store.finish(number, "succeeded")
        return Gallery(database).of_job(number)

    return perform


@pytest.fixture
def desk(found: Settings, database: Database, models: Models) -> Callable[[Task], Desk]:
    """A desk for one task, as if it ran."""

    def made(task: Task) -> Desk:
        store = Store(database)
        store.submit("ann", "test", wire.dumps(task, database.home), title=task.title)
        job: Job | None = store.take()
        assert job is not None
        return Desk(database=database, settings=found, models=models, job=job)

    return made
