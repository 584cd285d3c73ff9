"""Several pictures that a room goes through one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from riffapp import uploads
from riffapp.jobs import wire
from riffapp.jobs.worker import sentence_for
from riffapp.ui import say, visitor
from riffapp.ui.components.source import MAX_MB, TYPES

MOST = 100


@dataclass(frozen=True, kw_only=True)
class Given:
    """A picture among the inputs, and what its owner calls it."""

    path: Path
    name: str


def several(place: str, label: str) -> tuple[Given, ...]:
    """A box for several pictures, and what is in it; `place` is the session's key of them."""
    st.file_uploader(
        label,
        TYPES["picture"],
        accept_multiple_files=True,
        key=f"{place}_upload",
        max_upload_size=MAX_MB,
        on_change=_take,
        args=(place,),
        help=f"At most {MOST}",
    )
    for told in st.session_state.get(f"{place}_refusals", ()):
        say.error(told)
    found = tuple(one for one in st.session_state.get(place, ()) if one.path.exists())
    if found:
        with st.container(horizontal=True, vertical_alignment="center", key=f"{place}_given"):
            names = ", ".join(one.name for one in found[:3])
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            st.markdown(f":material/attach_file: {say.plain(names)}{more}")
            st.button(
                "Remove", key=f"{place}_remove", type="tertiary", on_click=give, args=(place, ())
            )
    return found


def give(place: str, given: Sequence[Given]) -> None:
    """Put pictures there, as if they had been uploaded."""
    st.session_state[place] = tuple(given)
    st.session_state[f"{place}_refusals"] = ()


def _take(place: str) -> None:
    """Check what was uploaded; what is refused says why, and the others stay."""
    home = visitor.database().home
    found, told = [], []
    files = st.session_state[f"{place}_upload"] or []
    if len(files) > MOST:
        told.append(f"{len(files)} pictures: the first {MOST} are taken")
    for file in files[:MOST]:
        try:
            accepted = uploads.accept(
                file, file.name, kinds=frozenset(["picture"]), folder=home / wire.INPUTS
            )
        except Exception as error:
            told.append(sentence_for(error))
            continue
        found.append(Given(path=accepted.path, name=accepted.name))
    st.session_state[place] = tuple(found)
    st.session_state[f"{place}_refusals"] = tuple(told)
