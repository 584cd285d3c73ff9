"""A finished work as every room shows it: heard and seen, taken home, sent on, made again."""

from __future__ import annotations

import streamlit as st

from audio.types import SpectrogramParams
from riffapp.gallery import File, Work
from riffapp.jobs import wire
from riffapp.jobs.tasks.rows import ROWS
from riffapp.jobs.worker import sentence_for
from riffapp.ui import map as plan
from riffapp.ui import say, serving, visitor
from riffapp.ui.components import shown
from riffapp.ui.components.player import Face, Track, pitches, player
from riffapp.ui.components.sounds import sounds

_USES = {"all": "All its settings", "prompt": "Its words", "seed": "Its seed"}


def card(work: Work, *, place: str, play: bool = False) -> None:
    """Draw a work. `place` sets its widgets apart from the same work's elsewhere on the page."""
    key = f"{place}_{work.id}"
    with st.container(border=True, key=f"work_{key}", gap="small"):
        st.markdown(f"**{say.plain(work.title)}**")
        _shown(work, key, play=play)
        if told := work.facts.get("told"):
            st.caption("  \n".join(map(say.plain, told)))
        for line in work.lines:
            say.warning(line)
        with st.container(horizontal=True, key=f"files_{key}"):
            _files(work, key)
            _actions(work, key)
        if (facts := _facts(work)) != "":
            st.caption(facts)


def _shown(work: Work, key: str, *, play: bool) -> None:
    """What is heard and seen: a player, whose own the picture is where it is a spectrogram."""
    if ROWS in work.facts:
        sounds(work, key=f"sounds_{key}")
        return
    sound, picture = work.file("sound"), work.file("picture")
    if sound is not None:
        player(face(work, play=play), key=f"player_{key}")
    if picture is not None and (sound is None or "params" not in work.facts):
        alt = work.facts.get("shows", f"{work.kind}: {work.title}")
        with st.container(key=f"{'seen' if sound is None else 'beneath'}_{key}"):
            shown.picture(_url(work, picture), alt)


def face(work: Work, *, play: bool) -> Face:
    """What the player shows of a work."""
    sound, picture, facts = work.file("sound"), work.file("picture"), work.facts
    assert sound is not None  # only what sounds has a player
    params = None if "params" not in facts else SpectrogramParams.from_json(facts["params"])
    parts = [one for one in work.files if one.role == "part"]
    mixer = facts.get("mixer", {})
    tracks = [
        Track(
            name=one.name,
            url=serving.url(work, work.files.index(one), wav=True),
            **mixer.get(one.name, {}),
        )
        for one in parts or (sound,)
    ]
    return Face(
        id=f"{work.id}",
        name=work.title,
        alt=_described(work, params),
        title=_length(work),
        tracks=tuple(tracks),
        seconds=float(facts.get("seconds", 0.0)),
        rate=int(facts.get("rate", 44100)),
        beats=facts.get("beats"),
        meter=int(facts.get("meter", 4)),
        loops=bool(facts.get("loops", False)),
        picture=None if picture is None or params is None else _url(work, picture),
        pitches=() if params is None else tuple(pitches(params)),
        hz=None if params is None else (params.min_hz, params.max_hz),
        play=play,
    )


def _described(work: Work, params: SpectrogramParams | None) -> str:
    """The picture in words."""
    told = f"Spectrogram of {work.title}: {_length(work)} from left to right"
    if params is None:
        return told
    return f"{told}, {params.min_hz:g} to {params.max_hz:g} Hz from bottom to top"


def _length(work: Work) -> str:
    facts, told = work.facts, []
    if facts.get("beats"):
        bars = facts["beats"] / facts.get("meter", 4)
        told.append(f"{bars:g} {'bar' if bars == 1 else 'bars'}")
    if facts.get("bpm"):
        told.append(f"{facts['bpm']:g} bpm")
    if facts.get("seconds"):
        told.append(f"{facts['seconds']:.3f} s")
    return " · ".join(told)


def _facts(work: Work) -> str:
    facts, told = work.facts, []
    if "seed" in facts:
        told.append(f"Seed {facts['seed']}")
    if "rtf" in facts:
        told.append(
            f"{facts['seconds']:.3f} s of sound made in {facts['made_s']:.2f} s "
            f"(RTF {facts['rtf']:.2f})"
        )
    return " · ".join(told)


def _url(work: Work, file: File, *, download: bool = False) -> str:
    return serving.url(work, work.files.index(file), download=download)


def _files(work: Work, key: str) -> None:
    rows = work.facts.get(ROWS, ())  # whose files the list has
    listed = {row[name] for row in rows for name in ("sound", "picture") if name in row}
    for number, file in enumerate(work.files):
        if number in listed:
            continue
        label = file.name or file.path.suffix[1:].upper()
        st.link_button(
            label,
            serving.url(work, number, download=True),
            icon=":material/download:",
            key=f"file_{key}_{number}",
            help=f"Download {file.path.name}: all settings stand inside",
        )


def _actions(work: Work, key: str) -> None:
    if "insert" in work.facts:
        _inserts(work, key)
    takers = [] if ROWS in work.facts else plan.takers(work)
    if takers:
        st.menu_button(
            "Send to",
            [room.key for room in takers],
            format_func=lambda name: plan.rooms()[name].title,
            key=f"send_{key}",
            icon=":material/send:",
            type="tertiary",
            on_click=_send,
            args=(work, f"send_{key}"),
        )
    uses = plan.uses(work)
    if uses:
        st.menu_button(
            "Use",
            uses,
            format_func=_USES.__getitem__,
            key=f"use_{key}",
            icon=":material/restore_page:",
            type="tertiary",
            on_click=_use,
            args=(work, f"use_{key}"),
            help="Puts its settings back into their page",
        )
    st.button(
        "Unstar" if work.starred else "Star",
        key=f"star_{key}",
        icon=":material/star:",
        type="tertiary",
        on_click=lambda: visitor.gallery().star(work.id, starred=not work.starred),
    )
    st.button(
        "Delete",
        key=f"delete_{key}",
        icon=":material/delete:",
        type="tertiary",
        on_click=_delete,
        args=(work,),
        help="Into the bin of the gallery, from where it can be had back",
    )


def _inserts(work: Work, key: str) -> None:
    """A way to use what was learned in the room of its kind."""
    into, text = plan.rooms()[work.facts["into"]], work.facts["insert"]
    st.button(
        f"Use it in {into.title}",
        key=f"insert_{key}",
        icon=":material/add_notes:",
        type="primary",
        on_click=plan.insert,
        args=(into.key, text, work.facts["words"]),
        help=f"Puts {say.plain(text)} into the words there",
    )


def _send(work: Work, key: str) -> None:
    chosen = st.session_state.get(key)
    if chosen is not None:
        plan.send(work, chosen)


def _use(work: Work, key: str) -> None:
    chosen = st.session_state.get(key)
    if chosen == "all":
        _restore(work)
    elif chosen is not None:
        plan.use(work, chosen)


def _restore(work: Work) -> None:
    try:
        task = wire.loads(work.task, visitor.database().home)
    except Exception as error:
        st.session_state.unusable = sentence_for(error)
        return
    plan.restore(work.kind, task)


def _delete(work: Work) -> None:
    visitor.gallery().delete(work.id)
    st.session_state.deleted = work.id
