"""The words that a checkpoint knows, as chips: a click puts one in or takes it out."""

from __future__ import annotations

import streamlit as st

from riffapp.ui import words
from riffapp.ui.recall import put
from riffapp.ui.words import Group, Groups

_MANY, _TALL_PX = 40, 170  # more chips than this scroll


def chips(known: Groups, *, prompt: str) -> None:
    """Chips for the words in `known`; `prompt` is the session's key of the text they edit.

    A chip is lit while its word stands in the text.
    """
    lit = words.lit(st.session_state[prompt], known)
    named = [group for group in known.values() if group.of is None]
    tabs = st.tabs([g.name.capitalize() for g in named]) if len(named) > 1 else [st.container()]
    for tab, group in zip(tabs, named, strict=True):
        with tab:
            for shown in (group, *(g for g in known.values() if g.of == group.name)):
                _group(shown, known, prompt=prompt, lit=lit[shown.name])


def _group(group: Group, known: Groups, *, prompt: str, lit: tuple[str, ...]) -> None:
    key = f"{prompt}_chips_{group.name}"
    st.session_state[key] = next(iter(lit), None) if group.single else list(lit)
    with st.container(height=_TALL_PX if len(group.words) > _MANY else "content"):
        st.pills(
            group.name.capitalize(),
            group.words,
            selection_mode="single" if group.single else "multi",
            key=key,
            on_change=_toggle,
            args=(prompt, key, group, known, lit),
            label_visibility="collapsed" if group.of is None else "visible",
        )


def _toggle(prompt: str, key: str, group: Group, known: Groups, lit: tuple[str, ...]) -> None:
    """Carry what was clicked into the text."""
    text, value = st.session_state[prompt], st.session_state[key]
    now = (() if value is None else (value,)) if group.single else tuple(value)
    gone, new = [w for w in lit if w not in now], [w for w in now if w not in lit]
    if group.single and gone and new:
        text = words.swap(text, gone.pop(0), new.pop())
    for word in gone:
        text = words.remove(text, word, of=group.name, known=known)
    for word in new:
        text = words.add(text, word, to=group.name, known=known)
    put({prompt: text})
