"""The room of styles: prompts under a name, which the image rooms put around others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from riffapp import settings
from riffapp.errors import UsageError
from riffapp.jobs.worker import sentence_for
from riffapp.ui import say
from riffapp.ui.components import image_wish
from riffapp.ui.components.source import source
from riffapp.ui.frame import bench, headline
from riffapp.ui.map import Room
from riffapp.ui.recall import put, recall
from riffapp.ui.say import plain

if TYPE_CHECKING:
    from sdcore.prompt.styles import Style

KEY = "styles"
_FIRST = {"styles_chosen": None, "styles_name": "", "styles_prompt": "", "styles_negative": ""}
_WELCOME = (
    "A style puts its words around a prompt: where it says `{prompt}`, or else behind it. "
    "txt2img and img2img offer what is kept here; the file is AUTOMATIC1111's `styles.csv`."
)


def page() -> None:
    """Draw the room."""
    headline("Styles", _WELCOME)
    recall(_FIRST)
    if told := st.session_state.pop("styles_refusal", None):
        say.error(told)
    try:
        known = image_wish.styles()
    except Exception as error:  # somebody else's file under this name
        say.error(sentence_for(error))
        return
    if st.session_state.styles_chosen not in known:
        st.session_state.styles_chosen = None
    left, right = bench()
    with left:
        _editor(known)
    with right:
        _gone()
        _table(known)
        _given()


def _write(table: Mapping[str, Style]) -> None:
    from sdcore.prompt import styles

    path = settings.load().home / image_wish.STYLES
    path.parent.mkdir(parents=True, exist_ok=True)
    styles.write(path, table.values())


# ---- one of them


def _editor(known: Mapping[str, Style]) -> None:
    st.selectbox(
        "Style", list(known), key="styles_chosen", placeholder="A new one", on_change=_choose,
        help="Choose one to change it",
    )  # fmt: skip
    st.text_input("Name", key="styles_name", max_chars=100)
    st.text_area("Prompt", key="styles_prompt", height=110, placeholder="oil painting of {prompt}")
    st.text_area("Negative prompt", key="styles_negative", height=80)
    with st.container(horizontal=True):
        st.button(
            "Save", key="styles_save", type="primary", icon=":material/save:", on_click=_attempt,
            args=(_save,), shortcut="Ctrl+Enter",
        )  # fmt: skip
        st.button(
            "Delete", key="styles_delete", icon=":material/delete:", on_click=_attempt,
            args=(_delete,), disabled=st.session_state.styles_chosen is None,
        )  # fmt: skip


def _attempt(do: object) -> None:
    """As a callback: do it, or keep the sentence that refuses it."""
    assert callable(do)
    try:
        do()
    except Exception as error:
        st.session_state.styles_refusal = sentence_for(error)


def _choose() -> None:
    chosen = image_wish.styles().get(st.session_state.styles_chosen)
    put(
        {
            "styles_name": "" if chosen is None else chosen.name,
            "styles_prompt": "" if chosen is None else chosen.prompt,
            "styles_negative": "" if chosen is None else chosen.negative,
        }
    )


def _save() -> None:
    """The one that is chosen gets what the widgets say, its name too; else it is a new one."""
    from sdcore.prompt.styles import Style

    s = st.session_state
    name, before = s.styles_name.strip(), s.styles_chosen
    if not name:
        raise UsageError("this style has no name: give it one")
    known = image_wish.styles()
    if name != before and name in known:
        raise UsageError(f"there is a style '{name}' already: choose it above to change it")
    style = Style(name=name, prompt=s.styles_prompt, negative=s.styles_negative)
    if before in known:
        table = {(name if old == before else old): one for old, one in known.items()}
    else:
        table = dict(known)
    _write(table | {name: style})
    put({"styles_chosen": name, "styles_name": name})


def _delete() -> None:
    known = dict(image_wish.styles())
    st.session_state.styles_gone = known.pop(st.session_state.styles_chosen)
    _write(known)
    put(_FIRST)


def _gone() -> None:
    """A way back for what was just deleted."""
    gone: Style | None = st.session_state.get("styles_gone")
    if gone is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"“{plain(gone.name)}” is deleted.")
        st.button(
            "Undo", key="styles_undo", icon=":material/undo:", on_click=_attempt, args=(_restore,)
        )


def _restore() -> None:
    gone: Style = st.session_state.pop("styles_gone")
    _write({gone.name: gone, **image_wish.styles()})


# ---- all of them


def _table(known: Mapping[str, Style]) -> None:
    if not known:
        st.markdown("There is no style yet. Name one and save it, or bring a `styles.csv` along.")
        return
    rows = [
        {
            "Name": plain(one.name),
            "Prompt": plain(one.prompt or "-"),
            "Negative prompt": plain(one.negative or "-"),
        }
        for one in known.values()
    ]
    st.table(rows, border="horizontal", hide_index=True, alt="All styles")


def _given() -> None:
    """A styles.csv of another tool, to be taken over."""
    path = source("styles_given", "Styles of another tool: a styles.csv", "table")
    if path is None:
        return
    from sdcore.prompt import styles

    try:
        found = styles.read(path)
    except Exception as error:
        say.error(sentence_for(error))
        return
    st.button(
        f"Take over its {len(found)} styles", key="styles_take", icon=":material/download:",
        on_click=_attempt, args=(lambda: _write({**image_wish.styles(), **found}),),
        help="Styles of the same name are replaced",
    )  # fmt: skip


ROOMS = (Room(key=KEY, title="Styles", icon=":material/style:", group="More", page=page),)
