"""The rooms of the page: what each is called, what it can be given, how its settings come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import streamlit as st

from riffapp.gallery import Role, Work
from riffapp.ui.recall import put, remembered


@dataclass(frozen=True, kw_only=True)
class Room:
    """One page. `key` is its path, and the kind of the jobs that it asks for."""

    key: str
    title: str
    icon: str
    group: str
    page: Callable[[], None]
    # Puts a task's settings into the room's widgets.
    fill: Callable[[Any], None] | None = None
    # Its widgets for the parts of a work's facts that can be taken over alone: "prompt", "seed".
    keys: Mapping[str, str] | None = None
    # What files it can begin from, by their role in a work: where each goes in the session.
    takes: Mapping[Role, str] | None = None


@cache
def rooms() -> Mapping[str, Room]:
    """All rooms, in the order of the bar above."""
    from riffapp.ui.rooms import (
        edit,
        extras,
        gallery,
        img2img,
        info,
        journey,
        layers,
        loop,
        merger,
        models,
        pack,
        preferences,
        queue,
        remix,
        spectrogram,
        speech,
        styles,
        train,
        txt2img,
    )

    found = (
        *loop.ROOMS,
        *layers.ROOMS,
        *journey.ROOMS,
        *remix.ROOMS,
        *edit.ROOMS,
        *speech.ROOMS,
        *pack.ROOMS,
        *spectrogram.ROOMS,
        *train.ROOMS,
        *txt2img.ROOMS,
        *img2img.ROOMS,
        *extras.ROOMS,
        *info.ROOMS,
        *merger.ROOMS,
        *gallery.ROOMS,
        *queue.ROOMS,
        *models.ROOMS,
        *styles.ROOMS,
        *preferences.ROOMS,
    )
    return {room.key: room for room in found}


def open_room(key: str) -> None:
    """Go to a room when the script runs next; for callbacks, which cannot go themselves."""
    st.session_state.going = key


def send(work: Work, key: str) -> None:
    """Give a work to a room and go there."""
    from riffapp.ui.components.source import give

    takes = rooms()[key].takes or {}
    for role, place in takes.items():
        if (file := work.file(role)) is not None:
            give(place, file.path)
            break
    open_room(key)


def takers(work: Work) -> list[Room]:
    """The rooms that can begin from a work."""
    return [r for r in rooms().values() if r.takes and any(work.file(x) for x in r.takes)]


def restore(kind: str, task: Any) -> None:
    """Put a task's settings into its room and go there."""
    room = rooms()[kind]
    if room.fill is not None:
        room.fill(task)
    open_room(kind)


def insert(key: str, text: str, words: str) -> None:
    """Add a text to the words of a room, or to `words` where it has none yet, and go there."""
    place = (rooms()[key].keys or {})["prompt"]
    there = str(remembered(place, "")).strip() or words
    if text not in there:
        put({place: f"{there}, {text}" if there else text})
    open_room(key)


def uses(work: Work) -> list[str]:
    """What of a work's settings its room can take over: "all", and single facts."""
    room = rooms().get(work.kind)
    if room is None or room.fill is None:
        return []
    return ["all", *(fact for fact in room.keys or {} if fact in work.facts)]


def use(work: Work, what: str) -> None:
    """Take one fact of a work over into its room, and go there."""
    put({(rooms()[work.kind].keys or {})[what]: work.facts[what]})
    open_room(work.kind)
