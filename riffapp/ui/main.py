"""The page's frame: its name, its look, and the way between its rooms."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from riffapp.ui.pages import loop

st.set_page_config(page_title="riffapp", page_icon=":material/graphic_eq:", layout="wide")
st.html(Path(__file__).with_name("look.css"))
st.navigation([st.Page(loop.page, title="Loop", default=True)], position="top").run()
