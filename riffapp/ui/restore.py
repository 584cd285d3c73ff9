"""Settings out of files: a sound or picture that is dragged in brings back all that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from riffapp.errors import UsageError
from riffapp.jobs.desk import Task
from riffapp.jobs.tasks.loops import Loops
from riffapp.jobs.worker import sentence_for
from riffapp.studio import files, record
from riffapp.ui import map as plan
from riffapp.ui import say
from riffapp.ui.components.source import source

_SOUNDS = (".wav", ".flac", ".ogg", ".mp3")


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What a file was made with: the room's key, its task, and what could not be brought back."""

    kind: str
    task: Task
    notes: tuple[str, ...] = ()


def zone(place: str) -> None:
    """A place to drag a file to, and a way to its room with every setting that made it.

    `place` sets it apart from another one in the session.
    """
    path = source(
        place,
        "Drag a sound or a picture in: the settings that made it come back",
        "sound",
        "picture",
        help="WAV, FLAC, OGG, MP3 and PNG of riffapp; PNG, JPEG and WebP of AUTOMATIC1111's kin",
    )
    if path is None:
        return
    try:
        found = restored(path)
    except Exception as error:  # a defect is a sentence too, with its traceback in the log
        say.error(sentence_for(error))
        return
    room = plan.rooms()[found.kind]
    st.markdown(f"Made in **{room.title}**: {say.plain(found.task.title)}")
    for note in found.notes:
        say.warning(note)
    st.button(
        "Bring its settings back",
        key=f"{place}_restore",
        type="primary",
        icon=":material/restore_page:",
        on_click=plan.restore,
        args=(found.kind, found.task),
    )


def restored(path: Path) -> Restored:
    """The task that made a file, by what the file says.

    Raises UsageError for a file that does not say it, audio's and sdcore's errors for a damaged
    one.
    """
    texts = _texts(path)
    document = texts.get(record.DOCUMENT, "")
    kind = _kind(document)
    if kind in _READERS:
        return _READERS[kind](path, texts)
    if (found := record.read(texts)) is not None:
        return _loop(path, texts)
    raise UsageError(
        "this file does not say how it was made: give one that riffapp, AUTOMATIC1111 or its kin "
        "wrote, as it was written; programs that save it anew may leave its settings out"
    )


def _texts(path: Path) -> dict[str, str]:
    """The texts inside; of a picture also those that image tools hide elsewhere."""
    if path.suffix.lower() in _SOUNDS:
        return files.read_texts(path)
    from sdcore import picture_files

    texts = files.read_texts(path) if files.is_picture(path) else {}
    parameters = picture_files.read(path)
    return texts if parameters is None else texts | {record.PARAMETERS: parameters}


def _kind(document: str) -> str:
    """What a document of ours says that it is; nothing for another one, or a damaged one."""
    if len(document) > record.MAX_CHARS:
        return ""
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        return ""
    return str(found.get("kind", "")) if isinstance(found, dict) else ""


def _loop(path: Path, texts: Mapping[str, str]) -> Restored:
    found = record.read(texts)
    assert found is not None  # whoever calls has looked
    suffix = path.suffix.lower()
    request = found.request
    goes_on = any(part is not None for part in (request.timeline, request.journey))
    kind = "journey" if goes_on else "loop"
    task = Loops(
        request=request, suffix=suffix if suffix in files.SOUND_SUFFIXES else ".wav", kind=kind
    )
    return Restored(kind=kind, task=task)
