"""What is remembered between visits: one SQLite file, read and written by page and worker at once.

Write-ahead logging lets readers go on while somebody writes; every write is one transaction, so a
process that is killed leaves either all of it or nothing.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "riffapp.db"
BUSY_S = 10.0  # how long a writer waits for another one

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    task TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    position REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    stage TEXT NOT NULL DEFAULT '',
    preview INTEGER NOT NULL DEFAULT 0,
    stopping INTEGER NOT NULL DEFAULT 0,
    asked_at REAL NOT NULL,
    started_at REAL,
    stepped_at REAL,
    ended_at REAL
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, position);
CREATE INDEX IF NOT EXISTS jobs_by_owner ON jobs (owner, started_at);
CREATE TABLE IF NOT EXISTS paused (owner TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS skips (job INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS works (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL,
    number INTEGER NOT NULL,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    words TEXT NOT NULL,
    task TEXT NOT NULL,
    files TEXT NOT NULL,
    facts TEXT NOT NULL,
    lines TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    starred INTEGER NOT NULL DEFAULT 0,
    made_at REAL NOT NULL,
    deleted_at REAL,
    UNIQUE (job, number)
);
CREATE INDEX IF NOT EXISTS works_by_owner ON works (owner, deleted_at, id);
"""


class Database:
    """The file in a home folder, which is made at need; one connection for each thread."""

    def __init__(self, home: Path) -> None:
        """Opens, or begins, the file. One that is damaged is moved aside and a new one begun:
        finished sounds and pictures lie in files of their own and stay."""
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.path = home / FILE
        self._threads = threading.local()
        try:
            self._begin()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # locked, or no permission: nothing is wrong with what is in it
            self.aside = self._move_aside()
            self._begin()

    aside: Path | None = None

    def _begin(self) -> None:
        connection = self.connection
        (sound,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if sound != "ok":
            raise sqlite3.DatabaseError(sound)
        connection.executescript(_SCHEMA)

    def _move_aside(self) -> Path:
        self.close()
        moved = self.path.with_name(f"{FILE}.damaged-{time.time_ns()}")
        self.path.replace(moved)
        for more in ("-wal", "-shm"):
            self.path.with_name(FILE + more).unlink(missing_ok=True)
        return moved

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection; statements outside `writing` commit themselves."""
        found: sqlite3.Connection | None = getattr(self._threads, "connection", None)
        if found is None:
            found = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA journal_mode = WAL")
            found.execute("PRAGMA synchronous = NORMAL")
            self._threads.connection = found
        return found

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that no other writer comes between; all of it or, on an error, none."""
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def close(self) -> None:
        """Give this thread's connection back."""
        if (found := getattr(self._threads, "connection", None)) is not None:
            found.close()
            del self._threads.connection
