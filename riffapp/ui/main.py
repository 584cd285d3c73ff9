"""The page's frame: its name, its look, and the way between its rooms."""

from __future__ import annotations

import time
from pathlib import Path

import streamlit as st

from riffapp import settings
from riffapp.errors import RiffappError
from riffapp.ui import map as plan
from riffapp.ui import say

HERE = Path(__file__).parent
UNTIL_SAID_S = 0.03  # Streamlit sends what is queued every 10 ms

# A file of our own: Streamlit's named icons for a tab are fetched from the net.
st.set_page_config(page_title="riffapp", page_icon=HERE / "icon.svg", layout="wide")
st.html(HERE / "look.css")
try:
    settings.load()
except RiffappError as error:  # no room can be drawn without them
    say.error(str(error))
    st.stop()

pages = {
    key: st.Page(room.page, title=room.title, icon=room.icon, url_path=key, default=key == "loop")
    for key, room in plan.rooms().items()
}
groups: dict[str, list[st.Page]] = {}
for key, room in plan.rooms().items():
    groups.setdefault(room.group, []).append(pages[key])
page = st.navigation(groups, position="top")
going = st.session_state.pop("going", None)
if going is not None and pages[going] is not page:
    st.switch_page(pages[going])
if told := st.session_state.pop("unusable", None):  # settings that a button should have brought
    say.error(told)
page.run()
# A part of the room that was asked for meanwhile (recall.apart) takes what this run still has to
# say of it out of the queue: the browser would blink, and lose the click and what was set there.
time.sleep(UNTIL_SAID_S)
