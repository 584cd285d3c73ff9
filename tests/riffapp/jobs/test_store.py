"""The queue: nothing is lost, nothing is done twice, and turns are fair."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from riffapp.database import FILE, Database
from riffapp.errors import UsageError
from riffapp.jobs import store as module
from riffapp.jobs.store import OPEN, Store


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "home")


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def ask(store: Store, owner: str = "ann", title: str = "a loop") -> int:
    return store.submit(owner, "loop", "{}", title=title)


def state(store: Store, number: int) -> str:
    job = store.job(number)
    assert job is not None
    return job.state


def test_jobs_are_taken_in_the_order_of_their_asking(store: Store) -> None:
    numbers = [ask(store) for _ in range(4)]
    taken = []
    while (job := store.take()) is not None:
        taken.append(job.id)
        store.finish(job.id, "succeeded")
    assert taken == numbers


def test_turns_go_to_the_owner_who_has_waited_longest(store: Store) -> None:
    for _ in range(3):
        ask(store, "ann")
    ask(store, "ben")
    owners = []
    while (job := store.take()) is not None:
        owners.append(job.owner)
        store.finish(job.id, "succeeded")
    assert owners == ["ann", "ben", "ann", "ann"]


def test_a_job_is_taken_once_however_many_take_at_the_same_time(database: Database) -> None:
    numbers = {ask(Store(database)) for _ in range(40)}
    taken: list[int] = []

    def take() -> None:
        store = Store(database)
        while (job := store.take()) is not None:
            taken.append(job.id)
        database.close()

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(numbers)


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_hears_of_it(store: Store) -> None:
    running, waiting = ask(store), ask(store)
    store.take()
    store.cancel(waiting, owner="ann")
    store.cancel(running, owner="ann")
    assert state(store, waiting) == "cancelled"
    assert state(store, running) == "running"
    assert store.report(running, done=1, total=4, stage="") is True


def test_nobody_cancels_or_sees_the_jobs_of_others(store: Store) -> None:
    number = ask(store, "ann")
    store.cancel(number, owner="ben")
    assert state(store, number) == "queued"
    assert store.job(number, owner="ben") is None
    assert store.jobs("ben") == []


def test_waiting_jobs_change_places(store: Store) -> None:
    one, two, three = (ask(store) for _ in range(3))
    store.move(three, owner="ann", by=-2)
    store.move(one, owner="ann", by=1)
    order = [job.id for job in store.jobs("ann", states=["queued"])]
    assert order == [three, two, one]
    store.move(three, owner="ann", by=-1)  # it is the first already
    taken = store.take()
    assert taken is not None and taken.id == three


def test_a_paused_owner_waits_and_others_do_not(store: Store) -> None:
    ask(store, "ann")
    other = ask(store, "ben")
    store.pause("ann", paused=True)
    taken = store.take()
    assert taken is not None and taken.id == other
    assert store.take() is None and store.is_paused("ann")
    store.pause("ann", paused=False)
    assert store.take() is not None


def test_what_a_dead_worker_was_at_runs_again_once(store: Store) -> None:
    number = ask(store)
    store.take()
    store.recover()
    assert state(store, number) == "queued"
    store.take()
    store.recover()
    job = store.job(number)
    assert job is not None and job.state == "failed" and "died twice" in job.reason


def test_what_was_to_be_cancelled_when_the_worker_died_is_cancelled(store: Store) -> None:
    number = ask(store)
    store.take()
    store.cancel(number, owner="ann")
    store.recover()
    assert state(store, number) == "cancelled"


def test_a_job_that_is_given_back_has_lost_nothing(store: Store) -> None:
    number = ask(store)
    for _ in range(3):
        assert store.take() is not None
        store.give_back(number)
    job = store.job(number)
    assert job is not None and (job.state, job.attempts) == ("queued", 0)


def test_the_end_of_a_job_is_final(store: Store) -> None:
    number = ask(store)
    store.take()
    store.finish(number, "failed", "no")
    store.finish(number, "succeeded")
    store.give_back(number)
    assert state(store, number) == "failed"


def test_the_time_that_is_left_follows_from_the_steps_done(store: Store) -> None:
    number = ask(store)
    store.take()
    store.report(number, done=1, total=9, stage="")
    store.report(number, done=3, total=9, stage="")
    job = store.job(number)
    assert job is not None and job.stepped_at is not None
    assert job.left_s(job.stepped_at + 4.0) == pytest.approx(12.0)
    assert job.share == pytest.approx(1 / 3)


def test_too_many_open_jobs_of_one_owner_are_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OPEN", 2)
    ask(store), ask(store)
    with pytest.raises(UsageError, match="2 jobs are waiting already, at most 2"):
        ask(store)
    ask(store, "ben")


def test_a_job_can_be_asked_for_again(store: Store) -> None:
    number = ask(store, title="once more")
    store.take()
    store.finish(number, "failed", "no")
    again = store.again(number, owner="ann")
    assert again is not None and again != number
    assert [job.title for job in store.jobs("ann", states=OPEN)] == ["once more"]
    assert store.again(number, owner="ben") is None


def test_the_queue_outlives_the_process(tmp_path: Path) -> None:
    first = Database(tmp_path)
    number = ask(Store(first))
    first.close()
    assert state(Store(Database(tmp_path)), number) == "queued"


def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    first = Database(tmp_path)
    ask(Store(first))
    first.close()
    for more in ("-wal", "-shm"):
        (tmp_path / (FILE + more)).unlink(missing_ok=True)
    (tmp_path / FILE).write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    second = Database(tmp_path)
    assert second.aside is not None and second.aside.exists()
    assert ask(Store(second)) == 1


def test_a_failing_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError), database.writing() as db:
        db.execute("INSERT INTO paused VALUES ('ann')")
        db.execute("INSERT INTO paused VALUES ('ann')")
    assert not Store(database).is_paused("ann")
