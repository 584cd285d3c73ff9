"""The room where a file says how it was made: A1111's PNG Info, for pictures and for sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from riffapp.gallery import Role
from riffapp.jobs.worker import sentence_for
from riffapp.studio import info
from riffapp.ui import map as plan
from riffapp.ui import restore, say
from riffapp.ui.components import image_fill
from riffapp.ui.components.source import give, source
from riffapp.ui.map import Room
from riffapp.ui.results import placeholder

KIND = "info"
GIVEN = f"{KIND}_given"
_LEFT_OUT = ("file", "again", "parameters", "notes")  # of this machine, or shown above
_IMAGE_ROOMS = ("txt2img", "img2img")
_PICTURES = (".png", ".jpg", ".webp")
_EMPTY = (
    "What a file says of itself appears here.",
    "Settings stand inside the pictures and sounds that riffapp, AUTOMATIC1111 and its kin write.",
)


def page() -> None:
    """Draw the room as the session has it now."""
    with st.container(key="headline", gap="small"):
        st.title("Info", anchor=False)
        st.markdown("Everything that a picture or a sound says of how it was made.")
    with st.container(key="bench"):
        left, right = st.columns([5, 7], gap="large")
    with left:
        path = source(GIVEN, "A picture or a sound", "picture", "sound")
    with right, st.container(key="results"):
        if path is None:
            placeholder("quiet", *_EMPTY)
            return
        try:
            said = info.facts(str(path))
        except Exception as error:  # a defect is a sentence too, with its traceback in the log
            say.error(sentence_for(error))
            return
        _told(said)
        _send(path, said)


def _told(said: dict[str, Any]) -> None:
    text = said.get("parameters")
    if text:
        st.code(text, language=None, wrap_lines=True)
    for note in said.get("notes", ()):
        say.warning(note)
    left = {name: value for name, value in said.items() if name not in _LEFT_OUT}
    if not text and left.get("settings") is None:
        st.markdown("It does not say how it was made.")
    st.code("\n".join(info.lines(left)), language=None, wrap_lines=True)


def _send(path: Path, said: dict[str, Any]) -> None:
    """Where the settings, or the file itself, can be gone on with."""
    with st.container(horizontal=True, key=f"{KIND}_send"):
        if said.get("parameters"):
            for name in _IMAGE_ROOMS:
                _button(f"Send to {name}", f"to_{name}", _read, name, said["parameters"])
        else:
            _to_its_room(path)
        role: Role = "picture" if path.suffix in _PICTURES else "sound"
        for room in plan.rooms().values():
            place = (room.takes or {}).get(role)
            if place is not None and room.key != KIND:
                label = f"{role.capitalize()} to {room.title}"
                _button(label, f"give_{room.key}", _give, place, path, room.key)


def _to_its_room(path: Path) -> None:
    try:
        found = restore.restored(path)
    except Exception:  # it says nothing that a room could take; what it does say stands above
        return
    title = plan.rooms()[found.kind].title
    _button(f"Send to {title}", "restore", plan.restore, found.kind, found.task)
    for note in found.notes:
        say.warning(note)


def _button(label: str, name: str, then: Any, *args: Any) -> None:
    st.button(label, key=f"{KIND}_{name}", icon=":material/send:", on_click=then, args=args)


def _read(room: str, text: str) -> None:
    """The parameters into an image room's widgets."""
    from sdcore import infotext

    image_fill.read(room, infotext.read(text))
    plan.open_room(room)


def _give(place: str, path: Path, room: str) -> None:
    give(place, path, name=st.session_state.get(f"{GIVEN}_name", path.name))
    plan.open_room(room)


ROOMS = (
    Room(
        key=KIND,
        title="Info",
        icon=":material/info:",
        group="Images",
        page=page,
        takes={"sound": GIVEN, "picture": GIVEN},
    ),
)
