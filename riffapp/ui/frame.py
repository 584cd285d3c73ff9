"""The frame of a room: what it is called and for, and under that its two halves."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def headline(title: str, text: str = "") -> None:
    """The room's name, and what it is for in a sentence or two."""
    with st.container(key="headline", gap="small"):
        st.title(title, anchor=False)
        if text:
            st.markdown(text)


def bench(shares: tuple[int, int] = (5, 7)) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Where things are asked for, and where they appear; one under the other where it is narrow."""
    with st.container(key="bench"):
        left, right = st.columns(shares, gap="large")
    return left, right.container(key="results")
