"""The room where a file says how it was made: A1111's PNG Info, for pictures and for sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from riffapp.gallery import Role
from riffapp.jobs.worker import sentence_for
from riffapp.studio import info
from riffapp.ui import map as plan
from riffapp.ui import say
from riffapp.ui.components import image_fill
from riffapp.ui.components.source import give, source
from riffapp.ui.frame import bench, headline
from riffapp.ui.map import Room
from riffapp.ui.restore import Restored, bring, restored
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
    headline("Info", "Everything that a picture or a sound says of how it was made.")
    left, right = bench()
    with left:
        path = source(GIVEN, "A picture or a sound", "picture", "sound")
    with right:
        if path is None:
            placeholder("quiet", *_EMPTY)
            return
        said, found = _known(path)
        if isinstance(said, str):
            say.error(said)
            return
        _told(said)
        _send(path, said, found)


def _known(path: Path) -> tuple[dict[str, Any] | str, Restored | None]:
    """What a file says, or the sentence that refuses it, and what it was made with; read once."""
    before: Any = st.session_state.get(f"{KIND}_known")
    if before is None or before[0] != path:
        said: dict[str, Any] | str
        try:
            said = info.facts(str(path))
        except Exception as error:  # a defect is a sentence too, with its traceback in the log
            said = sentence_for(error)
        try:
            found = restored(path)
        except Exception:  # no room could take it: what it does say is shown all the same
            found = None
        st.session_state[f"{KIND}_known"] = before = (path, said, found)
    return before[1], before[2]


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


def _send(path: Path, said: dict[str, Any], found: Restored | None) -> None:
    """Where the settings, or the file itself, can be gone on with."""
    for note in () if found is None else found.notes:
        say.warning(note)
    with st.container(horizontal=True, key=f"{KIND}_send"):
        if found is not None:
            _button(f"Send to {plan.rooms()[found.kind].title}", "restore", bring, found)
        for name in _IMAGE_ROOMS if said.get("parameters") else ():
            if found is None or found.kind != name:
                _button(f"Send to {name}", f"to_{name}", _read, name, said["parameters"])
        role: Role = "picture" if path.suffix in _PICTURES else "sound"
        takers = [r for r in plan.rooms().values() if role in (r.takes or {}) and r.key != KIND]
        st.menu_button(
            f"Send the {role} itself to",
            [room.key for room in takers],
            format_func=lambda name: plan.rooms()[name].title,
            key=f"{KIND}_give",
            icon=":material/send:",
            on_click=_give,
            args=(role, path),
        )


def _button(label: str, name: str, then: Any, *args: Any) -> None:
    st.button(label, key=f"{KIND}_{name}", icon=":material/send:", on_click=then, args=args)


def _read(room: str, text: str) -> None:
    """The parameters into an image room's widgets."""
    from sdcore import infotext

    image_fill.read(room, infotext.read(text))
    plan.open_room(room)


def _give(role: Role, path: Path) -> None:
    chosen: str | None = st.session_state.get(f"{KIND}_give")
    if chosen is not None:
        place = (plan.rooms()[chosen].takes or {})[role]
        give(place, path, name=st.session_state.get(f"{GIVEN}_name", path.name))
        plan.open_room(chosen)


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
