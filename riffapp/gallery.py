"""The gallery: what was made, where its files lie, and the settings that make it again.

A row comes only after its files are whole. What is deleted can be had back until the bin is
emptied.
"""

from __future__ import annotations

import filecmp
import json
import shutil
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from riffapp.database import Database

Role = Literal["sound", "picture", "part", "archive", "text"]


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of a work: `role` is what it is to it, `name` what a person calls it."""

    role: Role
    path: Path
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A finished piece.

    `task` is JSON and makes it again; `facts` say what a player needs: seconds, rate (Hz), beats,
    bpm, meter, loops, params (SpectrogramParams of the picture, as JSON); `lines` are for people.
    """

    id: int
    job: int
    number: int
    owner: str
    kind: str
    title: str
    words: str
    task: str
    files: tuple[File, ...]
    facts: Mapping[str, Any]
    lines: tuple[str, ...]
    bytes: int
    starred: bool
    made_at: float
    deleted_at: float | None

    def file(self, role: Role) -> File | None:
        """Its first file of a role."""
        return next((one for one in self.files if one.role == role), None)


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a task has made, before the gallery has it."""

    kind: str
    title: str
    words: str
    task: str
    files: tuple[File, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


class Gallery:
    """The works of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, made: Made, *, owner: str, job: int, number: int) -> None:
        """Keep the `number`th work of a job; once only, however often a job is run."""
        size = sum(_bytes(one.path) for one in made.files)
        files = [asdict(one) | {"path": str(one.path)} for one in made.files]
        self._database.connection.execute(
            "INSERT OR IGNORE INTO works (job, number, owner, kind, title, words, task, files, "
            "facts, lines, bytes, made_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                job,
                number,
                owner,
                made.kind,
                made.title,
                made.words,
                made.task,
                json.dumps(files),
                json.dumps(dict(made.facts)),
                json.dumps(made.lines),
                size,
                time.time(),
            ),
        )

    def work(self, number: int) -> Work | None:
        """A work by its number, deleted ones too; None where there is none."""
        return next(iter(self._rows("id = ?", [number])), None)

    def of_job(self, job: int) -> list[Work]:
        """The works of a job in their order, without deleted ones."""
        return self._rows("job = ? AND deleted_at IS NULL ORDER BY number", [job])

    def count_of(self, job: int) -> int:
        """How many works of a job were kept, deleted ones too."""
        row = self._database.connection.execute(
            "SELECT COUNT(*) FROM works WHERE job = ?", (job,)
        ).fetchone()
        return int(row[0])

    def works(
        self,
        *,
        owner: str | None = None,
        text: str = "",
        kinds: Sequence[str] | None = None,
        starred: bool = False,
        deleted: bool = False,
        limit: int = 60,
        offset: int = 0,
    ) -> list[Work]:
        """Works, the newest first. `text`: words that all stand in its title, words or kind."""
        where, values = _search(owner, text, kinds, starred=starred, deleted=deleted)
        return self._rows(f"{where} ORDER BY id DESC LIMIT ? OFFSET ?", [*values, limit, offset])

    def count(
        self,
        *,
        owner: str | None = None,
        text: str = "",
        kinds: Sequence[str] | None = None,
        starred: bool = False,
        deleted: bool = False,
    ) -> tuple[int, int]:
        """How many `works` would find in all, and their bytes on the disk."""
        where, values = _search(owner, text, kinds, starred=starred, deleted=deleted)
        row = self._database.connection.execute(
            f"SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM works WHERE {where}", values
        ).fetchone()
        return int(row[0]), int(row[1])

    def kinds(self, *, owner: str | None = None) -> list[str]:
        """What kinds of works there are, in the bin too."""
        where, values = ("owner = ?", [owner]) if owner is not None else ("1", [])
        rows = self._database.connection.execute(
            f"SELECT DISTINCT kind FROM works WHERE {where} ORDER BY kind", values
        )
        return [row["kind"] for row in rows]

    def holding(self, path: Path, *, owner: str | None = None) -> Work | None:
        """The newest work that has a file of the very same bytes; None where there is none."""
        size = path.stat().st_size
        for work in self.works(owner=owner, limit=-1):
            for one in work.files:
                if one.path.suffix == path.suffix and one.path.is_file():
                    is_as_large = one.path.stat().st_size == size
                    if is_as_large and filecmp.cmp(one.path, path, shallow=False):
                        return work
        return None

    def star(self, number: int, *, starred: bool) -> None:
        self._set("starred", int(starred), number)

    def delete(self, number: int) -> None:
        """Into the bin."""
        self._set("deleted_at", time.time(), number)

    def restore(self, number: int) -> None:
        """Out of the bin."""
        self._set("deleted_at", None, number)

    def empty_bin(self, *, owner: str | None = None) -> int:
        """Remove for good what was deleted; the bytes that this frees come out."""
        freed = 0
        for work in self.works(owner=owner, deleted=True, limit=-1):
            for one in work.files:
                _remove(one.path)
            self._database.connection.execute("DELETE FROM works WHERE id = ?", (work.id,))
            freed += work.bytes
        return freed

    def _set(self, column: str, value: object, number: int) -> None:
        self._database.connection.execute(
            f"UPDATE works SET {column} = ? WHERE id = ?", (value, number)
        )

    def _rows(self, where: str, values: Sequence[object]) -> list[Work]:
        found = self._database.connection.execute(f"SELECT * FROM works WHERE {where}", values)
        return [_work(row) for row in found]


def _search(
    owner: str | None, text: str, kinds: Sequence[str] | None, *, starred: bool, deleted: bool
) -> tuple[str, list[object]]:
    """The condition and its values."""
    where = "deleted_at IS NOT NULL" if deleted else "deleted_at IS NULL"
    values: list[object] = []
    if owner is not None:
        where += " AND owner = ?"
        values.append(owner)
    if kinds is not None:
        where += f" AND kind IN ({', '.join('?' * len(kinds))})"
        values += kinds
    if starred:
        where += " AND starred = 1"
    for word in text.split():
        where += " AND title || ' ' || words || ' ' || kind LIKE ? ESCAPE '\\'"
        values.append("%" + word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%")
    return where, values


def _work(row: sqlite3.Row) -> Work:
    told: dict[str, Any] = dict(row)
    files = (File(**one | {"path": Path(one["path"])}) for one in json.loads(row["files"]))
    return Work(
        **told
        | {
            "files": tuple(files),
            "facts": json.loads(row["facts"]),
            "lines": tuple(json.loads(row["lines"])),
            "starred": bool(row["starred"]),
        }
    )


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size if path.exists() else 0


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
