"""A file that a room begins from: uploaded, or sent there from another room."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from riffapp import uploads
from riffapp.jobs import wire
from riffapp.jobs.worker import sentence_for
from riffapp.ui import say, serving, visitor
from riffapp.ui.components import shown

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

TYPES = {
    "sound": ("wav", "flac", "ogg", "mp3"),
    "picture": ("png", "jpg", "jpeg", "webp"),
    "text": ("txt", "srt", "vtt", "md"),
    "table": ("csv", "json", "jsonl"),
}
MAX_MB = 50


def source(place: str, label: str, *kinds: str, help: str | None = None) -> Path | None:
    """A box for one file of these kinds ("sound", "picture", "text", "table"), and what is in it.

    The file lies among the home's inputs, checked and whole; None while there is none. `place` is
    the session's key of it: `give` puts one there from elsewhere.
    """
    found = given(place)
    st.file_uploader(
        label,
        [suffix for kind in kinds for suffix in TYPES[kind]],
        key=f"{place}_upload",
        help=help,
        max_upload_size=MAX_MB,
        on_change=_take,
        args=(place, frozenset(kinds)),
    )
    if told := st.session_state.get(f"{place}_refusal"):
        say.error(told)
    if found is not None:
        _show(place, found)
    return found


def given(place: str) -> Path | None:
    """What lies at a place, if it is still there."""
    path: Path | None = st.session_state.get(place)
    return path if path is not None and path.exists() else None


def give(place: str, path: Path, *, name: str = "") -> None:
    """Put a file at a place, as if it had been uploaded."""
    st.session_state[place] = wire.kept(path, visitor.database().home)
    st.session_state[f"{place}_name"] = name or path.name
    st.session_state[f"{place}_refusal"] = None


def _take(place: str, kinds: frozenset[str]) -> None:
    """Check what was uploaded, and keep it or the sentence that refuses it."""
    file: UploadedFile | None = st.session_state[f"{place}_upload"]
    st.session_state[f"{place}_refusal"] = None
    if file is None:
        return
    try:
        home = visitor.database().home
        accepted = uploads.accept(file, file.name, kinds=kinds, folder=home / wire.INPUTS)
    except Exception as error:
        st.session_state[f"{place}_refusal"] = sentence_for(error)
        return
    st.session_state[place] = accepted.path
    st.session_state[f"{place}_name"] = accepted.name


def _show(place: str, path: Path) -> None:
    name = st.session_state.get(f"{place}_name", path.name)
    with st.container(horizontal=True, vertical_alignment="center", key=f"{place}_given"):
        st.markdown(f":material/attach_file: {say.plain(name)}")
        st.button("Remove", key=f"{place}_remove", type="tertiary", on_click=_remove, args=(place,))
    if path.suffix in (".png", ".jpg", ".jpeg", ".webp"):
        shown.picture(serving.input_url(path), f"The given picture {name}", width=320)
    elif path.suffix[1:] in TYPES["sound"]:
        shown.sound(serving.input_url(path), f"The given sound {name}")


def _remove(place: str) -> None:
    for name in (place, f"{place}_name", f"{place}_refusal"):
        st.session_state.pop(name, None)
