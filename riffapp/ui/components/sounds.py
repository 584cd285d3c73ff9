"""A work of many sounds: a list to pick from, and one player for what is picked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from audio.types import SpectrogramParams
from riffapp.gallery import Work
from riffapp.jobs.tasks.rows import ROWS
from riffapp.ui import map as plan
from riffapp.ui import serving
from riffapp.ui.components.player import Face, Track, pitches, player
from riffapp.ui.recall import apart
from riffapp.ui.say import plain

PER_PAGE = 10


@apart
def sounds(work: Work, *, key: str) -> None:
    """The list, ten to a page, and the player; a click plays, and draws only this anew."""
    rows = work.facts[ROWS]
    number = min(st.session_state.get(f"{key}_chosen", 0), len(rows) - 1)
    is_new = st.session_state.pop(f"{key}_play", False)
    player(face_of(work, number, play=is_new), key=f"{key}_player")
    _actions(work, number, key)
    pages = -(-len(rows) // PER_PAGE)
    page = 1 if pages == 1 else int(st.session_state.get(f"{key}_page", 1))
    with st.container(key=f"{key}_list", gap=None):
        for at in range((page - 1) * PER_PAGE, min(page * PER_PAGE, len(rows))):
            st.button(
                f"{at + 1}. {plain(rows[at]['title'])}",
                key=f"{key}_row_{at}",
                icon=":material/equalizer:" if at == number else ":material/play_arrow:",
                type="secondary" if at == number else "tertiary",
                on_click=_choose,
                args=(key, at),
                help=f"Play number {at + 1}",
            )
    if pages > 1:
        st.pagination(pages, key=f"{key}_page")


def _choose(key: str, number: int) -> None:
    st.session_state[f"{key}_chosen"] = number
    st.session_state[f"{key}_play"] = True


def facts_of(work: Work, number: int) -> Mapping[str, Any]:
    """What is known of one of the sounds."""
    return {**work.facts, **work.facts[ROWS][number]}


def face_of(work: Work, number: int, *, play: bool) -> Face:
    """What the player shows of one of the sounds."""
    facts = facts_of(work, number)
    params = None if "params" not in facts else SpectrogramParams.from_json(facts["params"])
    length = _length(facts)
    told = f"Spectrogram of {facts['title']}: {length} from left to right"
    if params is not None:
        told += f", {params.min_hz:g} to {params.max_hz:g} Hz from bottom to top"
    return Face(
        id=f"{work.id}-{number}",
        name=facts["title"],
        alt=told,
        title=length,
        tracks=(Track(name="sound", url=serving.url(work, facts["sound"], wav=True)),),
        seconds=float(facts["seconds"]),
        rate=int(facts["rate"]),
        beats=facts.get("beats"),
        meter=int(facts.get("meter", 4)),
        loops=bool(facts["loops"]),
        picture=None if params is None else serving.url(work, facts["picture"]),
        pitches=() if params is None else pitches(params),
        hz=None if params is None else (params.min_hz, params.max_hz),
        play=play,
    )


def _length(facts: Mapping[str, Any]) -> str:
    beats = facts.get("beats")
    bars = [] if beats is None else [f"{beats / facts['meter']:g} bars", f"{facts['bpm']:g} bpm"]
    return " · ".join([*bars, f"{facts['seconds']:.3f} s"])


def _actions(work: Work, number: int, key: str) -> None:
    """Take the sound that is picked home, or to another room."""
    facts = facts_of(work, number)
    one = replace(
        work, files=tuple(work.files[facts[n]] for n in ("sound", "picture") if n in facts)
    )
    takers = plan.takers(one)
    with st.container(horizontal=True, key=f"{key}_one"):
        st.link_button(
            one.files[0].path.suffix[1:].upper(),
            serving.url(work, facts["sound"], download=True),
            icon=":material/download:",
            key=f"{key}_one_file",
            help=f"Download {one.files[0].path.name} alone",
        )
        if takers:
            st.menu_button(
                "Send it to",
                [room.key for room in takers],
                format_func=lambda name: plan.rooms()[name].title,
                key=f"{key}_send",
                icon=":material/send:",
                type="tertiary",
                on_click=_send,
                args=(one, f"{key}_send"),
            )


def _send(one: Work, key: str) -> None:
    chosen = st.session_state.get(key)
    if chosen is not None:
        plan.send(one, chosen)
