"""Settings out of files: a sound or picture that is dragged in brings back all that made it."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import streamlit as st

from riffapp import settings
from riffapp.errors import UsageError
from riffapp.jobs import wire
from riffapp.jobs.desk import Task
from riffapp.jobs.tasks.journey import Piece
from riffapp.jobs.tasks.loops import Loops
from riffapp.jobs.tasks.remix import Remix
from riffapp.jobs.tasks.sources import Source
from riffapp.jobs.tasks.speech import OWN_VOICE, Bed, Speech
from riffapp.jobs.worker import sentence_for
from riffapp.studio import checkpoints, files, record
from riffapp.studio.plan import plan_loop
from riffapp.studio.types import LoopRequest
from riffapp.ui import map as plan
from riffapp.ui import say, visitor
from riffapp.ui.components import image_fill
from riffapp.ui.components.source import give, source
from riffapp.ui.here import is_here

_HELP = "WAV, FLAC, OGG, MP3 and PNG of riffapp; PNG, JPEG and WebP of AUTOMATIC1111's kin"
_TITLE_CHARS = 200
_DIGEST = re.compile("[0-9a-f]{64}")
_SILENT = (
    "this file does not say how it was made: give one that riffapp, AUTOMATIC1111 or its kin "
    "wrote, as it was written; programs that save it anew may leave its settings out"
)


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What a file was made with: the room's key, its task, and what could not be brought back.

    `task` is an Infotext where image tools wrote it; `begins` is what its room begins from then.
    """

    kind: str
    title: str
    task: Any
    notes: tuple[str, ...] = ()
    begins: Path | None = None


def zone(place: str) -> None:
    """A place to drag a file to, and a way to its room with every setting that made it.

    `place` sets it apart from another one in the session.
    """
    label = "Drag a sound or a picture in: the settings that made it come back"
    path = source(place, label, "sound", "picture", help=_HELP)
    if path is None:
        return
    found = _known(place, path)
    if isinstance(found, str):
        say.error(found)
        return
    room = plan.rooms()[found.kind]
    title = textwrap.shorten(found.title, _TITLE_CHARS, placeholder="…")
    st.markdown(f"Made in **{say.plain(room.title)}**: {say.plain(title)}")
    for note in found.notes:
        say.warning(note)
    st.button(
        "Bring its settings back",
        key=f"{place}_restore",
        type="primary",
        icon=":material/restore_page:",
        on_click=bring,
        args=(found,),
    )


def bring(found: Restored) -> None:
    """As a button's callback: the settings into their room's widgets, and there."""
    from sdcore.infotext import Infotext

    if not isinstance(found.task, Infotext):
        plan.restore(found.kind, found.task)
        return
    image_fill.read(found.kind, found.task)
    if found.begins is not None:
        give((plan.rooms()[found.kind].takes or {})["picture"], found.begins)
    plan.open_room(found.kind)


def _known(place: str, path: Path) -> Restored | str:
    """What the file at a place was made with, or the sentence that refuses it; read once."""
    key = f"{place}_restored"
    before: tuple[Path, Restored | str] | None = st.session_state.get(key)
    if before is None or before[0] != path:
        try:
            found: Restored | str = restored(path)
        except Exception as error:  # a defect is a sentence too, with its traceback in the log
            found = sentence_for(error)
        st.session_state[key] = before = (path, found)
    return before[1]


def restored(path: Path) -> Restored:
    """The task that made a file: as the gallery has it, if the file is of one of its works, else
    as the file itself tells.

    Raises UsageError for a file that does not tell it, audio's and sdcore's errors for a damaged
    one.
    """
    home = visitor.database().home
    work = visitor.gallery().holding(path, owner=None if is_here() else visitor.owner())
    if work is not None and _has_room(work.kind):
        return _of(work.kind, wire.loads(work.task, home))
    texts = _texts(path)
    document = _document(texts)
    read = _READERS.get(str(document.get("kind")), _of_parameters)
    return read(path, texts, document)


def _has_room(kind: str) -> bool:
    room = plan.rooms().get(kind)
    return room is not None and room.fill is not None


def _of(kind: str, task: Task, *notes: str) -> Restored:
    return Restored(kind=kind, title=task.title, task=task, notes=notes)


def _texts(path: Path) -> dict[str, str]:
    """The texts inside; of a picture also those that image tools keep elsewhere."""
    if path.suffix.lower() in files.SOUND_SUFFIXES:
        return files.read_texts(path)
    from sdcore import picture_files

    texts = files.read_texts(path) if files.is_picture(path) else {}
    parameters = picture_files.read(path)
    return texts if parameters is None else texts | {record.PARAMETERS: parameters}


def _document(texts: Mapping[str, str]) -> dict[str, Any]:
    """The JSON that a file of ours carries; empty for another's, or where it is no object."""
    text = texts.get(record.DOCUMENT, "")
    try:
        found = json.loads(text) if len(text) <= record.MAX_CHARS else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# ---- what each kind of file tells -------------------------------------------------------------


def _loop(path: Path, texts: Mapping[str, str], _: Mapping[str, Any]) -> Restored:
    found = record.read(texts)
    assert found is not None  # whoever calls has looked
    suffix = path.suffix.lower()
    suffix = suffix if suffix in files.SOUND_SUFFIXES else settings.load().suffix
    request, notes = _with_ours(found.request)
    plan_loop(request, checkpoints.read_sound(request.checkpoint))  # refuses what no room asks for
    parts = (request.timeline, request.journey, request.variant)
    make = Loops if all(part is None for part in parts) else Piece
    task = make(request=request, suffix=suffix)
    return _of(task.kind, task, *notes)


def _with_ours(request: LoopRequest) -> tuple[LoopRequest, list[str]]:
    """The request on a checkpoint that is here, with a note where it was made by another one: a
    stranger's file names no folder of this machine, and nothing to be fetched."""
    own = settings.load().checkpoint
    if request.checkpoint in (own, *checkpoints.names()):
        return request, []
    note = f"made with the checkpoint '{request.checkpoint}', which is not here: {own} stays"
    return replace(request, checkpoint=own), [note]


def _remake(path: Path, texts: Mapping[str, str], _: Mapping[str, Any]) -> Restored:
    """What was made from another sound, if that was ever given here."""
    found = record.read(texts)
    assert found is not None  # of this kind it is read
    told = found.source or {}
    digest, inputs = str(told.get("sha256")), visitor.database().home / wire.INPUTS
    given = next(inputs.glob(f"{digest}.*"), None) if _DIGEST.fullmatch(digest) else None
    if given is None:
        raise UsageError(
            "this was made from another sound, which was never given here: give that one in "
            "Sound to sound, with these words: " + (found.request.prompt or "none")
        )
    request, notes = _with_ours(found.request)
    strength: Any = told.get("strength")
    if type(strength) not in (int, float) or not 0 <= strength <= 1:
        strength = Remix.strength
    task = Remix(source=Source(path=given), request=request, strength=float(strength))
    part = "what was done again of it, if only a part was, does not stand in the file"
    return _of("remix", task, part, *notes)


def _speech(path: Path, _: Mapping[str, str], document: Mapping[str, Any]) -> Restored:
    from audio.speech import find_voice
    from riffapp.studio.speech import SpeechRequest, refuse

    request = _built(SpeechRequest, document.get("request"))
    refuse(request, find=lambda _: find_voice("en-us"))  # whose voice it was is asked in the room
    missing = ["its bed is not in the file: give one again"]
    if request.voice == OWN_VOICE:
        missing.append("the recording of its voice is not in the file: give it again")
    return _of("speech", Speech(request=request, bed=Bed(), suffix=path.suffix.lower()), *missing)


def _drawing(*_: object) -> Restored:
    raise UsageError(
        "this picture was drawn from a sound, and no words made it: give it to Sound to sound, or "
        "play it in Spectrogram <-> sound"
    )


def _of_parameters(path: Path, texts: Mapping[str, str], _: Mapping[str, Any]) -> Restored:
    """By the text for people: a loop's, or a picture's."""
    from sdcore import infotext

    if record.PARAMETERS not in texts:
        raise UsageError(_SILENT)
    text = texts[record.PARAMETERS]
    if record.read({record.PARAMETERS: text}) is not None:
        return _loop(path, {record.PARAMETERS: text}, {})
    found = infotext.read(text)
    title, kind, begins, notes = found.request.prompt or "a picture", "txt2img", None, found.notes
    if found.start is not None:
        kind, begins = "img2img", path
        missing = "the picture that it began from is not in the file: this one stands in its place"
        notes = (*notes, missing)
    return Restored(kind=kind, title=title, task=found, begins=begins, notes=notes)


_READERS: Mapping[str, Callable[[Path, Mapping[str, str], Mapping[str, Any]], Restored]] = {
    "loop": _loop,
    "remake": _remake,
    "speech": _speech,
    "drawing": _drawing,
}


def _built(cls: type[Any], plain: Any) -> Any:
    """A frozen dataclass from what `asdict` made of one: unknown keys are passed over, missing ones
    take their default. Raises UsageError for anything else."""
    if not isinstance(plain, dict):
        raise UsageError(f"the file's settings are damaged: no {cls.__name__}")
    hints = get_type_hints(cls)
    told = {f.name: plain[f.name] for f in fields(cls) if f.init and f.name in plain}
    try:
        return cls(**{name: _value(hints[name], value) for name, value in told.items()})
    except (TypeError, ValueError) as error:
        raise UsageError(f"the file's settings are damaged ({error})") from error


def _value(kind: Any, plain: Any) -> Any:
    """A value of a type. Raises ValueError for what is of another."""
    args = get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        return _built(kind, plain)
    if isinstance(kind, UnionType):
        is_absent = plain is None and NoneType in args
        return None if is_absent else _value(args[0], plain)
    if get_origin(kind) is tuple and isinstance(plain, list):
        kinds = [args[0]] * len(plain) if args[-1] is Ellipsis else args
        return tuple(_value(one, value) for one, value in zip(kinds, plain, strict=True))
    if kind is float and type(plain) is int:
        return float(plain)
    if type(plain) is not kind:
        raise ValueError(f"{plain!r:.40} is no {getattr(kind, '__name__', kind)}")
    return plain
