"""What a person has set, kept while they are in another room.

Streamlit forgets a widget's value when its page is left. Each room names its values when it is
drawn; they are put down here, and taken up again when the room is next opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

_KEPT = "kept"
_NOTHING = object()


def recall(defaults: Mapping[str, Any]) -> None:
    """Give each widget key the value that it had last, or its default."""
    kept = st.session_state.setdefault(_KEPT, {})
    for name, value in defaults.items():
        if name not in st.session_state:
            st.session_state[name] = kept.get(name, value)
        kept[name] = st.session_state[name]


def put(values: Mapping[str, Any]) -> None:
    """Set widget keys for when their room is next drawn."""
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
