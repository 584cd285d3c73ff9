"""The page's frame: its name, its look, and the way between its rooms."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from riffapp.ui.rooms import images, loop, speech, tools

HERE = Path(__file__).parent

# A file of our own: Streamlit's named icons for a tab are fetched from the net.
st.set_page_config(page_title="riffapp", page_icon=HERE / "icon.svg", layout="wide")
st.html(HERE / "look.css")
st.navigation(
    [
        st.Page(loop.page, title="Loop", default=True),
        st.Page(tools.page, title="Sound tools", url_path="tools"),
        st.Page(speech.page, title="Speech", url_path="speech"),
        st.Page(images.txt2img, title="txt2img"),
        st.Page(images.img2img, title="img2img"),
        st.Page(images.extras, title="Extras"),
        st.Page(images.info, title="Info"),
    ],
    position="top",
).run()
