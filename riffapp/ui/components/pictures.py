"""What an image room has made: pictures side by side, each with what made it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from riffapp.gallery import Work
from riffapp.ui.components.work_card import card

_CARD_PX = 260


def pictures(works: Sequence[Work], place: str) -> None:
    """One large, several in a grid. `place` sets their widgets apart from those elsewhere."""
    if len(works) < 2:
        for work in works:
            _one(work, place)
        return
    grid = st.grid(2, min_column_width=_CARD_PX, key=f"{place}_grid")
    for work in works:
        with grid.cell():
            _one(work, place)


def _one(work: Work, place: str) -> None:
    card(work, place=place)
    if text := work.facts.get("parameters"):
        with st.expander("Parameters", key=f"parameters_{place}_{work.id}"):
            st.code(text, language=None, wrap_lines=True)
