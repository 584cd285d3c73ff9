"""The room of the queue: what is being made, what waits, and what became of the rest."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import streamlit as st

from riffapp.errors import UsageError
from riffapp.jobs.store import MAX_OPEN, OPEN, OVER, Job
from riffapp.ui import map as plan
from riffapp.ui import say, visitor
from riffapp.ui.figures import moment, span
from riffapp.ui.frame import headline
from riffapp.ui.map import Room
from riffapp.ui.recall import redraw
from riffapp.ui.results import POLL_S, placeholder, progress
from riffapp.ui.say import plain, sentence

KEY = "queue"
KEPT_JOBS, _TITLE_CHARS = 30, 150
_REFUSAL = "queue_refusal"
_OTHERS = {"source": "Something opened"}  # jobs that no room is called after
_WELCOME = (
    "One piece is made at a time, and the queue goes on when this page is closed: "
    "come back for what is done."
)
_ICONS = {"succeeded": "check_circle", "failed": "error", "cancelled": "cancel"}
_OUTCOMES = {"succeeded": "done", "failed": "failed", "cancelled": "stopped"}


def page() -> None:
    """Draw the room: what is over once, what is open again and again."""
    headline("Queue", _WELCOME)
    if told := st.session_state.pop(_REFUSAL, None):
        say.error(told)
    opened = _open_jobs()
    over = visitor.store().jobs(visitor.owner(), states=OVER, limit=KEPT_JOBS)
    if not opened:
        _nothing(has_past=bool(over))
    watch(frozenset(job.id for job in opened))
    if over:
        st.header("Finished", anchor=False)
        for job in over:
            _past(job)


def _open_jobs() -> list[Job]:
    return visitor.store().jobs(visitor.owner(), states=OPEN, limit=MAX_OPEN)


def _nothing(*, has_past: bool) -> None:
    if has_past:
        st.markdown("Nothing waits, and nothing is being made.")
    else:
        placeholder("quiet", "Nothing waits.", "What you ask for in any room lines up here.")
    st.button(
        "Make a loop",
        key="queue_begin",
        type="secondary" if has_past else "primary",
        icon=":material/graphic_eq:",
        on_click=plan.open_room,
        args=("loop",),
    )


@st.fragment(run_every=POLL_S)
def watch(seen: frozenset[int]) -> None:
    """The open jobs, looked at again and again; the whole page anew where some came or went."""
    jobs = _open_jobs()
    if {job.id for job in jobs} != seen:
        redraw()
    paused = visitor.store().is_paused(visitor.owner())
    if jobs or paused:
        _pause(paused)
    waiting = [job for job in jobs if job.state == "queued"]
    for job in jobs:
        if job.state == "running":
            progress(job)
        else:
            _waiting(job, place=waiting.index(job), of=len(waiting))


def _pause(paused: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="queue_pause_row"):
        st.button(
            "Go on" if paused else "Pause",
            key="queue_pause",
            icon=":material/play_arrow:" if paused else ":material/pause:",
            on_click=visitor.store().pause,
            args=(visitor.owner(),),
            kwargs={"paused": not paused},
        )
        st.caption(
            "Paused: what waits goes on waiting."
            if paused
            else "A pause lets the piece in hand come to its end."
        )


def _waiting(job: Job, *, place: int, of: int) -> None:
    """A job that waits, with its ways through the line."""
    store = visitor.store()
    about = f"{_room(job)}, asked for at {moment(job.asked_at)}"
    with _row(f"waiting_{job.id}", f"{place + 1}. **{_title(job)}** :small[{about}]"):
        for label, icon, by, is_off in (
            ("First", "vertical_align_top", -of, place == 0),
            ("Up", "arrow_upward", -1, place == 0),
            ("Down", "arrow_downward", 1, place == of - 1),
        ):
            move = partial(store.move, job.id, owner=job.owner, by=by)
            _action(f"{label.lower()}_{job.id}", label, icon, move, disabled=is_off)
        cancel = partial(store.cancel, job.id, owner=job.owner)
        _action(f"cancel_{job.id}", "Cancel", "close", cancel)


def _past(job: Job) -> None:
    """What became of a job."""
    ended = "" if job.ended_at is None else f", {moment(job.ended_at)}"
    outcome = f"{_OUTCOMES[job.state]}{_took(job)} :small[{_room(job)}{ended}]"
    icon = f":material/{_ICONS[job.state]}:"
    with _row(f"past_{job.id}", f"{icon} **{_title(job)}**: {outcome}", job.reason):
        _action(f"repeat_{job.id}", "Again", "replay", partial(_again, job))
        if job.kind in plan.rooms():
            show = partial(plan.open_room, job.kind)
            _action(f"show_{job.id}", "Show", "visibility", show)


@contextmanager
def _row(key: str, text: str, reason: str = "") -> Iterator[None]:
    """A line about a job, with its actions behind it."""
    with st.container(border=True, key=key, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.markdown(text, width="stretch")
            with st.container(horizontal=True, gap="xsmall", width="content"):
                yield
        if reason:
            st.markdown(sentence(reason))


def _action(
    key: str, label: str, icon: str, do: Callable[[], None], *, disabled: bool = False
) -> None:
    st.button(
        label,
        key=key,
        icon=f":material/{icon}:",
        type="tertiary",
        disabled=disabled,
        on_click=do,
    )


def _again(job: Job) -> None:
    try:
        visitor.store().again(job.id, owner=job.owner)
    except UsageError as error:  # too many wait
        st.session_state[_REFUSAL] = str(error)


def _title(job: Job) -> str:
    return plain(textwrap.shorten(job.title, _TITLE_CHARS, placeholder="…") or "untitled")


def _took(job: Job) -> str:
    if job.started_at is None or job.ended_at is None:
        return ""
    return f" in {span(max(0.0, job.ended_at - job.started_at))}"


def _room(job: Job) -> str:
    room = plan.rooms().get(job.kind)
    return _OTHERS.get(job.kind, job.kind) if room is None else plain(room.title)


ROOMS = (Room(key=KEY, title="Queue", icon=":material/list_alt:", group="More", page=page),)
