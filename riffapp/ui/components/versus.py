"""Two works beside each other: both to be heard, and what was set otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import streamlit as st

from riffapp.gallery import Work
from riffapp.ui.components.work_card import card
from riffapp.ui.say import plain

_SHOWN_CHARS = 200
_TYPE = "is"  # a task's JSON names its classes so


def versus(first: Work, second: Work, *, place: str) -> None:
    """Show A and B under each other, then a table of the settings that differ."""
    for name, work in (("A", first), ("B", second)):
        st.markdown(f"**{name}**")
        card(work, place=f"{place}_{name.lower()}")
    differing = differences(first.task, second.task)
    if not differing:
        st.markdown("All settings of A and B are the same.")
        return
    rows = [
        {"Setting": plain(name), "A": plain(one), "B": plain(other)}
        for name, one, other in differing
    ]
    st.markdown("**What was set otherwise**")
    st.table(rows, border="horizontal", hide_index=True, alt="The settings in which A and B differ")


def differences(first: str, second: str) -> list[tuple[str, str, str]]:
    """The settings in which two tasks (JSON) differ: a name in words, one's value, the other's."""
    one, other = (dict(_flat(json.loads(task))) for task in (first, second))
    return [
        (_named(path), _shown(one.get(path)), _shown(other.get(path)))
        for path in dict.fromkeys((*one, *other))
        if one.get(path) != other.get(path)
    ]


def _flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value.get(_TYPE) == "mapping":
        for key, inner in value["items"]:
            yield from _flat(inner, (*path, str(key)))
    elif isinstance(value, dict) and "file" in value:
        yield path, value["file"]
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key != _TYPE:
                yield from _flat(inner, (*path, key))
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        for number, inner in enumerate(value, start=1):
            yield from _flat(inner, (*path, str(number)))
    else:
        yield path, value


def _named(path: tuple[str, ...]) -> str:
    """'hires scale' of ('request', 'hires', 'scale')."""
    return " ".join(part.replace("_", " ") for part in path if part not in ("request", "wish"))


def _shown(value: Any) -> str:
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, bool):
        return "on" if value else "off"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
