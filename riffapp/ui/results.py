"""What a room has asked for: what waits and forms, what failed, what is finished.

The room's script reads the queue once; a fragment looks again while something is open, and has the
whole page drawn anew only when there is news. So a click is answered whatever the worker does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from riffapp.gallery import Work
from riffapp.jobs.store import OPEN, OVER, Job
from riffapp.ui import say, serving, visitor
from riffapp.ui.components import shown
from riffapp.ui.components.player import Face, Track, player
from riffapp.ui.components.undo import undo
from riffapp.ui.components.work_card import card
from riffapp.ui.recall import redraw

# Draws works at a place, which sets their widgets apart from those elsewhere.
Show = Callable[[Sequence[Work], str], None]
POLL_S = 0.4
_IMAGES = ("txt2img", "img2img")  # rooms whose pictures can be skipped
KEPT_JOBS = 6

_STEPS_REM = (3.8, 0.9, 1.9, 0.9, 2.8, 0.9, 1.9, 1.4, 3.8, 0.9, 1.9, 0.9, 2.8, 1.6, 1.9, 1.1)
_PLACE = (
    '<div class="place {mood}" role="note"><div class="steps" aria-hidden="true">{steps}</div>'
    "<p><b>{head}</b><br>{text}</p></div>"
)


def results(
    kind: str, *, empty: tuple[str, str], play: bool = False, show: Show | None = None
) -> None:
    """Everything of a room's; `empty` is a head and a text for when there is nothing yet.

    With `play` the first work that this visit has asked for begins by itself. `show` draws some
    works at a place, one under another where it is None.
    """
    show = partial(_cards, play=play) if show is None else show
    _refused(kind)
    undo()
    store, gallery, owner = visitor.store(), visitor.gallery(), visitor.owner()
    opened = store.jobs(owner, kinds=[kind], states=OPEN)
    closed = store.jobs(owner, kinds=[kind], states=OVER, limit=KEPT_JOBS)
    made = [(job, gallery.of_job(job.id)) for job in (*reversed(opened), *closed)]
    if opened:
        _watch(kind, _seen(kind))
    elif not any(works for _, works in made):
        placeholder("quiet", *empty)
    if closed and (not opened or closed[0].id > opened[0].id):
        _outcome(closed[0], has_works=bool(made and made[0][1]))
    newest, *earlier = [works for _, works in made if works] or [[]]
    show(newest, kind)
    heard = [work for works in earlier for work in works]
    if heard:
        with st.expander(f"Earlier ({len(heard)})", icon=":material/history:", key=f"{kind}_past"):
            show(heard, f"{kind}_past")


def _cards(works: Sequence[Work], place: str, *, play: bool) -> None:
    for work in works:
        card(work, place=place, play=play and _is_asked(work))


def placeholder(mood: str, head: str, text: str) -> None:
    """What stands where a work will be: sixteen steps of a beat, which move while one is made."""
    steps = "".join(f'<i style="height:{rem}rem"></i>' for rem in _STEPS_REM)
    st.html(_PLACE.format(mood=mood, steps=steps, head=head, text=text))


@st.fragment(run_every=POLL_S)
def _watch(kind: str, seen: tuple[object, ...]) -> None:
    """The open jobs of a room, looked at again and again."""
    if _seen(kind) != seen:
        redraw()
    for job in visitor.store().jobs(visitor.owner(), kinds=[kind], states=OPEN):
        progress(job)


def progress(job: Job) -> None:
    """A bar that follows a job, what forms, and a way to stop it."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"progress_{job.id}"):
        st.progress(job.share, text=f"{say.plain(job.title)}: {stage(job)}")
        if job.state == "running" and job.kind in _IMAGES and job.total:
            st.button(
                "Skip",
                icon=":material/skip_next:",
                key=f"skip_{job.id}",
                help="Keep this picture as it is and go on with the next one",
                on_click=visitor.store().skip,
                args=(job.id,),
                kwargs={"owner": job.owner},
                disabled=job.stopping,
            )
        st.button(
            "Stop" if job.state == "running" else "Cancel",
            icon=":material/stop:",
            key=f"stop_{job.id}",
            on_click=visitor.store().cancel,
            args=(job.id,),
            kwargs={"owner": job.owner},
            disabled=job.stopping,
        )
    if job.preview:
        _forming(job)


def stage(job: Job) -> str:
    """Where a job stands, in words."""
    if job.stopping:
        return "stopping …"
    if job.state == "queued":
        if visitor.store().is_paused(job.owner):
            return "waiting; the queue is paused"
        ahead = visitor.store().ahead(job)
        return f"waiting for its turn, {ahead} before it" if ahead else "warming up …"
    left_s = job.left_s(time.time())
    left = "" if left_s is None or left_s < 1 else f", about {left_s:.0f} s left"
    if job.total == 0:
        return (job.stage or "warming up") + " …"
    where = f"{job.stage}, " if job.stage else ""
    if job.done >= job.total:
        return f"{where}finishing …"
    return f"{where}step {job.done} of {job.total}{left}"


def _forming(job: Job) -> None:
    """The picture as it is by now, and how it sounds."""
    picture = serving.live_url(job.id, ".png", job.preview)
    if not (visitor.database().home / "live" / f"{job.id}.wav").exists():
        shown.picture(picture, f"What forms of {job.title}, as it is by now", width=256)
        return
    sound = serving.live_url(job.id, ".wav", job.preview)
    face = Face(
        id=f"live-{job.id}",
        name=f"what forms of {job.title}",
        alt=f"Spectrogram of {job.title} while it forms",
        title="while it forms",
        tracks=(Track(name="sound", url=sound),),
        seconds=0.0,
        rate=44100,
        picture=picture,
    )
    player(face, key=f"live_{job.id}")


def _seen(kind: str) -> tuple[object, ...]:
    """What a full run of the script has drawn: another one is due when it changes."""
    store, gallery, owner = visitor.store(), visitor.gallery(), visitor.owner()
    jobs = store.jobs(owner, kinds=[kind], states=OPEN)
    return tuple((job.id, gallery.count_of(job.id)) for job in jobs)


def _is_asked(work: Work) -> bool:
    """Whether this visit's last wish made it, first of all."""
    return work.number == 0 and st.session_state.get("asked") == work.job


def _refused(kind: str) -> None:
    told = visitor.refusal(kind)
    if told:
        say.error(told)


def _outcome(job: Job, *, has_works: bool) -> None:
    """What became of the newest job, where it is no success."""
    if job.state == "failed":
        say.error(job.reason)
        st.button(
            "Try again",
            icon=":material/replay:",
            key=f"again_{job.id}",
            on_click=_again,
            args=(job,),
        )
    elif job.state == "cancelled" and not has_works:
        st.info("Stopped before anything was done.", icon=":material/stop_circle:")


def _again(job: Job) -> None:
    visitor.store().again(job.id, owner=job.owner)
