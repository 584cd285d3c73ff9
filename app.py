"""The door for servers: `streamlit run app.py`. The page itself begins in riffapp/ui/main.py."""

import streamlit as st

from riffapp.ui.server import MAIN, parts

app = st.App(MAIN, **parts())
