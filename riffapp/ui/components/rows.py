"""Rows of widgets that a person adds and takes away: layers, marks of a timeline.

The widgets of a row have the keys `<prefix>_<field>_<row>`; `key` makes them. Rows are numbered as
they come and keep their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from riffapp.ui.recall import drop, put, recall

Row = Mapping[str, Any]


def begin(prefix: str, first: Sequence[Row]) -> tuple[int, ...]:
    """The rows that there are, `first` on the first visit, by their numbers; their values put
    back."""
    recall({_rows(prefix): tuple(range(len(first)))})
    for place, row in enumerate(rows(prefix)):
        values = first[min(place, len(first) - 1)]
        recall({key(prefix, name, row): value for name, value in values.items()})
    return rows(prefix)


def rows(prefix: str) -> tuple[int, ...]:
    """The numbers of the rows, from the top."""
    found: tuple[int, ...] = st.session_state[_rows(prefix)]
    return found


def key(prefix: str, field: str, row: int) -> str:
    """The session's key of a row's widget."""
    return f"{prefix}_{field}_{row}"


def value(prefix: str, field: str, row: int) -> Any:
    """What a row's widget says now."""
    return st.session_state[key(prefix, field, row)]


def fill(prefix: str, values: Sequence[Row]) -> None:
    """Just these rows, in place of those that are there."""
    put({_rows(prefix): tuple(range(len(values)))})
    for row, one in enumerate(values):
        put({key(prefix, name, row): value for name, value in one.items()})


def add(prefix: str, values: Row) -> None:
    """One more row at the end; for callbacks."""
    there = rows(prefix)
    row = max(there, default=-1) + 1
    put({_rows(prefix): (*there, row)})
    put({key(prefix, name, row): value for name, value in values.items()})


def remove(prefix: str, row: int, fields: Sequence[str]) -> None:
    """Without a row; for callbacks."""
    put({_rows(prefix): tuple(one for one in rows(prefix) if one != row)})
    drop(key(prefix, name, row) for name in fields)


def _rows(prefix: str) -> str:
    return f"{prefix}_rows"
