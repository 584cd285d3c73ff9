"""What an image room has asked for: pictures side by side, each with what made it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from riffapp.gallery import Work
from riffapp.jobs.store import OPEN, OVER
from riffapp.ui import results as queue
from riffapp.ui import say, visitor
from riffapp.ui.components.undo import undo
from riffapp.ui.components.work_card import card

_CARD_PX = 260


def results(kind: str, *, empty: tuple[str, str]) -> None:
    """Everything of a room's, the newest job's pictures first; `empty` is a head and a text for
    when there is nothing yet."""
    if told := visitor.refusal(kind):
        say.error(told)
    undo()
    store, gallery, owner = visitor.store(), visitor.gallery(), visitor.owner()
    opened = store.jobs(owner, kinds=[kind], states=OPEN)
    closed = store.jobs(owner, kinds=[kind], states=OVER, limit=queue.KEPT_JOBS)
    made = [gallery.of_job(job.id) for job in (*reversed(opened), *closed)]
    if opened:
        queue.watch(kind, queue._seen(kind))
    elif not any(made):
        queue.placeholder("quiet", *empty)
    if closed and (not opened or closed[0].id > opened[0].id):
        queue._outcome(closed[0], has_works=bool(made and made[0]))
    newest, *earlier = [works for works in made if works] or [[]]
    _pictures(newest, kind)
    seen = [work for works in earlier for work in works]
    if seen:
        with st.expander(f"Earlier ({len(seen)})", icon=":material/history:", key=f"{kind}_past"):
            _pictures(seen, f"{kind}_past")


def _pictures(works: Sequence[Work], place: str) -> None:
    """One large, several in a grid. `place` sets their widgets apart from those elsewhere."""
    if len(works) < 2:
        for work in works:
            _one(work, place)
        return
    grid = st.grid(2, min_column_width=_CARD_PX, key=f"{place}_grid")
    for work in works:
        with grid.cell():
            _one(work, place)


def _one(work: Work, place: str) -> None:
    card(work, place=place)
    if text := work.facts.get("parameters"):
        with st.expander("Parameters", key=f"parameters_{place}_{work.id}"):
            st.code(text, language=None, wrap_lines=True)
