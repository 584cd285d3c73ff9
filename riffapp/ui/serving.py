"""Routes of our own: finished files and what forms, to the browser that they belong to."""

from __future__ import annotations

import mimetypes
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from riffapp.database import Database
from riffapp.gallery import Gallery, Work
from riffapp.jobs.desk import LIVE
from riffapp.jobs.store import Store
from riffapp.jobs.wire import INPUTS
from riffapp.ui.guard import is_loopback, visitor_of
from riffapp.ui.thumbnails import thumbnail

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

FILES, LIVES, GIVEN = "/riffapp/files", "/riffapp/live", "/riffapp/given"
_TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".mp3": "audio/mpeg"}
_LIVE = (".png", ".wav")
_INPUT = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,5}")
_MOST = 2**62  # of a number in an address; SQLite's end below 2**63


def url(work: Work, number: int, *, wav: bool = False, download: bool = False) -> str:
    """Where a work's file is had; as WAV whatever it is, or to be saved."""
    asked = "&".join(name for name, wanted in (("wav", wav), ("download", download)) if wanted)
    return f"{FILES}/{work.id}/{number}" + (f"?{asked}" if asked else "")


def live_url(job: int, suffix: str, version: int) -> str:
    """Where the `version`th picture or sound of what forms is had."""
    return f"{LIVES}/{job}{suffix}?v={version}"


def input_url(path: Path) -> str:
    """Where a file among the inputs is had: whoever can say its hash has seen its bytes."""
    return f"{GIVEN}/{path.name}"


def routes(database: Database) -> list[BaseRoute]:
    """The routes for a database's files."""
    from starlette.responses import FileResponse, PlainTextResponse
    from starlette.routing import Route

    def lost() -> Response:
        return PlainTextResponse("There is no such file here (any more).", status_code=404)

    def file(request: Request) -> Response:
        work = Gallery(database).work(min(int(request.path_params["work"]), _MOST))
        if work is None or not _may_see(request, work.owner):
            return lost()
        number = int(request.path_params["number"])
        if number >= len(work.files) or not (path := work.files[number].path).is_file():
            return lost()
        if "small" in request.query_params:
            path = thumbnail(path, database.home)
        if "wav" in request.query_params and path.suffix.lower() != ".wav":
            path = _as_wav(path, database.home)
        name = path.name if "download" in request.query_params else None
        found = FileResponse(path, media_type=_type(path), filename=name)
        found.headers["Cache-Control"] = "private, max-age=3600"
        return found

    def live(request: Request) -> Response:
        name, _, suffix = str(request.path_params["name"]).partition(".")
        job = Store(database).job(int(name)) if name.isdecimal() and len(name) < 16 else None
        if job is None or f".{suffix}" not in _LIVE or job.owner != _visitor(request):
            return lost()
        path = database.home / LIVE / f"{job.id}.{suffix}"
        if not path.is_file():
            return lost()
        return FileResponse(path, media_type=_type(path), headers={"Cache-Control": "no-store"})

    def given(request: Request) -> Response:
        name = str(request.path_params["name"])
        path = database.home / INPUTS / name
        if _INPUT.fullmatch(name) is None or not path.is_file():
            return lost()
        return FileResponse(path, media_type=_type(path))

    return [
        Route(f"{GIVEN}/{{name}}", given),
        Route(f"{FILES}/{{work:int}}/{{number:int}}", file),
        Route(f"{LIVES}/{{name}}", live),
    ]


def _visitor(request: Request) -> str | None:
    return visitor_of(request.cookies)


def _may_see(request: Request, owner: str) -> bool:
    """Whether a work may go out: to its own browser, and to any on the machine itself, which names
    the machine as such and is no proxy for others."""
    client, named = request.client, request.url.hostname or ""
    local = client is not None and is_loopback(client.host)
    local = local and (named == "localhost" or is_loopback(named))
    return owner == _visitor(request) or (local and "x-forwarded-for" not in request.headers)


def _type(path: Path) -> str:
    known = _TYPES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0]
    return known or "application/octet-stream"


def _as_wav(path: Path, home: Path) -> Path:
    """The same sound as a WAV, made once: browsers add silence to what they decode themselves."""
    from audio import files

    kept = home / LIVE / f"{path.stem}-{path.stat().st_mtime_ns}.wav"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            made = Path(folder) / "sound.wav"
            files.write(made, files.read(path))
            made.replace(kept)
    return kept
