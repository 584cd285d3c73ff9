"""The queue: jobs and where they stand, in the database.

A job is queued, then running, then one of succeeded, failed, cancelled; each of the last three for
good. Pages ask and read; the one worker takes and reports.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from riffapp.database import Database
from riffapp.errors import UsageError

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]
OVER: tuple[State, ...] = ("succeeded", "failed", "cancelled")
OPEN: tuple[State, ...] = ("queued", "running")
MAX_OPEN = 200  # of one owner
MAX_ATTEMPTS = 2
_POISON = (
    "the process that was making it died twice: ask for less at once, and look into the terminal "
    "where riffapp runs for what happened"
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One press of a button. Times are seconds since 1970."""

    id: int
    owner: str
    kind: str
    title: str
    task: str
    state: State
    # Why it failed or was cancelled, in a sentence.
    reason: str
    attempts: int
    done: int
    total: int
    stage: str
    # Rises with each picture of what forms.
    preview: int
    stopping: bool
    asked_at: float
    started_at: float | None
    stepped_at: float | None
    ended_at: float | None

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    @property
    def share(self) -> float:
        """How far it is, 0 .. 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0

    def left_s(self, now: float) -> float | None:
        """Seconds until its end, by the steps done since the first; None while nobody can say."""
        if self.stepped_at is None or self.done < 2 or self.state != "running":
            return None
        each = (now - self.stepped_at) / (self.done - 1)
        return each * (self.total - self.done)


class Store:
    """The queue of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ---- what pages do

    def submit(self, owner: str, kind: str, task: str, *, title: str) -> int:
        """Put a task (as JSON) at the end of its owner's queue; the job's number comes out.

        Raises UsageError where the owner has too many open ones.
        """
        with self._database.writing() as db:
            (waiting,) = db.execute(
                "SELECT COUNT(*) FROM jobs WHERE owner = ? AND state IN ('queued', 'running')",
                (owner,),
            ).fetchone()
            if waiting >= MAX_OPEN:
                raise UsageError(
                    f"{waiting} jobs are waiting already, at most {MAX_OPEN} can: "
                    "wait for some, or cancel them in the queue"
                )
            found = db.execute(
                "INSERT INTO jobs (owner, kind, title, task, state, position, asked_at) VALUES "
                "(?, ?, ?, ?, 'queued', (SELECT COALESCE(MAX(position), 0) + 1 FROM jobs), ?)",
                (owner, kind, title, task, time.time()),
            )
            assert found.lastrowid is not None  # an INSERT has one
            return found.lastrowid

    def job(self, number: int, *, owner: str | None = None) -> Job | None:
        """A job by its number; None where there is none, or it is another owner's."""
        rows = self._rows("id = ?", (number,))
        return next((job for job in rows if owner is None or job.owner == owner), None)

    def jobs(
        self,
        owner: str,
        *,
        kinds: Collection[str] | None = None,
        states: Collection[State] | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """An owner's jobs: what runs, then what waits in its order, then the others, last first."""
        where, values = "owner = ?", [owner]
        for column, wanted in (("kind", kinds), ("state", states)):
            if wanted is not None:
                where += f" AND {column} IN ({', '.join('?' * len(wanted))})"
                values += wanted
        order = (
            "CASE state WHEN 'running' THEN 0 WHEN 'queued' THEN 1 ELSE 2 END, "
            "CASE state WHEN 'queued' THEN position END, id DESC"
        )
        return self._rows(f"{where} ORDER BY {order} LIMIT {limit:d}", values)

    def ahead(self, job: Job) -> int:
        """How many open jobs stand before a queued one, of anybody."""
        row = self._database.connection.execute(
            "SELECT COUNT(*) FROM jobs WHERE state = 'running' OR (state = 'queued' AND position < "
            "(SELECT position FROM jobs WHERE id = ?))",
            (job.id,),
        ).fetchone()
        return int(row[0])

    def cancel(self, number: int, *, owner: str) -> None:
        """End a waiting job at once, a running one within a step; of others nothing is changed."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE jobs SET state = 'cancelled', reason = 'cancelled while it waited', "
                "ended_at = ? WHERE id = ? AND owner = ? AND state = 'queued'",
                (time.time(), number, owner),
            )
            db.execute(
                "UPDATE jobs SET stopping = 1 WHERE id = ? AND owner = ? AND state = 'running'",
                (number, owner),
            )

    def skip(self, number: int, *, owner: str) -> None:
        """Have a running job go on with its next picture; of others nothing is changed."""
        self._database.connection.execute(
            "INSERT OR IGNORE INTO skips SELECT id FROM jobs "
            "WHERE id = ? AND owner = ? AND state = 'running'",
            (number, owner),
        )

    def move(self, number: int, *, owner: str, by: int) -> None:
        """A waiting job `by` places back (1) or forward (-1) among its owner's waiting ones."""
        with self._database.writing() as db:
            rows = db.execute(
                "SELECT id, position FROM jobs WHERE owner = ? AND state = 'queued' "
                "ORDER BY position",
                (owner,),
            ).fetchall()
            order = [row["id"] for row in rows]
            if number not in order:
                return
            at = order.index(number)
            order.insert(max(0, at + by), order.pop(at))
            for moved, row in zip(order, rows, strict=True):
                db.execute("UPDATE jobs SET position = ? WHERE id = ?", (row["position"], moved))

    def pause(self, owner: str, *, paused: bool) -> None:
        """Whether an owner's waiting jobs wait on; what runs goes on."""
        with self._database.writing() as db:
            if paused:
                db.execute("INSERT OR IGNORE INTO paused VALUES (?)", (owner,))
            else:
                db.execute("DELETE FROM paused WHERE owner = ?", (owner,))

    def is_paused(self, owner: str) -> bool:
        found = self._database.connection.execute("SELECT 1 FROM paused WHERE owner = ?", (owner,))
        return found.fetchone() is not None

    def again(self, number: int, *, owner: str) -> int | None:
        """The same task once more, as a new job."""
        job = self.job(number, owner=owner)
        return None if job is None else self.submit(owner, job.kind, job.task, title=job.title)

    # ---- what the worker does

    def take(self) -> Job | None:
        """The next job, running from now on: of the owner who has waited longest for a turn."""
        with self._database.writing() as db:
            row = db.execute(
                "SELECT id FROM jobs AS j WHERE state = 'queued' "
                "AND owner NOT IN (SELECT owner FROM paused) "
                "ORDER BY (SELECT COALESCE(MAX(started_at), 0) FROM jobs AS o "
                "WHERE o.owner = j.owner), position LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            db.execute(
                "UPDATE jobs SET state = 'running', started_at = ?, stepped_at = NULL, done = 0, "
                "total = 0, stage = '', attempts = attempts + 1 WHERE id = ?",
                (time.time(), row["id"]),
            )
        return self.job(row["id"])

    def report(self, number: int, *, done: int, total: int, stage: str) -> bool:
        """Note how far a job is; whether its owner wants it stopped comes out."""
        connection = self._database.connection
        connection.execute(
            "UPDATE jobs SET done = ?, total = ?, stage = ?, "
            "stepped_at = COALESCE(stepped_at, CASE WHEN ? > 0 THEN ? END) WHERE id = ?",
            (done, total, stage, done, time.time(), number),
        )
        return self.is_stopping(number)

    def is_stopping(self, number: int) -> bool:
        row = self._database.connection.execute(
            "SELECT stopping FROM jobs WHERE id = ?", (number,)
        ).fetchone()
        return bool(row["stopping"])

    def is_skipping(self, number: int) -> bool:
        """Whether its owner wants the next picture; asked once, it is forgotten."""
        gone = self._database.connection.execute("DELETE FROM skips WHERE job = ?", (number,))
        return gone.rowcount > 0

    def previewed(self, number: int) -> None:
        """Note that there is a new picture of what forms."""
        self._database.connection.execute(
            "UPDATE jobs SET preview = preview + 1 WHERE id = ?", (number,)
        )

    def finish(self, number: int, state: State, reason: str = "") -> None:
        """The end of a running job."""
        self._database.connection.execute(
            "UPDATE jobs SET state = ?, reason = ?, ended_at = ?, done = CASE ? WHEN 'succeeded' "
            "THEN total ELSE done END WHERE id = ? AND state = 'running'",
            (state, reason, time.time(), state, number),
        )

    def give_back(self, number: int) -> None:
        """A running job waits again, as if it had not been begun: the worker has to leave."""
        self._database.connection.execute(
            "UPDATE jobs SET state = 'queued', attempts = attempts - 1, done = 0, stage = '' "
            "WHERE id = ? AND state = 'running'",
            (number,),
        )

    def recover(self) -> list[Job]:
        """What a dead worker was at waits again, or has failed if that was not the first time.

        Only for a worker that knows itself alone.
        """
        orphans = self._rows("state = 'running'", ())
        with self._database.writing() as db:
            for job in orphans:
                if job.stopping:
                    state, reason = "cancelled", "cancelled"
                elif job.attempts >= MAX_ATTEMPTS:
                    state, reason = "failed", _POISON
                else:
                    state, reason = "queued", ""
                ended = None if state == "queued" else time.time()
                db.execute(
                    "UPDATE jobs SET state = ?, reason = ?, ended_at = ?, done = 0, stage = '' "
                    "WHERE id = ?",
                    (state, reason, ended, job.id),
                )
        return orphans

    def _rows(self, where: str, values: Collection[object]) -> list[Job]:
        found = self._database.connection.execute(
            f"SELECT * FROM jobs WHERE {where}", tuple(values)
        )
        return [_job(row) for row in found]


def _job(row: sqlite3.Row) -> Job:
    told = {name: row[name] for name in row.keys() if name != "position"}  # noqa: SIM118
    return Job(**told | {"stopping": bool(row["stopping"])})
