"""A pack's folder: the plan, the index, the zip, and which loops are whole.

    pack.json                   the plan: every loop's name and settings; written once, first
    *.wav *.png                 the loops
    index.json                  what is there, with checksums; written anew after each loop
    index.csv, pack.zip         the same for spreadsheets, and everything in one file; at the end

Each file is written whole or not at all, so a run may be killed anywhere.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from riffapp.errors import UsageError
from riffapp.studio import files, prompts, record
from riffapp.studio.types import BEATS_PER_BAR, LoopRequest, Origin

PLAN, INDEX, TABLE, ARCHIVE = "pack.json", "index.json", "index.csv", "pack.zip"
VERSION = 1
# What an index says of a loop, beside its files and their checksums.
SETTINGS = (
    *("prompt", "negative", "bpm", "key", "bars", "seed", "steps", "cfg", "sampler", "schedule"),
    *("quality", "rate", "bit_depth", "checkpoint"),
)
COLUMNS = ("file", "picture", *SETTINGS, "duration_s", "sha256", "picture_sha256")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can say
_PART = re.compile(r"\.[0-9a-f]{12}\.part")


@dataclass(frozen=True, kw_only=True)
class PackLoop:
    """A planned loop: the sound's file name in the pack, and the resolved request."""

    file: str
    request: LoopRequest

    @property
    def picture(self) -> str:
        return Path(self.file).with_suffix(files.PICTURE_SUFFIX).name


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A loop that lies whole in the folder: its files' checksums, and what made it."""

    file: str
    picture: str
    request: LoopRequest
    sha256: str
    picture_sha256: str
    origin: Origin

    @property
    def duration_s(self) -> float:
        """The exact musical length, rounded to whole samples."""
        from audio.types import Tempo

        tempo = Tempo(bpm=self.request.bpm, beats=self.request.bars * BEATS_PER_BAR)
        return tempo.samples(self.request.rate) / self.request.rate

    def row(self) -> dict[str, Any]:
        """What an index says of it, by COLUMNS."""
        settings = {name: getattr(self.request, name) for name in SETTINGS}
        own = {name: getattr(self, name) for name in COLUMNS if name not in SETTINGS}
        return {name: {**settings, **own, "key": key_of(self.request)}[name] for name in COLUMNS}


Entries = dict[str, Entry]


def key_of(request: LoopRequest) -> str | None:
    """The key that was asked for, apart or among the words: 'A minor'."""
    found = None if request.key is not None else prompts.key_in(request.prompt)
    return request.key if found is None else found.name()


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder, made where there is none, for this process alone.

    Raises UsageError where it is no folder, or another process is at work in it.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder")
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    """The system lets go of it when the process ends, however it ends."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(f"another riffapp is at work in {folder}: wait until it ends") from error


def begin(folder: Path, loops: Sequence[PackLoop]) -> Mapping[str, Mapping[str, Any]]:
    """The index's rows by file name as far as the pack was made; {} where it begins.

    Raises UsageError where the folder holds another pack, or files that no pack made.
    """
    if (folder / PLAN).exists():
        _refuse_other(folder, loops, _planned(folder / PLAN))
    else:
        _refuse_strangers(folder, loops)
        plain = [{"file": loop.file, "request": asdict(loop.request)} for loop in loops]
        write_json(folder / PLAN, {"kind": "pack", "version": VERSION, "loops": plain})
    for path in folder.iterdir():
        if _PART.fullmatch(path.name):  # what a killed run had not finished
            path.unlink()
    return _rows(folder / INDEX)


def kept(
    folder: Path, loops: Sequence[PackLoop], known: Mapping[str, Mapping[str, Any]]
) -> tuple[Entries, list[str]]:
    """The loops that are whole, and what is said of those that were.

    Whole is what has the index's checksums; or, where the index had not come to it yet, a sound
    and a picture that both hold exactly the planned settings.
    """
    entries: Entries = {}
    notes = []
    for loop in loops:
        row = known.get(loop.file)
        found = _adopted(folder, loop) if row is None else _unchanged(folder, loop, row)
        if found is not None:
            entries[loop.file] = found
        elif row is not None:
            notes.append(f"{loop.file} was changed or taken away since: it is made again")
    return entries, notes


def entry(folder: Path, loop: PackLoop, origin: Origin) -> Entry:
    """The entry of a loop whose files have just been written."""
    return Entry(
        file=loop.file,
        picture=loop.picture,
        request=loop.request,
        sha256=sha256(folder / loop.file),
        picture_sha256=sha256(folder / loop.picture),
        origin=origin,
    )


def write_index(folder: Path, loops: Sequence[PackLoop], entries: Entries) -> None:
    """index.json: a row for each loop that is there, in the plan's order."""
    there = [entries[loop.file] for loop in loops if loop.file in entries]
    rows = [{**one.row(), "origin": asdict(one.origin)} for one in there]
    whole = {"kind": "pack index", "version": VERSION, "planned": len(loops), "loops": rows}
    write_json(folder / INDEX, whole)


def write_table(folder: Path, loops: Sequence[PackLoop], entries: Entries) -> None:
    """index.csv: the same rows for spreadsheets, and for --batch."""
    from audio.disk import write_whole

    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for loop in loops:
        table.writerow(entries[loop.file].row())
    write_whole(folder / TABLE, text.getvalue().encode())


def write_archive(folder: Path, loops: Sequence[PackLoop]) -> Path:
    """pack.zip: the loops, their pictures, plan and index; the same files give the same bytes.

    Stored, not deflated: another zlib would compress to other bytes, and sound hardly shrinks.
    """
    from audio import disk

    names = [PLAN, INDEX, TABLE, *(name for loop in loops for name in (loop.file, loop.picture))]
    path, part = folder / ARCHIVE, folder / f".{uuid4().hex[:12]}.part"
    try:
        with part.open("xb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for name in sorted(names):
                    info = zipfile.ZipInfo(name, _EPOCH)
                    info.create_system, info.external_attr = 3, 0o644 << 16
                    archive.writestr(info, (folder / name).read_bytes())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise disk.refusal(error, path, "written") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def sha256(path: Path) -> str:
    """The checksum of a file's bytes, in hexadecimal."""
    from audio.disk import read_whole

    return hashlib.sha256(read_whole(path)).hexdigest()


def write_json(path: Path, plain: Mapping[str, Any]) -> None:
    from audio.disk import write_whole

    write_whole(path, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())


def _planned(path: Path) -> dict[str, LoopRequest]:
    """The plan in a pack.json. Raises UsageError for what is none."""
    from audio.disk import read_whole

    try:
        plain = json.loads(read_whole(path))
        if plain["kind"] != "pack":
            raise ValueError(f"kind {plain['kind']!r}")
        return {one["file"]: request_of(one["request"]) for one in plain["loops"]}
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{path} is no plan of a pack ({error}): name another folder, or take it away"
        ) from error


def request_of(plain: Mapping[str, Any]) -> LoopRequest:
    found = record.read({record.DOCUMENT: record.document("loop", request=dict(plain))})
    if found is None:
        raise ValueError("no request")
    return found.request


def _refuse_other(
    folder: Path, loops: Sequence[PackLoop], planned: Mapping[str, LoopRequest]
) -> None:
    todo = "name another folder, or give the command that began it"
    if list(planned) == [loop.file for loop in loops]:
        changed = next((loop for loop in loops if planned[loop.file] != loop.request), None)
        if changed is None:
            return
        old, new = asdict(planned[changed.file]), asdict(changed.request)
        name = next(name for name in new if old[name] != new[name])
        raise UsageError(
            f"{folder} holds another pack: {name} of {changed.file} is {old[name]!r} there and "
            f"{new[name]!r} here; {todo}"
        )
    raise UsageError(
        f"{folder} holds another pack, of {len(planned)} loops from {next(iter(planned), '')} on, "
        f"where this one has {len(loops)} from {loops[0].file} on: {todo}"
    )


def _refuse_strangers(folder: Path, loops: Sequence[PackLoop]) -> None:
    names = [INDEX, TABLE, ARCHIVE, *(n for loop in loops for n in (loop.file, loop.picture))]
    there = {path.name.casefold() for path in folder.iterdir()}
    found = next((name for name in names if name.casefold() in there), None)
    if found is not None:
        raise UsageError(f"{folder / found} exists and no pack made it: name another folder")


def _rows(path: Path) -> dict[str, Mapping[str, Any]]:
    """The index's rows by file name; {} where there is none that can be read."""
    try:
        plain = json.loads(path.read_bytes())
        return {str(row["file"]): dict(row) for row in plain["loops"]}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}


def _unchanged(folder: Path, loop: PackLoop, row: Mapping[str, Any]) -> Entry | None:
    paths = {"sha256": folder / loop.file, "picture_sha256": folder / loop.picture}
    if any(not path.is_file() or sha256(path) != row.get(name) for name, path in paths.items()):
        return None
    try:
        origin = Origin(**row["origin"])
    except (LookupError, TypeError):
        return _adopted(folder, loop)
    return Entry(
        file=loop.file,
        picture=loop.picture,
        request=loop.request,
        sha256=row["sha256"],
        picture_sha256=row["picture_sha256"],
        origin=origin,
    )


def _adopted(folder: Path, loop: PackLoop) -> Entry | None:
    """The entry of two files that no index names yet, if they are this very loop's."""
    from audio.errors import AudioError

    found = []
    for name in (loop.file, loop.picture):
        try:
            found.append(files.record_of(folder / name))
        except (AudioError, UsageError):
            return None
    sound, picture = found
    if sound != picture or sound.request != loop.request or sound.origin is None:
        return None
    return entry(folder, loop, sound.origin)
