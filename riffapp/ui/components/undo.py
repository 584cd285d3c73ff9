"""A way back for what was just put into the bin."""

from __future__ import annotations

import streamlit as st

from riffapp.ui import visitor
from riffapp.ui.say import plain

_LAST = "deleted"  # the session's key of the work's number


def undo() -> None:
    """A line that takes the last deletion of this session back, where there was one."""
    number = st.session_state.get(_LAST)
    work = None if number is None else visitor.gallery().work(number)
    if work is None or work.deleted_at is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="undo"):
        st.markdown(f"“{plain(work.title)}” is in the bin.")
        st.button("Undo", icon=":material/undo:", key="undo_delete", on_click=_restored)


def _restored() -> None:
    visitor.gallery().restore(st.session_state.pop(_LAST))
