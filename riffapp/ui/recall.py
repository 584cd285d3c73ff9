"""What a person has set, kept while they are in another room.

Streamlit forgets a widget's value when its page is left. Each room names its values when it is
drawn; they are put down here, and taken up again when the room is next opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, NoReturn, ParamSpec

import streamlit as st

_KEPT = "kept"
_NOTHING = object()
P = ParamSpec("P")


def recall(defaults: Mapping[str, Any]) -> None:
    """Give each widget key the value that it had last, or its default."""
    kept = st.session_state.setdefault(_KEPT, {})
    for name, value in defaults.items():
        if name not in st.session_state:
            st.session_state[name] = kept.get(name, value)
        kept[name] = st.session_state[name]


def apart(draw: Callable[P, None]) -> Callable[P, None]:
    """A part of a room that is drawn anew alone when one of its own widgets is used: so the answer
    comes at once, however much else is on the page. What is set in it is kept like all else.

    Nothing that is drawn outside of it may depend on its widgets.
    """

    @st.fragment
    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
        if "going" in st.session_state:  # to another room: that is for the whole page
            redraw()
        draw(*args, **kwargs)
        kept = st.session_state.get(_KEPT, {})
        kept.update({name: st.session_state[name] for name in kept if name in st.session_state})

    return drawn


def redraw() -> NoReturn:
    """Draw the whole page anew, as st.rerun does, unless something else was asked for meanwhile.

    A rerun that is asked for takes the place of one that waits: whoever has just clicked on their
    way to another room would stay in this one. Anything drawn lets what waits go first.
    """
    st.empty()
    st.rerun()


def put(values: Mapping[str, Any]) -> None:
    """Set widget keys for when their room is next drawn, also as a button's callback."""
    kept = st.session_state.setdefault(_KEPT, {})
    for name, value in values.items():
        st.session_state[name] = kept[name] = value


def remembered(name: str, default: Any = None) -> Any:
    """What a widget of any room says, or said when that room was last drawn."""
    return st.session_state.get(name, st.session_state.get(_KEPT, {}).get(name, default))


class Said:
    """What widgets say, as attributes: also those that are not drawn as things are set now, whose
    values Streamlit forgets between a run of the script and the next click."""

    def __getattr__(self, name: str) -> Any:
        found = remembered(name, _NOTHING)
        if found is _NOTHING:
            raise AttributeError(f"no widget is called '{name}'")
        return found


said = Said()


def drop(names: Iterable[str]) -> None:
    """Let widget keys go back to their defaults."""
    for name in names:
        st.session_state.pop(name, None)
        st.session_state.get(_KEPT, {}).pop(name, None)


def is_first_visit() -> bool:
    """Whether nothing was set in this session as yet."""
    return _KEPT not in st.session_state
