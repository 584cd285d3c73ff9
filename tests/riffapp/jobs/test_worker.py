"""The worker: it makes what is asked in turn, stops when asked, and outlives what fails.

On the tiny checkpoint of random weights: plumbing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from riffapp.database import Database
from riffapp.errors import UsageError
from riffapp.gallery import File, Gallery, Made, Work
from riffapp.jobs import wire
from riffapp.jobs.desk import Desk, Models, Task
from riffapp.jobs.store import Job, Store
from riffapp.jobs.tasks.loops import Loops
from riffapp.jobs.worker import Worker
from riffapp.settings import Settings
from riffapp.studio.plan import plan_loop
from riffapp.studio.types import LoopRequest
from sdcore.errors import Cancelled

ACTS: dict[str, Callable[[Desk], None]] = {}


@dataclass(frozen=True)
class Act:
    """A task that does what a test wants."""

    title: str

    def perform(self, desk: Desk) -> None:
        ACTS[self.title](desk)


@pytest.fixture
def worker(
    found: Settings, database: Database, models: Models, monkeypatch: pytest.MonkeyPatch
) -> Worker:
    made = Worker(database, found)
    made._models = models
    read = wire.loads
    monkeypatch.setattr(
        wire, "loads", lambda text, home: Act(text) if text in ACTS else read(text, home)
    )
    return made


@pytest.fixture
def act(database: Database, worker: Worker) -> Callable[[Callable[[Desk], None]], Job]:
    """Has the worker do something as a job; the job comes out as it stands then."""

    def done(what: Callable[[Desk], None]) -> Job:
        ACTS["act"] = what
        number = Store(database).submit("ann", "loop", "act", title="act")
        assert worker.turn()
        job = Store(database).job(number)
        assert job is not None
        return job

    return done


def loops(found: Settings, instrument: object, **told: object) -> Loops:
    request = LoopRequest(prompt="house drums", checkpoint=found.checkpoint, bars=1, **told)  # type: ignore[arg-type]
    return Loops(request=plan_loop(request, instrument.sound))  # type: ignore[attr-defined]


def test_takes_are_kept_with_their_files_as_they_come(
    found: Settings, instrument: object, performed: Callable[[str, Task], list[Work]]
) -> None:
    first, second = performed("loop", loops(found, instrument, takes=2, seed=5))
    assert [first.number, second.number] == [0, 1]
    assert [work.facts["seed"] for work in (first, second)] == [5, 6]
    for work in (first, second):
        assert all(file.path.is_file() for file in work.files)
        assert found.outputs in work.files[0].path.parents
    assert first.files[0].path != second.files[0].path


def test_the_settings_in_the_gallery_make_the_same_bytes_again(
    found: Settings,
    database: Database,
    instrument: object,
    performed: Callable[[str, Task], list[Work]],
) -> None:
    (_, second) = performed("loop", loops(found, instrument, takes=2))
    (again,) = performed("loop", wire.loads(second.task, database.home))
    for one, other in zip(second.files, again.files, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()


def test_takes_that_were_kept_before_a_death_are_not_made_again(
    found: Settings, database: Database, instrument: object, desk: Callable[[Task], Desk]
) -> None:
    task = loops(found, instrument, takes=3, seed=1)
    begun = desk(task)
    begun.keep(0, _made(found.home / "x.wav"))
    task.perform(begun)
    works = Gallery(database).of_job(begun.job.id)
    assert [work.number for work in works] == [0, 1, 2]
    assert works[0].title == "made" and [w.facts["seed"] for w in works[1:]] == [2, 3]
    task.perform(begun)  # all are there: nothing is done
    assert len(Gallery(database).of_job(begun.job.id)) == 3


def test_a_long_piece_stops_while_its_sound_is_made(
    found: Settings,
    instrument: object,
    desk: Callable[[Task], Desk],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = loops(found, instrument, seed=1)
    task = replace(task, request=replace(task.request, bars=40, bpm=240, quality="draft"))
    begun, told, report = desk(task), [], Store.report

    def report_and_stop(store: Store, number: int, *, stage: str, **done: int) -> bool:
        told.append(stage)
        if stage.startswith("its sound"):
            store.cancel(number, owner=begun.job.owner)
        return report(store, number, stage=stage, **done)

    monkeypatch.setattr(Store, "report", report_and_stop)
    with pytest.raises(Cancelled):
        task.perform(begun)
    assert sum(stage.startswith("its sound") for stage in told) == 1
    assert told[-1] != "its sound, 100%"
    assert not [path for path in found.outputs.rglob("*") if path.is_file()]


def test_what_forms_can_be_seen_and_heard_and_is_forgotten_later(
    found: Settings,
    database: Database,
    instrument: object,
    desk: Callable[[Task], Desk],
    act: Callable[..., Job],
) -> None:
    task = loops(found, instrument, steps=8)
    begun = desk(task)
    task.perform(begun)
    job = Store(database).job(begun.job.id)
    assert job is not None and job.preview == 3
    shown = list((found.home / "live").glob(f"{job.id}.*"))
    assert {path.suffix for path in shown} == {".png", ".wav"}
    for path in shown:
        os.utime(path, (time.time() - 100, time.time() - 100))
    Store(database).finish(job.id, "succeeded")
    act(lambda _: None)
    assert not any(path.exists() for path in shown)


def test_a_refusal_is_the_job_s_reason(act: Callable[..., Job]) -> None:
    def refuse(_: Desk) -> None:
        raise UsageError("bars 0: give at least 1")

    job = act(refuse)
    assert (job.state, job.reason) == ("failed", "bars 0: give at least 1")


def test_a_defect_is_a_sentence_and_the_next_job_is_done(act: Callable[..., Job]) -> None:
    def break_down(_: Desk) -> None:
        raise ZeroDivisionError

    job = act(break_down)
    assert job.state == "failed" and "not your fault" in job.reason
    assert act(lambda _: None).state == "succeeded"


def test_a_running_job_stops_within_a_step(database: Database, act: Callable[..., Job]) -> None:
    steps = []

    def work(desk: Desk) -> None:
        for i in range(10):
            steps.append(i)
            desk.step(i, 10)
            if i == 3:
                Store(database).cancel(desk.job.id, owner="ann")

    job = act(work)
    assert job.state == "cancelled" and steps == [0, 1, 2, 3, 4]


def test_tidying_leaves_what_the_server_keeps_and_no_folder_stops_it(
    found: Settings, act: Callable[..., Job]
) -> None:
    live = found.home / "live"
    (live / "7").mkdir(parents=True)
    names = {"small.webp": 100.0, "old.webp": 1e6, "7.png": 100.0, "8.png": 1.0}
    for name, age_s in names.items():
        (live / name).write_bytes(b"x")
        os.utime(live / name, (time.time() - age_s, time.time() - age_s))
    os.utime(live / "7", (time.time() - 1e6, time.time() - 1e6))
    assert act(lambda _: None).state == "succeeded"
    assert {path.name for path in live.iterdir()} == {"7", "small.webp", "8.png"}


def test_what_is_set_while_it_works_holds_from_the_next_job_on(
    database: Database, found: Settings
) -> None:
    now = [found]
    worker = Worker(database, found, read=lambda: now[0])
    now[0] = replace(found, suffix=".flac")
    Store(database).submit("ann", "loop", "{}", title="a")
    assert worker.turn()
    assert worker._settings.suffix == ".flac"


def test_a_worker_that_leaves_puts_its_job_back(
    database: Database, worker: Worker, act: Callable[..., Job]
) -> None:
    job = act(lambda _: worker.leave())
    assert (job.state, job.attempts) == ("queued", 0)


def test_what_is_no_task_fails_and_nothing_else(database: Database, worker: Worker) -> None:
    number = Store(database).submit("ann", "loop", '{"is": "os:system"}', title="bad")
    assert worker.turn()
    job = Store(database).job(number)
    assert job is not None and job.state == "failed" and "cannot be read" in job.reason


def test_one_worker_serves_and_ends_when_its_parent_does(found: Settings, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from riffapp import settings\nfrom riffapp.jobs.worker import serve\n"
        "made = settings.load({'RIFFAPP_HOME': sys.argv[2], 'RIFFAPP_CHECKPOINT': sys.argv[1],"
        " 'RIFFAPP_DEVICE': 'cpu', 'RIFFAPP_THREADS': '1'})\n"
        "serve(made, parent=sys.stdin)\n"
    )
    words = [sys.executable, "-c", code, found.checkpoint, str(found.home)]
    pair = [subprocess.Popen(words, stdin=subprocess.PIPE) for _ in range(2)]
    database = Database(found.home)
    store = Store(database)
    from riffapp.studio import checkpoints

    request = LoopRequest(prompt="house drums", checkpoint=found.checkpoint, bars=1)
    task = Loops(request=plan_loop(request, checkpoints.read_sound(found.checkpoint)))
    text = wire.dumps(task, database.home)
    numbers = [store.submit("ann", "loop", text, title="a") for _ in range(3)]
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if all((job := store.job(n)) is not None and job.is_over for n in numbers):
            break
        time.sleep(0.1)
    assert [job.state for n in numbers if (job := store.job(n))] == ["succeeded"] * 3
    assert [Gallery(database).count_of(n) for n in numbers] == [1, 1, 1]
    for process in pair:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait(60) for process in pair] == [0, 0]


def _made(path: Path) -> Made:
    path.write_bytes(b"sound")
    return Made(
        kind="loop", title="made", words="", task="{}", files=(File(role="sound", path=path),)
    )
