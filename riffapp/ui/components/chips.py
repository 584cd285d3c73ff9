"""The words that a checkpoint knows, as chips: a click puts one in or takes it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from riffapp.ui import words


def chips(groups: Mapping[str, Sequence[str]], *, prompt: str) -> None:
    """Chips for the words in `groups`; `prompt` is the session's key of the text they edit.

    A chip is lit while its word stands in the text.
    """
    places = st.tabs([name.capitalize() for name in groups]) if len(groups) > 1 else [st.container()]
    for place, (name, known) in zip(places, groups.items(), strict=True):
        with place, st.container(key=f"chips_{name}", height=170 if len(known) > 40 else "content"):
            _group(name, known, prompt=prompt)


def _group(name: str, known: Sequence[str], *, prompt: str) -> None:
    key = f"{prompt}_chips_{name}"
    text = st.session_state[prompt]
    st.session_state[key] = [word for word in known if words.mentions(text, word)]
    st.pills(
        f"{name.capitalize()} words that the model knows",
        known,
        selection_mode="multi",
        key=key,
        on_change=_toggle,
        args=(prompt, key, known),
        label_visibility="collapsed",
    )


def _toggle(prompt: str, key: str, known: Sequence[str]) -> None:
    """Make the text say what the chips say."""
    text = st.session_state[prompt]
    lit = set(st.session_state[key] or ())
    for word in known:
        if word in lit and not words.mentions(text, word):
            text = words.add(text, word)
        elif word not in lit and words.mentions(text, word):
            text = words.remove(text, word)
    st.session_state[prompt] = text
