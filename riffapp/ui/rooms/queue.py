"""The room of the queue: what is being made, what waits for its turn, and what became of the rest."""

from __future__ import annotations

import streamlit as st

from riffapp.errors import UsageError
from riffapp.jobs.store import MAX_OPEN, OPEN, OVER, Job
from riffapp.ui import map as plan
from riffapp.ui import say, visitor
from riffapp.ui.figures import moment, span
from riffapp.ui.map import Room
from riffapp.ui.results import POLL_S, placeholder, progress
from riffapp.ui.say import plain, sentence

KEY = "queue"
KEPT_JOBS = 30
_REFUSAL = "queue_refusal"
_ICONS = {"succeeded": "check_circle", "failed": "error", "cancelled": "cancel"}
_OUTCOMES = {"succeeded": "done", "failed": "failed", "cancelled": "stopped"}


def page() -> None:
    """Draw the room: what is over once, what is open again and again."""
    with st.container(key="headline", gap="small"):
        st.title("Queue", anchor=False)
        st.markdown(
            "One piece is made at a time, and the queue goes on when this page is closed: "
            "come back for what is done."
        )
    if told := st.session_state.pop(_REFUSAL, None):
        say.error(told)
    opened = _open_jobs()
    over = visitor.store().jobs(visitor.owner(), states=OVER, limit=KEPT_JOBS)
    if not opened:
        _nothing(has_past=bool(over))
    watch(frozenset(job.id for job in opened))
    if over:
        st.subheader("Done", anchor=False)
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
        st.rerun()
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
    store, mine = visitor.store(), {"owner": job.owner}
    with st.container(border=True, key=f"waiting_{job.id}", gap="xsmall"):
        st.markdown(f"**{place + 1}.** {plain(job.title)}")
        st.caption(f"{_room(job)}, asked for at {moment(job.asked_at)}")
        with st.container(horizontal=True, gap="xsmall"):
            for label, icon, by, is_off in (
                ("First", "vertical_align_top", -of, place == 0),
                ("Up", "arrow_upward", -1, place == 0),
                ("Down", "arrow_downward", 1, place == of - 1),
            ):
                st.button(
                    label,
                    key=f"{label.lower()}_{job.id}",
                    icon=f":material/{icon}:",
                    type="tertiary",
                    disabled=is_off,
                    on_click=store.move,
                    args=(job.id,),
                    kwargs=mine | {"by": by},
                )
            st.button(
                "Cancel",
                key=f"cancel_{job.id}",
                icon=":material/close:",
                type="tertiary",
                on_click=store.cancel,
                args=(job.id,),
                kwargs=mine,
            )


def _past(job: Job) -> None:
    """What became of a job."""
    with st.container(border=True, key=f"past_{job.id}", gap="xsmall"):
        icon = f":material/{_ICONS[job.state]}:"
        st.markdown(f"{icon} **{plain(job.title)}**: {_OUTCOMES[job.state]}{_took(job)}")
        if job.reason:
            st.markdown(sentence(job.reason))
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            ended = "" if job.ended_at is None else f", {moment(job.ended_at)}"
            st.caption(f"{_room(job)}{ended}")
            st.button(
                "Again",
                key=f"repeat_{job.id}",
                icon=":material/replay:",
                type="tertiary",
                on_click=_again,
                args=(job,),
                help="The same once more, at the end of the queue",
            )
            if job.kind in plan.rooms():
                st.button(
                    "Show",
                    key=f"show_{job.id}",
                    icon=":material/visibility:",
                    type="tertiary",
                    on_click=plan.open_room,
                    args=(job.kind,),
                    help="Opens its room, where its pieces are",
                )


def _again(job: Job) -> None:
    try:
        visitor.store().again(job.id, owner=job.owner)
    except UsageError as error:  # too many wait
        st.session_state[_REFUSAL] = str(error)


def _took(job: Job) -> str:
    if job.started_at is None or job.ended_at is None:
        return ""
    return f" in {span(max(0.0, job.ended_at - job.started_at))}"


def _room(job: Job) -> str:
    room = plan.rooms().get(job.kind)
    return plain(job.kind if room is None else room.title)


ROOMS = (Room(key=KEY, title="Queue", icon=":material/list_alt:", group="More", page=page),)
